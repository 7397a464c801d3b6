from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from typing import Any, ClassVar

import pytest

from workbench.access import Access
from workbench.errors import AccessDenied, BadParameter, BrokenTechnique
from workbench.findings import Finding
from workbench.technique import Trials, make, told

FOUND = Finding("something", 0.5)


@dataclasses.dataclass(frozen=True)
class Fussy:
    """Refuses parameters in every way."""

    name: ClassVar[str] = "fussy"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.NONE
    uses: ClassVar[Access] = Access.NONE

    how: str = "ValueError"

    def __post_init__(self) -> None:
        if self.how == "AccessDenied":
            raise AccessDenied("not for you", hint="Ask.")
        raise {"ValueError": ValueError, "KeyError": KeyError, "OSError": OSError}[self.how]("so")

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        yield FOUND


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("ValueError", BadParameter),
        ("KeyError", BrokenTechnique),
        ("OSError", BrokenTechnique),
        ("AccessDenied", AccessDenied),
    ],
)
def test_whatever_a_plugin_raises_on_its_parameters_is_two_lines(how: str, kind: type) -> None:
    with pytest.raises(kind) as caught:
        make(Fussy, {"how": how})
    assert type(caught.value) is kind


def counting() -> Generator[Finding, None, Trials]:
    yield FOUND
    return Trials(planned=5, ran=4, errored=1)


def test_what_a_run_returns_comes_beside_its_findings() -> None:
    trials: dict[str, int] = {}
    assert list(told(counting(), trials)) == [FOUND]
    assert trials == {"planned": 5, "ran": 4, "errored": 1, "refused": 0, "unscored": 0}
    trials = {}
    assert list(told(iter([FOUND]), trials)) == [FOUND]
    assert trials == {}


@pytest.mark.parametrize("ran", [-1, 1.0, True])
def test_trials_are_whole_numbers(ran: Any) -> None:
    with pytest.raises(BadParameter):
        Trials(planned=1, ran=ran)
