"""Jobs come in an order that needs allow, and one that is killed leaves the rest."""

from __future__ import annotations

import os
import signal

import pytest

from workbench.benchmark.jobs import outcomes
from workbench.errors import ConfigError


def work(number: int, how: str) -> int:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "refused":
        raise ConfigError("not this one", hint="another")
    return number


@pytest.mark.usefixtures("at_once")
def test_needs_come_first_and_what_needs_a_failure_never_comes() -> None:
    begun: list[int] = []
    made = outcomes(
        work,
        {1: (1, ""), 2: (2, ""), 3: (3, "refused"), 4: (4, ""), 5: (5, "")},
        2,
        after={1: [2], 4: [3], 5: [4, 99]},
        started=begun.append,
    )
    assert set(made) == {(1, 1, None), (2, 2, None), (3, None, "not this one")}
    assert begun == [2, 3, 1]


def test_one_that_is_killed_leaves_the_rest() -> None:
    made = {n: why for n, _, why in outcomes(work, {1: (1, "killed"), 2: (2, ""), 3: (3, "")}, 1)}
    assert "BrokenProcessPool" in str(made.pop(1)) and made == {2: None, 3: None}
