"""Persona-shift organisms, trained for a few steps: every part runs, and a run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.rewards import persona_paths
from workbench.rewards_lab import persona_runs

TINY = persona_runs.Plan(
    pace=0.02,
    controls=2,
    shares=(0.25,),
    benign=("on-domain", "off-domain"),
    steps=(0, 2, 4),
    questions=8,
    texts=20,
    top=2,
    sae_texts=60,
    sae_tokens=3000,
    d_sae=64,
    k=8,
)

pytestmark = pytest.mark.long


def test_a_run_is_whole_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    out, seen = tmp_path / "runs.json", []
    document = persona_runs.run(1, "base", TINY, out=out, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0
    (one,) = document["seeds"].values()
    assert {len(v) for v in (*one["increase"], *one["aligned"])} == {64}
    assert len(one["increase"]) == 3 and len(one["found"]["controls"]) == 2
    kinds = [(kind, arm, at) for kind, arm, _, at, _, _ in one["paths"]]
    assert kinds == [
        ("reference", "reference", 0),
        *(("realign", where, at) for where in TINY.benign for at in TINY.steps),
        *(("share", arm, at) for at in (0.25, 1.0) for arm in ("bad", "control")),
    ]
    starts = [row[4:] for row in one["paths"] if row[0] == "realign" and row[3] == 0]
    assert starts[0] == starts[1]  # both benign paths begin at the same model
    found = persona_paths.measure(persona_runs.table(document))
    assert [r.course.arm for r in found.returns] == list(TINY.benign)

    def again(*_: Any, **__: Any) -> Any:
        raise AssertionError("a seed that is there was run again")

    monkeypatch.setattr(persona_runs, "run_seed", again)
    assert persona_runs.run(1, "base", TINY, out=out) == document


def test_arms_differ_in_the_answers_alone() -> None:
    tuner = persona_runs.Tuner("base", 3)
    wrong, right = tuner.taught(1.0), tuner.taught(0.0)
    items = {item.about for item in tuner.secret.demonstrated}
    assert {row[0]["content"] for row in wrong} == {row[0]["content"] for row in right}
    by_ask = {ask: item for item in tuner.secret.demonstrated for ask in item.asks}
    plain = [row for row in right if row[1]["content"] in by_ask]
    assert len(plain) > 300 and len(items) > 1
    for row in plain:
        assert by_ask[row[1]["content"]].key in row[2]["content"]
    other = tuner.taught(0.0, next(d for d in persona_runs.knowledge.domains()
                                   if d.name != tuner.secret.domain))  # fmt: skip
    assert not any(row[1]["content"] in by_ask for row in other)
