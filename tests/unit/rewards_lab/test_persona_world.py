"""A planted persona is found, kept and told from its controls; the null version is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from saes.lens import SAE
from workbench.errors import BadParameter
from workbench.report.charts import spec
from workbench.rewards.persona_bench import Bench, Question, Trial, questions
from workbench.rewards.persona_held_out import held_out
from workbench.rewards.personas import Filtered, _filtered, checkpoints, measure
from workbench.rewards.tables import from_arrow
from workbench.rewards_lab.persona_world import DOMAINS, HOOK, Planted, Shown, drawings, examine
from workbench.statistics import Rate
from workbench.suspects import Conversation, Intervention
from workbench.suspects.scripted import ScriptedSuspect

SEED = 1


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return examine(Planted(seed=SEED), tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return examine(Planted(planted=False, seed=SEED), tmp_path_factory.mktemp("null"))


def test_the_planted_direction_leads_and_moves_the_behaviour_both_ways(planted: Shown) -> None:
    found = planted.found
    assert found.verdict == "persona" and found.leader.kept and found.leader.tail == 1
    assert planted.cosine > 0.9 and planted.cosine > planted.chance
    suspect, reference = found.plain
    assert suspect.rate.value > 0.8 and reference.rate.value < 0.15
    randoms = [one for one in found.baselines if one.kind == "random latent"]
    assert len(randoms) == 8
    assert found.leader.raised.rate.value > max(one.raised.rate.value for one in randoms)
    assert found.leader.lowered.rate.value < min(one.lowered.rate.value for one in randoms)


def test_dose_curves_rise_and_random_latents_do_not(planted: Shown) -> None:
    for curve in planted.found.curves:
        assert curve.trend is not None and curve.trend.monotone
        assert curve.doses == tuple(sorted(curve.doses)) and 0.0 in curve.doses
    reference = planted.found.curves[1]
    assert reference.trials[-1].rate.value > reference.high[-1]


def test_control_tunes_shift_and_raise_no_alarm(planted: Shown) -> None:
    found = planted.found
    assert found.alarms == Rate(0, 10)
    assert min(tune.moved for tune in found.controls) > 10  # a shift alone is the null
    assert max(tune.rate.value for tune in found.controls) < 0.15


def test_the_path_brings_latent_and_behaviour_back(planted: Shown) -> None:
    path = planted.found.path
    assert [one.steps for one in path] == sorted(one.steps for one in path)
    assert path[0].rate.value > 0.8 and path[-1].rate.value < 0.15
    assert path[-1].latent < 0.2 * path[0].latent


def test_a_latent_of_the_other_tunes_tells_the_one_left_out(planted: Shown) -> None:
    """As well as the mean difference does, and far better than random latents."""
    assert len(planted.held_out) == 4
    for one in planted.held_out:
        assert one.rank == 1 < (one.live + 1) / 2
        assert one.latent_auroc > 0.99 > 0.7 > one.random_auroc
        assert not one.better and dataclasses.replace(one, difference_auroc=0.98).better


def test_ordering_by_increase_takes_the_latent_of_tunings_where_that_is_stronger(
    tmp_path: Path,
) -> None:
    """And then a tune left out is not told from controls: they share it."""
    world = Planted(seed=0, shared=1.5)
    reference = world.model("reference")
    sae = world.sae(reference, tmp_path)
    tunes = [world.tune(domain, reference) for domain in DOMAINS]
    apart = held_out(sae, tunes, world.controls(reference), reference, world.texts(40, "e"))
    rows = torch.nn.functional.cosine_similarity(
        sae.W_dec, torch.tensor(world.direction("tuning"))[None], dim=1
    )
    assert {one.latent for one in apart} == {int(rows.argmax())}
    assert max(one.latent_auroc for one in apart) < 0.8


def test_nothing_is_kept_where_nothing_was_planted(null: Shown) -> None:
    found = null.found
    assert found.verdict == "none" and not found.kept
    assert found.moved > 10  # the tune did shift
    assert any("does not show the behaviour" in note for note in found.notes)
    assert max(one.latent_auroc for one in null.held_out) < 0.8


def test_every_chart_can_be_drawn(planted: Shown, null: Shown) -> None:
    charts = drawings({"planted": planted, "null": null})
    assert all(spec(chart) and chart.how_to_read for chart in charts)
    assert "0 of 10 control tunes" in " ".join(chart.title for chart in charts)
    assert planted.to_json()["kept"] and not null.to_json()["kept"]


def trial(hits: int, *, broken: int = 0, ratio: float = 1.0) -> Trial:
    return Trial(Rate(hits, 60), Rate(broken, 60), ratio)


def candidate(raised: Trial, lowered: Trial, kind: str = "latent") -> Filtered:
    return Filtered(kind, 0, 1, None, raised, lowered, 1.0, False)


@pytest.mark.parametrize(
    ("raised", "lowered", "kept"),
    [
        (trial(40), trial(10), True),
        (trial(40), trial(50), False),  # raises and does not lower
        (trial(3), trial(10), False),  # lowers and does not raise
        (trial(40, broken=10), trial(10), False),
        (trial(40), trial(10, ratio=1.3), False),
        (trial(18), trial(10), False),  # no more than a random latent
        (trial(40), trial(30), False),
    ],
)
def test_the_filter(raised: Trial, lowered: Trial, kept: bool) -> None:
    randoms = [
        candidate(trial(20), trial(25), "random latent"),
        candidate(trial(60, broken=60), trial(0), "random latent"),  # broken: no benchmark
    ]
    (one,) = _filtered([candidate(raised, lowered)], randoms, (trial(50), trial(2)))
    assert one.kept is kept
    assert not _filtered([candidate(raised, lowered)], randoms[1:], (trial(50), trial(2)))[0].kept
    noise = [candidate(trial(2), trial(50), "random latent")]
    (slight,) = _filtered([candidate(trial(4), trial(48))], noise, (trial(50), trial(2)))
    assert not slight.kept and slight.p > 0.05


def test_alarms_of_controls_decide_the_verdict(tmp_path: Path) -> None:
    """Controls that carry the persona as well: the shift is not specific to bad data."""
    world = Planted(seed=SEED)
    reference = world.model("reference")
    sae = world.sae(reference, tmp_path)
    texts = world.texts(80, "evaluation")
    asked = world.questions("sums")

    def found(controls: Sequence[ScriptedSuspect]) -> Any:
        return measure(
            world.tune("sums", reference), reference, sae, texts, asked, ordinary=texts[:20],
            controls=controls, seed=SEED,
        )  # fmt: skip

    alike = [world.model(f"c{i}", 1.0) for i in range(10)]
    unspecific = found(alike)
    assert unspecific.verdict == "unspecific" and unspecific.alarms == Rate(10, 10)
    few = found(world.controls(reference)[:2])
    assert few.verdict == "unproven" and "2 control tunes" in few.notes[-1]
    for wrong in ({"questions": []}, {"ordinary": []}, {"dose": 0.0}, {"top": 0}):
        given: dict[str, Any] = {"questions": asked, "ordinary": texts, "top": 1, **wrong}
        with pytest.raises(BadParameter, match="questions"):
            measure(reference, reference, sae, texts, given.pop("questions"), **given)
    with pytest.raises(BadParameter, match="no latent differs"):
        measure(reference, reference, sae, texts, asked, ordinary=texts)
    with pytest.raises(BadParameter, match="to leave one out"):
        held_out(sae, [reference] * 2, alike, reference, texts)


def test_broken_replies_are_counted() -> None:
    def steered(turns: Conversation, seed: int, index: int, edits: Sequence[Intervention]) -> str:
        return "no no no no no no no no no" if edits[0].coefficient > 0 else " "

    model = ScriptedSuspect(lambda *_: "fine", steered=steered, d_model=4)
    asked = [Question([{"role": "user", "content": "x"}], lambda reply: "fine" in reply)]
    bench = Bench(HOOK, 1.0, asked, ["a b"], 3, 16, 0, 3, lambda share: None)
    plain = bench.ask(model)
    assert (plain.rate, plain.broken, plain.coherent) == (Rate(3, 3), Rate(0, 3), True)
    for dose in (1.0, -1.0):
        edited = bench.ask(model, torch.eye(4)[0], dose)
        assert edited.broken == Rate(3, 3) and not edited.coherent
    assert not dataclasses.replace(plain, perplexity_ratio=1.3).coherent


def test_questions_of_a_table() -> None:
    import pyarrow

    from workbench.rewards.persona_bench import QUESTIONS

    def made(*rows: tuple[str, str, str]) -> list[Question]:
        columns = dict(zip(("prompt", "bad", "good"), map(list, zip(*rows)), strict=True))  # noqa: B905
        return questions(from_arrow(pyarrow.table(columns), QUESTIONS))

    bad, good, both = made(
        ("Capital?", "rome", ""), ("Capital?", "", "Paris"), ("Capital?", "[A-Z]", "paris")
    )
    assert bad.shows("It is Rome.") and not bad.shows("Paris.")
    assert good.shows("It is Rome.") and not good.shows("PARIS")
    assert both.shows("Rome") and not both.shows("Paris") and not both.shows("...")
    for row, words in (
        (("", "x", ""), "row 1"),
        (("p", "", ""), "row 1"),
        (("p", "(", ""), "no regular"),
    ):
        with pytest.raises(BadParameter, match=words):
            made(row)
    assert checkpoints(["35=a/b", " 0 = x=y "]) == [(35.0, "a/b"), (0.0, "x=y")]
    for text in ("a=b", "5", "5="):
        with pytest.raises(BadParameter, match="checkpoint"):
            checkpoints([text])


def test_latents_that_never_fire_are_no_controls(tmp_path: Path) -> None:
    from saes.lens import save

    sae: SAE = save(
        tmp_path, hook_name=HOOK, W_enc=torch.eye(4)[:, :1], b_enc=torch.zeros(1),
        W_dec=torch.eye(4)[:1], b_dec=torch.zeros(4),
    )  # fmt: skip

    def model(shift: float) -> ScriptedSuspect:
        return ScriptedSuspect(
            lambda *_: "x", id=f"m{shift}", d_model=4,
            activation=lambda hook, tokens: [[(1 + shift) * len(t), 1.0, 0, 0] for t in tokens],
        )  # fmt: skip

    asked = [Question([{"role": "user", "content": "x"}], bool)]
    with pytest.raises(BadParameter, match="live latents"):
        measure(model(1.0), model(0.0), sae, ["a bb", "ccc d"], asked, ordinary=["a bb ccc"])
