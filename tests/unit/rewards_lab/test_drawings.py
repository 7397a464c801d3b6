"""What is drawn of a race says what happened in it."""

from __future__ import annotations

from workbench.rewards.charts import Chart
from workbench.rewards_lab.circling import PLANTED, SOUND, race
from workbench.rewards_lab.drawings import races


def test_a_circling_and_a_finishing_driver() -> None:
    circling, straight = races((("planted", race(PLANTED)), ("null", race(SOUND))))
    assert isinstance(circling, Chart) and isinstance(straight, Chart)
    assert "never finishes" in circling.title and "the trained driver finishes" in straight.title
    trained, scripted = circling.series
    assert min(trained.y) == 1 - PLANTED.lap_time and max(trained.y) == 0
    assert scripted.control and scripted.y == tuple(range(PLANTED.finish_distance + 1))
    assert straight.series[0].y == straight.series[1].y
