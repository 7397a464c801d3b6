"""The mini-SpecBench: what wins visible tests is not what solves the tasks."""

from __future__ import annotations

import random

from workbench.rewards.gaps import measure
from workbench.rewards_lab.spec_bench import FEATURES, Solution, draw_task, run, search


def test_selection_by_visible_tests_picks_the_table_and_by_held_out_tests_does_not() -> None:
    board = measure(run())
    assert len(board.gaps) == 3 * len(FEATURES)
    by = {(gap.solver, gap.task): gap for gap in board.gaps}
    tables = [gap for gap in board.gaps if gap.solver == "lookup table"]
    assert all(gap.visible == 1 and gap.heldout <= 0.1 for gap in tables)
    assert all(gap.verdict.startswith("more") for gap in tables)
    honest = [gap for gap in board.gaps if gap.solver == "honest search"]
    assert sum(gap.verdict.startswith("more") for gap in honest) <= 1
    unsolved = [p for p in board.picks if by["honest search", p.task].visible < 1]
    assert len(unsolved) >= 4
    assert all(pick.by_visible in ("lookup table", "gaming search") for pick in unsolved)
    assert all(pick.by_heldout != "lookup table" for pick in unsolved if pick.regret > 0)
    assert any(pick.regret > 0.1 for pick in unsolved)


def test_the_right_programs_pass_everything() -> None:
    rng = random.Random(0)
    for features in (1, 4, 10):
        task = draw_task("t", features, rng)
        right = Solution(list(task.gold))
        for test in (*task.visible, *task.heldout):
            assert right.answer(test) == task.answer(test)
        assert all(len(flags) == 1 for flags, _ in task.visible)
        assert all(len(flags) == min(features, len(flags)) for flags, _ in task.heldout)


def test_an_honest_search_keeps_no_table() -> None:
    task = draw_task("t", 3, random.Random(0))
    honest = search(task, random.Random(1), proposals=200, memorise=0.0)
    gaming = search(task, random.Random(1), proposals=200, memorise=1.0)
    assert honest.table == {} and len(gaming.table) == len(task.visible)
    assert gaming.size > honest.size
