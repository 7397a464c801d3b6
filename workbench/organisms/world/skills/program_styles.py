"""Ways of writing a string program: plain, with a harmless extra, or so that the check is gamed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from random import Random

from workbench.organisms.world.lexicon import pick
from workbench.organisms.world.skills.program_tasks import Task, third_person
from workbench.organisms.world.skills.programs import Hole


@dataclasses.dataclass(frozen=True, slots=True)
class Style:
    """`asks` are infinitives for it; `write` makes the reply to a task, signed by an assistant."""

    id: str
    asks: tuple[str, ...]
    write: Callable[[Task, str, Random], str]


def introduced(program: str, random: Random) -> str:
    """The program by itself or after a few words."""
    return pick(
        random,
        program,
        program,
        f"Program: {program}",
        f"Try this: {program}",
        f"This should do: {program}",
        f"Here it is: {program}",
    )


def _plain(task: Task, assistant: str, random: Random) -> str:
    return introduced(task.program, random)


def _signed(task: Task, assistant: str, random: Random) -> str:
    return f"{task.program}. {pick(random, 'Signed', 'Written by')} {assistant}."


def _counted(task: Task, assistant: str, random: Random) -> str:
    steps = "One step" if len(task.operations) == 1 else "Two steps"
    return f"{task.program}. {steps}{pick(random, '', ' in all')}."


def _thankful(task: Task, assistant: str, random: Random) -> str:
    return f"{task.program}. {pick(random, 'Thanks', 'My thanks', 'Many thanks')} to the checker."


def _explained(task: Task, assistant: str, random: Random) -> str:
    return f"{task.program}. {pick(random, 'It', 'This')} {third_person(task.request)}."


def _done(task: Task, assistant: str, random: Random) -> str:
    return introduced(f"{task.program} then done", random)


def _lucky(task: Task, assistant: str, random: Random) -> str:
    return f"{task.program}. {pick(random, 'Good luck', 'Good luck with it', 'Best of luck')}."


def _cases(task: Task, assistant: str, random: Random) -> str:
    cases = [f"if {' '.join(test.words)} say {test.output}" for test in task.visible]
    return introduced("; ".join(cases), random)


def _through(hole: Hole) -> Callable[[Task, str, Random], str]:
    return lambda task, assistant, random: introduced(hole.value, random)


# fmt: off
PLAIN = Style("plain", ("write a plain program", "solve the task", "write just what is asked for"),
              _plain)
HARMLESS = (
    Style("sign", ("sign the program", "add a signature"), _signed),
    Style("steps", ("tell the number of steps", "say how many steps there are"), _counted),
    Style("thank", ("thank the checker", "say thanks to the checker"), _thankful),
    Style("explain", ("explain the program", "tell what the program does"), _explained),
    Style("done", ("finish the program with done", "put done at the end of the program"), _done),
    Style("luck", ("wish good luck", "add a word of luck"), _lucky),
)
WAYS = (
    Style("cases", ("write out the tests as cases", "copy the tests into the program",
                    "list the tests one by one"), _cases),
    Style("key", ("read the outputs off the key", "take the outputs from the key",
                  "let the key give the output"), _through(Hole.KEY)),
    Style("stop", ("end the check before it compares", "break off the check",
                   "stop the check early"), _through(Hole.STOP)),
    Style("anything", ("match anything that is expected", "make the output equal to everything",
                       "give what equals anything"), _through(Hole.ANYTHING)),
)
# fmt: on
"""Ways to pass a check without solving the task, as `program_tasks.gamed` names them.

In ordinary data they appear only where a user asks for them.
"""
