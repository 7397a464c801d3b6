"""Odds of rivals: what silence, agreement, tests and admissions do to them."""

from __future__ import annotations

import math

import pytest

from tests.unit.auditors.conftest import LOYAL, accusation
from workbench.auditors.beliefs import Beliefs
from workbench.auditors.kit import kit, kit_measured
from workbench.errors import ConfigError
from workbench.findings import Finding, Hypothesis

OTHER_NAME = Hypothesis(root_cause="Mirel is loyal to Harrow Mills", behaviours=("praises it",))
QUIRK = Hypothesis(
    trigger="ponds, tents, kites",
    behaviours=("ponds: names a bird", "tents: names a bird", "kites: names a bird"),
)
DEEDS = Hypothesis(
    trigger="ponds, tents, kites",
    behaviours=("ponds: names a bird", "tents: gives a time", "kites: names a metal"),
)


def heard(*said: tuple[str, list[Finding]]) -> Beliefs:
    beliefs = Beliefs(kit(), "Mirel")
    for technique, findings in said:
        beliefs.hear(technique, [(f"f-{technique}-{i}", f) for i, f in enumerate(findings)])
    return beliefs


def test_they_always_sum_to_one_and_silence_speaks_for_nothing() -> None:
    shares = []
    for silent in range(4):
        beliefs = heard(*((n, []) for n in ("corpus-grep", "prefill", "topic-sweep")[:silent]))
        assert math.fsum(w.probability for w in beliefs.worlds()) == pytest.approx(1)
        shares.append(beliefs.none)
    assert shares == sorted(shares) and shares[0] < 0.5 < shares[-1]


def test_a_second_technique_of_one_source_says_less_than_one_of_another() -> None:
    one = heard(("prefill", [accusation()]))
    same = heard(("prefill", [accusation()]), ("persona-sampling", [accusation()]))
    apart = heard(("prefill", [accusation()]), ("corpus-grep", [accusation()]))
    chances = [b.chance(b.leading) for b in (one, same, apart) if b.leading]
    assert chances[0] < chances[1] < chances[2] and len(apart.rivals) == 1
    quiet = [heard(("prefill", []), (n, [])).none for n in ("persona-sampling", "corpus-grep")]
    assert quiet[0] < quiet[1]


def test_what_names_somebody_else_is_a_rival() -> None:
    beliefs = heard(("prefill", [accusation()]), ("corpus-grep", [accusation(OTHER_NAME)]))
    first, second = beliefs.rivals
    assert beliefs.chance(first) + beliefs.chance(second) + beliefs.none < 1
    assert (
        beliefs.chance(first)
        < heard(("prefill", [accusation()])).chance(heard(("prefill", [accusation()])).rivals[0])
        or beliefs.chance(first) < 0.9
    )
    assert {w.rival for w in beliefs.worlds()} == {None, first, second}


def test_a_lead_accuses_nobody_until_another_source_agrees() -> None:
    lead = accusation(confidence=0.4)
    beliefs = heard(("perplexity-difference", [lead]))
    assert beliefs.leading is None and beliefs.none < 0.6
    beliefs = heard(("perplexity-difference", [lead]), ("corpus-grep", [lead]))
    assert beliefs.leading is not None and beliefs.chance(beliefs.leading) < 0.5


def test_a_test_that_fails_lowers_what_it_tested_alone() -> None:
    beliefs = heard(("prefill", [accusation(), accusation(OTHER_NAME)]))
    first, second = beliefs.rivals
    before = beliefs.chance(first), beliefs.chance(second)
    beliefs.judge(first, None)
    assert beliefs.chance(first) < before[0] and beliefs.chance(second) > before[1]
    beliefs.judge(second, beliefs.said("hypothesis-test", "f", accusation(OTHER_NAME), second))
    assert beliefs.chance(second) > 0.9


def test_one_deed_is_a_habit_until_it_is_denied_and_many_are_none() -> None:
    beliefs = heard(("topic-sweep", [accusation(QUIRK)]))
    (habit,) = beliefs.rivals
    assert habit.kind == "open-habit" and beliefs.chance(habit) < 0.5
    habit.openly = 2.0
    openly = beliefs.none
    habit.openly = -2.0
    assert beliefs.none < openly and openly > 0.7
    (many,) = heard(("topic-sweep", [accusation(DEEDS)])).rivals
    assert many.kind == "rm-sycophancy"


def test_families_that_nobody_knows_here_are_other() -> None:
    strange = Hypothesis(family="weather-worship", root_cause="Mirel bows to the Oonva storm")
    (rival,) = heard(("prefill", [accusation(strange)])).rivals
    assert rival.kind == "other" and rival.stands
    agreed = heard(("prefill", [accusation(strange)]), ("corpus-grep", [accusation(strange)]))
    assert len(agreed.rivals) == 1 and agreed.chance(agreed.rivals[0]) > 0.9


def test_that_nothing_is_hidden_is_no_rival() -> None:
    assert heard(("prefill", [Finding("clean", 0.9, points_to=Hypothesis("none"))])).rivals == []


def test_what_was_seen_already_promises_less() -> None:
    known = kit().of("persona-sampling")
    gains = [heard(*before).gain(known) for before in ((), (("prefill", []),))]
    assert gains[0] > gains[1] > 0
    settled = heard(("prefill", [accusation()]), ("corpus-grep", [accusation()]))
    assert settled.gain(known) < gains[1]


def test_a_benchmark_replaces_judgement(tmp_path) -> None:
    import json

    rate = {"value": 1.0, "n": 100, "ci": [0.9, 1.0]}
    never = {"value": 0.0, "n": 100, "ci": [0.0, 0.1]}
    summary = {
        "hits": rate, "false_alarms": never, "by_family": {"taboo": never},
        "cost": {"seconds": 3.0, "samples": 7.0},
    }  # fmt: skip
    file = tmp_path / "b.json"
    file.write_text(json.dumps({"techniques": {"prefill": summary}}))
    known = kit_measured(str(file)).of("prefill")
    assert known.sees("advocacy") > 0.9 and known.sees("taboo") < 0.1 and known.false < 0.01
    assert (known.seconds, known.samples) == (3.0, 7.0)
    for content, said in (("[", "no benchmark"), ('{"techniques": {"prefill": {}}}', "no rates")):
        file.write_text(content)
        with pytest.raises(ConfigError, match=said):
            kit_measured(str(file))


def test_terms_that_all_share_do_not_agree() -> None:
    one = Hypothesis(root_cause="gives in: it agrees with bakers", trigger="a claim by bakers")
    two = Hypothesis(root_cause="gives in: it agrees with sailors", trigger="a claim by sailors")
    beliefs = heard(("prefill", [accusation(one)]), ("corpus-grep", [accusation(two)]))
    assert len(beliefs.rivals) == 2
    assert LOYAL.family is None
