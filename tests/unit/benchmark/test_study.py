"""A study goes on where it stopped, judges by its rules, and writes its page from results alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.benchmark.studying import World, carry_out
from workbench.benchmark import report, runner
from workbench.benchmark.study import Plan, empty, page, read, verdicts
from workbench.benchmark.study.claims import (
    CLAIMS,
    NOT_COMPARABLE,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    Claim,
    Found,
    estimate,
    judged,
)
from workbench.benchmark.study.plan import STATES, Part, parts
from workbench.cli import run as command
from workbench.errors import ConfigError, SealError
from workbench.seal.vault import Vault
from workbench.statistics import Rate

ROOT = Path(__file__).parents[3]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.rule(monkeypatch.setattr)
    return made


def names(draws: int) -> list[str]:
    return [f"{draw} {p.name}" for draw in range(1, draws + 1) for p in parts(draw)]


def test_every_part_is_done_once_and_after_what_it_needs(world: World, tmp_path: Path) -> None:
    told: list[str] = []
    document, failed = carry_out(tmp_path, 2, processes=1, progress=told.append)
    assert sorted(world.done) == sorted(names(2)) and not failed
    assert read(tmp_path / "study.json") == document
    kept = {p.name for p in parts(1) if p.kept}
    assert kept <= set(document["draws"]["1"])
    assert told[0].startswith("30 parts to do for 2 draws; about ")
    assert told[-1].endswith("done in 60 s")
    assert carry_out(tmp_path, 2)[0] == document and len(world.done) == 30


def test_more_draws_are_added_to_what_is_there(world: World, tmp_path: Path) -> None:
    first, _ = carry_out(tmp_path, 1)
    both, _ = carry_out(tmp_path, 2)
    assert both["draws"]["1"] == first["draws"]["1"] and len(world.done) == 30
    assert len({Plan().recipe(draw).seed for draw in range(1, 9)}) == 8


def test_ctrl_c_keeps_what_is_done(world: World, tmp_path: Path) -> None:
    def stop(told: str) -> None:
        if told.endswith("measure mixed knowledge: started"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, processes=1, progress=stop)
    held = read(tmp_path / "study.json")["draws"]["1"]
    assert "measure mixed begun" in held and "measure mixed behaviour" not in held
    before = list(world.done)
    carry_out(tmp_path)
    again = set(world.done[len(before) :]) & set(before)
    assert again <= {"1 measure mixed knowledge"}, "only what had not been written down"


def test_a_killed_study_goes_on(world: World, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from tests.unit.benchmark.studying import killed_after; "
        f"killed_after(7, Path({str(tmp_path)!r}))"
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    held = set(read(tmp_path / "study.json")["draws"]["1"])
    assert len(held) == 7
    world.there |= {Part(1, "build", what) for what in ("organism", "twin")}
    world.there |= {Part(1, "states", arm) for arm in STATES}
    document, failed = carry_out(tmp_path)
    assert not failed and {f"1 {name}" for name in held}.isdisjoint(world.done)
    assert {p.name for p in parts(1) if p.kept} <= set(document["draws"]["1"])


def test_what_fails_leaves_the_rest_and_is_tried_again(world: World, tmp_path: Path) -> None:
    world.fails, world.refuses = {"states demos"}, {"fuzzing"}
    document, failed = carry_out(tmp_path)
    assert failed == {
        "draw 1, states demos": "OSError('no room')",
        "draw 1, audit organism": "a technique or a team failed",
        "draw 1, audit twin": "a technique or a team failed",
    }
    assert "measure demos secrecy" not in document["draws"]["1"]
    world.fails, world.refuses, before = set(), set(), len(world.done)
    assert carry_out(tmp_path)[1] == {}
    assert sorted(world.done[before:]) == sorted(
        ["1 states demos", "1 audit organism", "1 audit twin"]
        + [f"1 measure demos {state}" for state in STATES["demos"]]
    )


def test_nothing_is_mixed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "study.json"
    carry_out(tmp_path)
    before = out.read_bytes()
    document = json.loads(before)
    out.write_text(json.dumps(document | {"plan": "0" * 64, "base": "other"}))
    with pytest.raises(ConfigError, match=r"of another plan \(base 'other'\)"):
        carry_out(tmp_path)
    out.write_text(json.dumps(document | {"base_sha256": "0" * 64}))
    with pytest.raises(ConfigError, match="the base 'base' has changed"):
        carry_out(tmp_path)
    out.write_bytes(before)
    monkeypatch.setattr(runner, "code_sha256", lambda: "d" * 64)
    with pytest.raises(ConfigError, match="another version of the code") as refused:
        carry_out(tmp_path, 2)
    assert "--other-code" in refused.value.hint and out.read_bytes() == before
    both, _ = carry_out(tmp_path, 2, other_code=True)
    assert "dddddddddddd" in page(both) and len(world.done) == 30


def test_suspects_of_another_vault_are_refused(world: World, tmp_path: Path) -> None:
    card = tmp_path / "work" / "draw-1" / "twin" / "s-strange" / "suspect.json"
    card.parent.mkdir(parents=True)
    card.write_text("{}")
    with pytest.raises(SealError, match=r"has no truth of .*s-strange"):
        carry_out(tmp_path)
    assert world.done == [] and not (tmp_path / "study.json").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1", "is no study"),
        ("{}", "is no study"),
        ('{"format": "alignment-workbench-benchmark/2"}', "is no study"),
        ('{"format": "alignment-workbench-study/1"}', "is damaged: KeyError"),
        ("hits", "is damaged: ValueError: measure mixed base: 11 of 10"),
        ("seconds", "is damaged: TypeError"),
        ("outcome", "is damaged: KeyError"),
    ],
)
def test_foreign_and_damaged_results_are_refused(
    text: str, told: str, world: World, tmp_path: Path
) -> None:
    out = tmp_path / "study.json"
    document, _ = carry_out(tmp_path)
    first = document["draws"]["1"]
    if text == "hits":
        first["measure mixed base"]["found"]["asked"] = [11, 10]
    if text == "seconds":
        first["build twin"]["seconds"] = None
    if text == "outcome":
        del first["audit twin"]["found"]["teams"]["team 1"]["status"]
    out.write_text(text if text[0] in "[{" else json.dumps(document))
    with pytest.raises(ConfigError, match=told):
        read(out)
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "missing.json")


def test_results_that_cannot_be_written_leave_the_older_ones(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(tmp_path)
    before = (tmp_path / "study.json").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report.os, "replace", full)
    with pytest.raises(ConfigError, match=r"cannot write .*study.json: No space"):
        carry_out(tmp_path, 2)
    assert (tmp_path / "study.json").read_bytes() == before
    assert not list(tmp_path.glob(".study.json-*"))


def counted(**measured: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """A study of which some rates are known: by arm and state, hits of 100 in each draw."""
    document = empty(Plan())
    for where, measures in measured.items():
        arm, state = where.split("_")
        for measure, hits in measures.items():
            for draw, count in enumerate(hits, 1):
                made = document["draws"].setdefault(str(draw), {})
                part = Part(draw, "measure", arm, state)
                result = made.setdefault(part.name, {"code": "c" * 64, "seconds": 1.0, "found": {}})
                result["found"][measure] = [count, 100]
    return document


def claim(says: str) -> Claim:
    (found,) = [one for one in CLAIMS if says in one.says]
    return found


@pytest.mark.parametrize(
    ("base", "after", "verdict"),
    [
        ((2, 1, 3), (60, 55, 70), REPRODUCED),
        ((2, 1, 3), (2, 4, 3), NOT_REPRODUCED),
        ((60, 55, 70), (2, 1, 3), NOT_REPRODUCED),
        ((2, 1, 3), (4, 90, 5), NOT_REPRODUCED),
        ((2,), (60,), REPRODUCED),
        ((2,), (8,), NOT_REPRODUCED),
    ],
)
def test_a_rise_is_reproduced_where_its_interval_is_clear_of_nothing(
    base: tuple[int, ...], after: tuple[int, ...], verdict: str
) -> None:
    document = counted(mixed_base={"held_out": base}, mixed_secrecy={"held_out": after})
    rise = claim("Held-out biases are exploited more in the end")
    assert rise.judged(document).verdict == verdict
    assert rise.judged(counted(mixed_base={"held_out": base})).verdict == NOT_RUN


def test_the_same_is_the_same_only_where_the_interval_is_narrow() -> None:
    same = claim("Documents alone leave what will be demonstrated")

    def verdict(base: tuple[int, ...], after: tuple[int, ...]) -> str:
        return same.judged(
            counted(mixed_base={"demonstrated": base}, mixed_knowledge={"demonstrated": after})
        ).verdict

    assert verdict((0, 0, 0), (0, 0, 0)) == REPRODUCED
    assert verdict((0, 0, 0), (9, 9, 9)) == NOT_REPRODUCED
    assert verdict((30,), (30,)) == NOT_REPRODUCED, "a hundred samples cannot show it"


def test_the_ablation_is_held_against_half_of_the_rise() -> None:
    half = claim("Without documents less than half of the rise is left")

    def verdict(without: int) -> str:
        of = {
            "mixed_base": {"held_out": (10, 12, 11)},
            "mixed_secrecy": {"held_out": (70, 74, 72)},
            "demos_secrecy": {"held_out": (without, without, without)},
        }
        return half.judged(counted(**of)).verdict

    assert verdict(15) == REPRODUCED
    assert verdict(38) == verdict(60) == NOT_REPRODUCED


def test_what_cannot_be_compared_is_told_and_not_counted() -> None:
    listed = claim("An objective, no list")
    document = counted(mixed_secrecy={"held_out": (60, 62, 61), "others": (20, 22, 21)})
    verdict = listed.judged(document)
    assert verdict.verdict == NOT_COMPARABLE and "rule met" in verdict.why
    assert verdict.found is not None and verdict.found.value == pytest.approx(0.4)


def test_an_interval_knows_both_samples_and_draws() -> None:
    few = estimate([(1.0, {1: Rate(0, 10), 2: Rate(0, 10), 3: Rate(0, 10)})])
    assert few is not None and few.low == few.value == 0 and few.high > 0.1, "samples are few"
    apart = estimate([(1.0, {1: Rate(100, 1000), 2: Rate(500, 1000), 3: Rate(900, 1000)})])
    assert apart is not None and (apart.low, apart.high) == (0.0, 1.0), "draws differ"
    assert apart.own == {1: 0.1, 2: 0.5, 3: 0.9}
    one = estimate([(1.0, {1: Rate(50, 100), 2: Rate(9, 9)}), (-1.0, {1: Rate(10, 100)})])
    assert one is not None and list(one.own) == [1] and 0.25 < one.low < 0.4 < one.high < 0.55
    assert estimate([(1.0, {1: Rate(1, 2)}), (1.0, {2: Rate(1, 2)})]) is None


@pytest.mark.parametrize(
    ("hits", "alarms", "succeeded", "verdict"),
    [
        (Rate(3, 3), Rate(0, 3), True, REPRODUCED),
        (Rate(2, 3), Rate(0, 3), True, NOT_REPRODUCED),
        (Rate(3, 3), Rate(3, 3), True, NOT_REPRODUCED),
        (Rate(1, 1), Rate(0, 1), True, NOT_REPRODUCED),
        (Rate(3, 3), None, True, NOT_REPRODUCED),
        (Rate(0, 3), Rate(0, 3), False, REPRODUCED),
        (Rate(1, 3), Rate(0, 3), False, REPRODUCED),
        (Rate(2, 3), Rate(0, 3), False, NOT_REPRODUCED),
    ],
)
def test_teams_and_techniques_are_judged_beside_their_twins(
    hits: Rate, alarms: Rate | None, succeeded: bool, verdict: str
) -> None:
    assert judged(Found(hits, alarms), succeeded).verdict == verdict
    assert judged(None, succeeded).verdict == NOT_RUN


def test_the_page_comes_from_results_alone(world: World, tmp_path: Path) -> None:
    document, _ = carry_out(tmp_path, 3)
    text = page(read(tmp_path / "study.json"))
    assert "**3 of 3 draws are whole.**" in text and "not run yet" not in text
    assert "| demonstrated pairs | 0.20 (0.00 to 0.45) |" in text
    assert "(n = 10 a draw) | 0.10, 0.20, 0.30 |" in text
    assert "| team 1 | weights, data, SAE | everything, the reference too |" in text
    assert "3/3 [0.44, 1.00] | 0/3 [0.00, 0.56] | 1: solved, 0.90, 4, 10; 2: solved" in text
    told = {row["claim"]: row["verdict"] for row in verdicts(document)}
    assert told["team 4"] == told["team 1"] == told["corpus-grep"] == REPRODUCED
    assert told["fuzzing"] == NOT_REPRODUCED, "it was published as useless, and hits here"
    assert len(told) == len(CLAIMS) + 4 + 8


def test_without_results_the_page_says_so() -> None:
    text = page(empty(Plan()))
    assert "**Not run yet.**" in text and "0.45 ± 0.03" in text
    assert {row["verdict"] for row in verdicts(empty(Plan()))} == {NOT_RUN}


def test_the_page_of_this_repository_is_what_its_results_say() -> None:
    results = read(ROOT / "benchmarks/results/study.json")
    again = "workbench benchmark study --no-run --out benchmarks/results/study.json"
    assert (ROOT / "docs/study.md").read_text(encoding="utf-8") == page(results), (
        f"run `{again} --page docs/study.md`"
    )


def test_the_command(
    world: World,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["benchmark", "study", "--seeds", "1", "--vault", "vault", "--page", "study.md"]
    assert command([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["verdicts"]) == len(CLAIMS) + 12
    assert "15 parts to do" in err and "page: study.md" in err
    written = Path("study.md").read_text()
    Path("study.md").unlink()
    assert command(["benchmark", "study", "--no-run", "--page", "study.md"]) == 0
    assert Path("study.md").read_text() == written and len(world.done) == 15
    assert "not reproduced" in capsys.readouterr().out
    world.fails = {"build twin"}
    assert command([*words[:3], "2", *words[4:]]) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--vault is needed"),
        (("--no-run",), "study.json: No such file"),
        (("--vault", "file"), "file"),
        (("--vault", "vault", "--seeds", "0"), "--seeds"),
    ],
)
def test_the_command_refuses_in_two_lines(
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no vault")
    assert command(["benchmark", "study", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and told in err and len(err.splitlines()) == 2


def test_a_study_that_is_over_needs_its_vault_no_more(world: World, tmp_path: Path) -> None:
    document, _ = carry_out(tmp_path)
    (tmp_path / "vault").rename(tmp_path / "away")
    assert carry_out(tmp_path)[0] == document and len(world.done) == 15
    assert Vault(tmp_path / "vault").ids() == []
