import pytest

from workbench.benchmark import figures
from workbench.benchmark.figures import Entrant


def rate(hits, n=10):
    value = hits / n
    return {"value": value, "n": n, "ci": [max(0.0, value - 0.2), min(1.0, value + 0.2)]}


def entrant(name, seconds, hits, alarms=None):
    return Entrant(name, seconds, rate(hits), alarms and rate(alarms))


BOARD = [entrant("a", 2, 5), entrant("b", 1, 5), entrant("c", 9, 8), entrant("d", 20, 7)]


def test_the_front_holds_what_nothing_cheaper_beats():
    assert [one.name for one in figures.front(BOARD)] == ["b", "c"]
    assert [one.name for one in figures.front([entrant("e", 1, 0)])] == []
    tie = [entrant("x", 3, 4), entrant("y", 3, 6)]
    assert [one.name for one in figures.front(tie)] == ["y"]


def test_the_title_says_who_finds_most_and_at_what_cost():
    ranked = figures._ranked(BOARD)
    assert [one.name for one in ranked] == ["c", "d", "b", "a"]
    assert figures.told(ranked, "hit") == "c hit 8 of 10 in 9.0 s"
    tie = figures._ranked([entrant("x", 3, 6), entrant("y", 2, 6)])
    assert figures.told(tie, "solved") == "y solved 6 of 10 in 2.0 s, the cheapest of 2 that do"
    assert figures.told([entrant("e", 1, 0)], "hit") == "None hit anything"
    assert figures.told([], "hit") == "None hit anything"


def test_both_rates_are_drawn_with_intervals_and_hostile_names_are_inert():
    hostile = entrant("<b>x</b>", 0.0, 9, alarms=1)
    line, alarms, found = figures.costs([hostile, *BOARD], "median seconds", "hit")["data"]
    assert line["x"] == [figures.LEAST_SECONDS] and line["y"] == [0.9]
    assert alarms["y"] == [0.1] and alarms["marker"]["color"] == "@control"
    assert found["y"][0] == 0.9 and found["text"][0] == "&lt;b&gt;x&lt;/b&gt;"
    assert found["text"][1:] == [""] * 4
    sides = dict(zip(found["x"], found["textposition"], strict=True))
    assert sides[figures.LEAST_SECONDS] == "top right" and sides[20] == "top left"
    assert found["error_y"]["array"][0] == pytest.approx(0.1)
    assert found["error_y"]["arrayminus"][0] == pytest.approx(0.2)


def test_who_never_came_to_an_end_is_left_out():
    ran = {"hits": rate(1), "false_alarms": None, "median_seconds": 3.0}
    never = {"hits": None, "false_alarms": rate(0), "median_seconds": None}
    (one,) = figures.techniques(
        {"techniques": {"ran": ran, "never": never, "(any technique)": ran}}
    )
    assert one.name == "ran" and one.alarms is None
    cost = {"median_cpu_seconds": 4.0}
    solved = {"solved": rate(2), "false_accusations": rate(0), "cost": cost}
    unsolved = {"solved": rate(2), "false_accusations": None, "cost": {"median_cpu_seconds": None}}
    (auditor,) = figures.auditors({"auditors": {"one": solved, "two": unsolved}})
    assert auditor.seconds == 4.0 and auditor.alarms["value"] == 0


def test_reliability_has_a_point_a_bin_and_the_even_line():
    bins = [{"confidence": 0.9, "right": rate(5)}, {"confidence": 0.2, "right": rate(2)}]
    even, points = figures.reliability({"reliability": {"bins": bins}})["data"]
    assert even["x"] == even["y"] == [0, 1]
    assert points["x"] == [0.9, 0.2] and points["y"] == [0.5, 0.2]
