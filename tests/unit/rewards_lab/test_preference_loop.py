"""A reward learned once is exploited, a refreshed one is not; queries are compared fairly."""

from __future__ import annotations

import pytest

from workbench.rewards_lab import query_race
from workbench.rewards_lab.preference_loop import ARMS, FEATURES, run


def test_offline_is_exploited_and_refreshing_closes_the_gap_in_five_seeds_of_five() -> None:
    found = run(seeds=5)
    assert [course.seed for course in found] == [0, 1, 2, 3, 4]
    for course in found:
        assert course.exploited
        assert course.proxy_gain["offline"] > 0 > course.gold_gain["offline"]
        assert course.closed > 0.9 and course.finished["online"] > 0.9
        # the null version: the same labels on a film that leaves nothing out
        assert course.gold_gain["offline, wide film"] > 0
        assert course.gold["offline, wide film"] > 0.9 * course.gold["gold"]
        assert set(course.gold) == set(ARMS)
        # what no film showed has no weight
        assert course.weights["offline"][FEATURES.index("moved on the ring")] == 0
        assert course.weights["online"][FEATURES.index("moved on the ring")] < -0.5


def test_queries_are_paired_by_seed() -> None:
    found = query_race.run(seeds=3)
    assert len(found.disagreement) == len(found.random) == 3 and found.censored == 0
    assert found.ratio is not None and found.interval is not None
    assert found.interval[0] < found.ratio < found.interval[1]
    again = query_race.run(seeds=1)
    assert again.random == found.random[:1] and again.disagreement == found.disagreement[:1]


def test_seeds_that_do_not_arrive_are_counted() -> None:
    found = query_race.run(seeds=2, most=10)
    assert (found.ratio, found.interval, found.censored) == (None, None, 2)
    assert found.random == (None, None)


@pytest.mark.science
def test_the_exploitation_does_not_hang_on_the_first_seeds() -> None:
    found = run(seeds=20, first_seed=100)
    assert sum(course.exploited for course in found) >= 19
    assert sum(course.closed > 0.9 for course in found) >= 18
