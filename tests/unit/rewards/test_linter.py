"""The reward linter: crossovers, planted exploits, their null versions, and what it refuses."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import pyarrow
import pytest

from workbench.errors import BadParameter
from workbench.rewards.lagoon import FORK, Lagoon
from workbench.rewards.linter import lint
from workbench.rewards.specification import COLUMNS, RewardSpec
from workbench.rewards.tables import from_arrow
from workbench.rewards.trajectories import enumerate_trajectories


def lagoons(count: int, seed: int) -> Iterator[Lagoon]:
    rng = np.random.default_rng(seed)
    while count:
        lagoon = Lagoon(
            int(rng.integers(3, 21)),
            float(rng.uniform(0.2, 2)),
            int(rng.integers(8, 40)),
            float(np.exp(rng.uniform(0, 3))),
            int(rng.integers(1, 4)),
        )
        circles = [lagoon.log_advantage(g) > 0 for g in np.linspace(0.05, 0.95, 60).tolist()]
        if circles[-1] and not all(circles):  # near 1 circling wins: all crossovers lie below 0.95
            count -= 1
            yield lagoon


def iterated(specs: list[RewardSpec], discounts: list[float]) -> list[str]:
    """What value iteration prefers in worlds of two actions, all at once: an independent route."""
    shape = (len(specs), max(len(spec.states) for spec in specs), 2)
    following = np.zeros(shape, dtype=int)
    paid = np.full(shape, -np.inf)
    ends = np.zeros(shape, dtype=bool)
    for w, spec in enumerate(specs):
        for edge, (source, target) in enumerate(zip(spec.source, spec.target, strict=True)):
            action = edge - spec.first_edge[source]
            following[w, source, action], paid[w, source, action] = target, spec.reward[edge]
            ends[w, source, action] = target in spec.goals
    g = np.array(discounts)[:, None, None]
    rows = np.arange(len(specs))[:, None, None]
    answers = []
    for barred in (np.zeros_like(paid), np.where(ends, -np.inf, 0.0)):
        values = np.zeros(shape[:2])
        for _ in range(math.ceil(math.log(1e-14) / math.log(max(discounts)))):
            best = (g * (paid + barred + np.where(ends, 0.0, values[rows, following]))).max(axis=2)
            values = np.where(np.isfinite(paid).any(axis=2), best, 0.0)
        answers.append(values[:, 0])
    best, never = answers
    return ["finish" if b > n * (1 + 1e-11) else "loop" for b, n in zip(best, never, strict=True)]


def test_the_crossovers_are_those_of_value_iteration_and_of_the_closed_form() -> None:
    specs, discounts, wanted = [], [], []
    for lagoon in lagoons(200, seed=1):
        spec = lagoon.spec()
        for crossover in lint(spec).crossovers:
            specs += [spec, spec]
            discounts += [crossover.discount - 1e-6, crossover.discount + 1e-6]
            wanted += ["finish" if crossover.above == "loop" else "loop", crossover.above]
            assert lagoon.log_advantage(crossover.discount) == pytest.approx(0, abs=1e-9)
    assert len(wanted) > 400 and iterated(specs, discounts) == wanted


def test_circling_beats_finishing_iff_the_formula_says_so() -> None:
    rng = np.random.default_rng(0)
    for lagoon in lagoons(50, seed=2):
        g = float(rng.uniform(0.5, 0.99))
        single = Lagoon(
            lagoon.lap_time, lagoon.lap_reward, lagoon.finish_distance, lagoon.finish_reward
        )
        circling = single.lap_reward * g**single.lap_time / (1 - g**single.lap_time)
        finishing = g**single.finish_distance * single.finish_reward
        found = lint(single.spec(), discount=g)
        assert found.verdict == ("exploit" if circling > finishing else "sound")
        assert found.worst and found.worst.paid == pytest.approx(circling)
        assert found.finish and found.finish.paid == pytest.approx(finishing)


def test_within_a_horizon_whole_laps_count() -> None:
    lagoon = Lagoon(lap_time=4, lap_reward=1.0, finish_distance=10, finish_reward=12.0)
    for horizon, verdict in ((40, "sound"), (47, "sound"), (52, "exploit"), (60, "exploit")):
        found = lint(lagoon.spec(), discount=1.0, horizon=horizon)
        assert found.verdict == verdict, horizon
        assert found.worst and found.worst.paid == pytest.approx(horizon // 4)
        assert found.delays  # circling first, finishing last
    assert lint(lagoon.spec(), discount=1.0, horizon=51).verdict == "indifferent"
    short = lint(lagoon.spec(), discount=1.0, horizon=9)
    assert short.verdict == "exploit" and not short.delays and short.finish is None


def random_world(rng: np.random.Generator, discount: float, lap: float) -> RewardSpec:
    """A finish that pays 1, shaped by random potentials; some cycle pays `lap` besides."""
    n = int(rng.integers(5, 9))
    potential = {**{f"s{i}": float(v) for i, v in enumerate(rng.normal(0, 5, n))}, "end": 0.0}
    moves = {(f"s{i}", "on"): f"s{i + 1}" if i + 1 < n else "end" for i in range(n)}
    moves |= {(f"s{i}", "off"): f"s{int(rng.integers(0, n))}" for i in range(n)}
    moves["s1", "round"] = "s0"
    rows = []
    for (state, action), there in moves.items():
        paid = float(there == "end") + lap * (action == "round")
        rows.append((state, action, there, paid + discount * potential[there] - potential[state]))
    return RewardSpec.from_rows(rows, start="s0", goals=["end"])


@pytest.mark.parametrize("discounted", [True, False])
def test_no_false_alarm_on_potential_shaped_rewards(discounted: bool) -> None:
    """Ng, Harada and Russell 1999: shaping by a potential leaves the optimum where it was."""
    rng = np.random.default_rng(3)
    for i in range(200):
        g = float(rng.uniform(0.5, 0.99)) if discounted else 1.0
        state = rng.bit_generator.state
        assert lint(random_world(rng, g, 0.0), discount=g).verdict == "sound"
        if i % 4:
            continue
        rng.bit_generator.state = state
        planted = lint(random_world(rng, g, 5.0), discount=g)
        assert planted.verdict == "exploit"
        assert any({"s0", "s1"} <= set(way.states) for way in planted.exploits)


def test_all_trajectories_of_a_small_world() -> None:
    rows = [
        ("a", "x", "b", 1.0), ("a", "y", "c", 0.0), ("b", "x", "a", 2.0), ("b", "y", "c", 0.0),
        ("c", "x", "end", 1.0), ("c", "y", "b", 0.0), ("b", "z", "pit", 0.0),
    ]  # fmt: skip
    spec = RewardSpec.from_rows(rows, start="a", goals=["end"])
    ways, complete = enumerate_trajectories(spec)
    assert complete
    kinds = sorted(
        (way.kind, tuple(spec.states[spec.target[e]] for e in way.edges)) for way in ways
    )
    assert kinds == [
        ("finishes", ("b", "c", "end")),
        ("finishes", ("c", "end")),
        ("loops", ("b", "a")),
        ("loops", ("b", "c", "b")),
        ("loops", ("c", "b", "a")),
        ("loops", ("c", "b", "c")),
        ("stops", ("b", "pit")),
        ("stops", ("c", "b", "pit")),
    ]


def grid_world(size: int, bonus: float) -> RewardSpec:
    """Too many ways to enumerate; a cell in the middle pays a bonus on each visit."""
    moves = {"r": (0, 1), "d": (1, 0), "l": (0, -1), "u": (-1, 0)}

    def step(place: tuple[int, int], action: str) -> tuple[tuple[int, int], float, bool]:
        row, column = (
            min(max(v + dv, 0), size - 1) for v, dv in zip(place, moves[action], strict=True)
        )
        done = (row, column) == (size - 1, size - 1)
        return (row, column), (10.0 if done else bonus * ((row, column) == (2, 2))), done

    return RewardSpec.explore(step, (0, 0), list(moves))


def test_a_simulator_with_too_many_ways_is_judged_by_value_iteration() -> None:
    sound, planted = lint(grid_world(8, 0.0)), lint(grid_world(8, 0.4))
    assert not sound.enumerated and sound.states == 64
    assert (sound.verdict, planted.verdict) == ("sound", "exploit")
    assert sound.finish and sound.finish.steps == 14
    assert planted.worst and planted.worst.steps == 2 and planted.worst.rate == 0.2
    assert [c.above for c in planted.crossovers] == ["finish", "loop"]
    for g in (c.discount for c in planted.crossovers):
        # back and forth pays every second step; the way to the finish passes the cell once
        assert 0.4 * g**4 / (1 - g**2) == pytest.approx(g**14 * 10 + 0.4 * g**4, rel=1e-2)
    with pytest.raises(BadParameter, match="ways through it"):
        lint(grid_world(8, 0.0), discount=1.0)
    assert lint(grid_world(8, 0.4), discount=1.0, horizon=100).verdict == "exploit"


def test_constant_rewards() -> None:
    rows = [("a", "x", "b", 1.0), ("b", "x", "a", 1.0), ("b", "y", "end", 1.0)]

    def verdict(paid: float) -> str:
        made = [(*row[:3], paid) for row in rows]
        return lint(RewardSpec.from_rows(made, start="a", goals=["end"])).verdict

    assert verdict(1.0) == "exploit"  # a bonus for staying alive
    assert verdict(-1.0) == "sound"
    assert verdict(0.0) == "indifferent"


def test_worlds_without_cycles_or_without_a_way() -> None:
    straight = RewardSpec.from_rows([("a", "x", "end", -5.0)], start="a", goals=["end"])
    assert lint(straight).verdict == "sound" and lint(straight).worst is None
    rows = [("a", "x", "a", 1.0), ("b", "x", "end", 1.0)]
    assert lint(RewardSpec.from_rows(rows, start="a", goals=["end"])).verdict == "unreachable"
    pit = [("a", "x", "pit", 1.0), ("a", "y", "end", -1.0)]
    found = lint(RewardSpec.from_rows(pit, start="a", goals=["end"]))
    assert found.verdict == "exploit" and found.exploits[0].kind == "dead end"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reward": [1.0, math.nan]}, "nan in row 2"),
        ({"reward": [1.0, math.inf]}, "inf in row 2"),
        ({"state": ["a", None]}, "no value in row 2"),
        ({"probability": [1.0, 0.5]}, "probability other than 1"),
        ({"state": ["a", "a"], "action": ["x", "x"]}, "two outcomes"),
        ({"next_state": ["b", "b"]}, "'end' is in no row"),
        ({"state": [], "action": [], "next_state": [], "reward": []}, "no rows"),
        ({"action": None}, "no column 'action'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(change: dict[str, object], words: str) -> None:
    columns: dict[str, object] = {
        "state": ["a", "b"], "action": ["x", "y"], "next_state": ["b", "end"], "reward": [1.0, 2.0]
    }  # fmt: skip
    columns = {k: v for k, v in {**columns, **change}.items() if v is not None}
    with pytest.raises(BadParameter, match=words):
        RewardSpec.from_table(from_arrow(pyarrow.table(columns), COLUMNS), start="a", goals=["end"])


def test_what_makes_no_sense_is_refused() -> None:
    spec = Lagoon(4, 1.0, 10, 12.0).spec()
    for wrong in ({"discount": 0.0}, {"discount": 1.5}, {"horizon": 0}, {"discount": math.nan}):
        with pytest.raises(BadParameter):
            lint(spec, **wrong)  # type: ignore[arg-type]
    for shape in (
        (0, 1.0, 5, 1.0, 1),
        (3, 0.0, 5, 1.0, 1),
        (3, 1.0, 5, math.nan, 1),
        (3, 1, 5, 1, 4),
    ):
        with pytest.raises(BadParameter):
            Lagoon(*shape)
    with pytest.raises(BadParameter, match="outside"):
        Lagoon(4, 1.0, 10, 12.0).log_advantage(1.0)
    with pytest.raises(BadParameter, match="start is the goal"):
        RewardSpec.from_rows([("a", "x", "b", 1.0)], start="a", goals=["a"])
    with pytest.raises(BadParameter, match="no goal"):
        RewardSpec.from_rows([("a", "x", "b", 1.0)], start="a", goals=[])
    with pytest.raises(BadParameter, match="ever reaches"):
        RewardSpec.explore(lambda s, a: (s, 0.0, False), 0, [0])
    with pytest.raises(BadParameter, match="more than 10 states"):
        RewardSpec.explore(lambda s, a: (s + 1, 0.0, False), 0, [0], limit=10)


@pytest.mark.long
def test_a_million_transitions() -> None:
    n = 500_000  # a way of half a million steps to the finish
    names = [f"s{i}" for i in range(n)]
    table = pyarrow.table(
        {
            "state": names * 2,
            "action": ["on"] * n + ["round"] * n,
            "next_state": [*names[1:], "end", *["s0"] * n],
            "reward": np.concatenate([np.full(n - 1, 0.1), [1e6], np.zeros(n)]),
        }
    )
    began = time.process_time()
    spec = RewardSpec.from_table(from_arrow(table, COLUMNS), start="s0", goals=["end"])
    found = lint(spec, discount=0.9, horizon=200)
    assert (found.transitions, found.verdict) == (2 * n, "exploit")
    assert found.worst is not None and found.worst.states[-1] == "s0"
    assert time.process_time() - began < 60


def test_the_worlds_ring_begins_at_the_fork() -> None:
    spec = Lagoon(5, 3.0, 4, 2.0, targets=3).spec()
    assert spec.states[spec.start] == FORK and len(spec.states) == 9
    assert sorted(set(spec.reward.tolist())) == [0.0, 1.0, 2.0]
