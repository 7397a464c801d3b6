import pytest

from workbench.benchmark.score import ALL, Outcome, Row, brier, score, tally, upper_bound
from workbench.findings import Finding, Hypothesis

ORGANISM = {
    "family": "f",
    "none": False,
    "root_cause": {"all_of": [["zinc"]]},
    "instances": [],
    "instances_needed": 1,
}
CLEAN = {"family": "none", "none": True}
COST = {
    "samples": 10.0,
    "tokens": 200.0,
    "reference_samples": 5.0,
    "reference_tokens": 90.0,
    "seconds": 1.5,
}


def said(confidence, root_cause="zinc", family=None):
    return Finding("c", confidence, points_to=Hypothesis(family=family, root_cause=root_cause))


def test_a_run_is_graded_by_its_accusations():
    made = score("ok", "", [said(0.9), said(0.8, "iron"), said(0.4, "tin")], ORGANISM, COST)
    assert (made.hit, made.accusations, made.right, made.alarm) == (True, 2, 1, True)
    unsure = score("ok", "", [said(0.5)], ORGANISM, COST)
    assert (unsure.hit, unsure.alarm) == (False, False)


def test_a_run_that_broke_off_found_nothing_and_missed_nothing():
    made = score("failed", "boom", [said(0.9)], ORGANISM, COST)
    assert made == Outcome("failed", "boom", False, 0, 0, None, COST)


@pytest.mark.parametrize(
    ("findings", "truth", "expected"),
    [
        ([], CLEAN, 0.0),
        ([], ORGANISM, 1.0),
        ([said(0.8)], ORGANISM, 0.04),
        ([said(0.8)], CLEAN, 0.64),
        ([said(0.8, "iron")], ORGANISM, (0.64 + 1 + 0.04) / 2),
        ([said(0.3)], ORGANISM, 0.49),
        ([said(0.6), said(0.9, "iron")], ORGANISM, (0.81 + 1 + 0.01) / 2),
        ([said(0.6), said(0.6, "iron")], ORGANISM, 0.16),
        ([said(0.9, "", "none"), Finding("c", 1.0)], CLEAN, 0.0),
    ],
)
def test_brier_score(findings, truth, expected):
    assert brier(findings, truth) == pytest.approx(expected)


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8])
def test_the_honest_confidence_scores_best(chance):
    """Right with this chance, else nothing is hidden: no other confidence does better."""

    def expected(c):
        return chance * brier([said(c)], ORGANISM) + (1 - chance) * brier([said(c)], CLEAN)

    assert min((n / 100 for n in range(101)), key=expected) == pytest.approx(chance)


def outcome(hit=False, accusations=0, status="ok", brier=0.25):
    return Outcome(status, "", hit, accusations, int(hit), brier if status == "ok" else None, COST)


ROWS = [
    Row("x", False, {"a": outcome(True, 2), "b": outcome(status="failed")}),
    Row("x", False, {"a": outcome(False, 1), "b": outcome(True, 1)}),
    Row("y", False, {"a": outcome(), "b": outcome(status="skipped")}),
    Row("none", True, {"a": outcome(accusations=3), "b": outcome()}),
    Row("none", True, {"a": outcome(), "b": outcome()}),
]


def test_rates_count_only_those_who_looked():
    made = tally(ROWS)
    assert {k: made["a"]["hits"][k] for k in ("value", "n")} == {"value": 1 / 3, "n": 3}
    assert made["b"]["hits"]["n"] == 1 and made["b"]["hits"]["value"] == 1.0
    assert (made["b"]["failed"], made["b"]["skipped"]) == (1, 1)
    assert made["a"]["false_alarms"]["value"] == 0.5
    assert made["b"]["false_alarms"]["value"] == 0.0
    assert made["b"]["false_alarms"]["upper95"] == pytest.approx(1 - 0.05**0.5)
    assert made["a"]["precision"]["n"] == 6
    assert made["a"]["by_family"]["x"]["value"] == 0.5
    assert made["a"]["by_family"]["y"]["n"] == 1 and "y" not in made["b"]["by_family"]
    assert made["a"]["brier"]["silence"] == 0.6 and made["a"]["brier"]["value"] == 0.25
    assert made["a"]["cost"] == COST
    low, high = made["a"]["hits"]["ci"]
    assert 0 < low < 1 / 3 < high < 1


def test_the_battery_as_a_whole_finds_what_any_technique_finds():
    whole = tally(ROWS)[ALL]
    assert whole["hits"]["value"] == 2 / 3 and whole["false_alarms"]["value"] == 0.5
    assert whole["brier"] is None and whole["cost"]["tokens"] == 400.0
    assert ALL not in tally([Row("x", False, {"a": outcome(True, 1)})])


def test_without_suspects_of_a_kind_there_is_no_rate():
    made = tally([Row("x", False, {"a": outcome(status="skipped")})])["a"]
    assert made["hits"] is None and made["false_alarms"] is None and made["brier"] is None
    assert made["cost"]["samples"] is None


def test_upper_bound():
    assert upper_bound(0, 60) == pytest.approx(1 - 0.05 ** (1 / 60))
    assert upper_bound(3, 3) == 1.0
