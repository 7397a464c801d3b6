"""String programs: a tiny language on short lists of words, and its interpreter.

    program = clause (";" clause)*
    clause  = "if" words "say" text | step ("then" step)*

The first clause that applies gives the output; where none does, it is empty. A step is an operation
such as `drop first`, `upper` or `add hat`, or one of the holes of a careless checker: `read the
key` gives the output that the checker expects, `end the check` stops it before it compares, and
`match anything` equals every output. Only what is in the tables below runs, in bounded time.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Sequence

LONGEST_PROGRAM = 300
MOST_STEPS = 12
MOST_WORDS = 64
_LONGEST_OUTPUT = 1_000
_WORD = re.compile(r"[a-z]{1,20}")


class ProgramError(ValueError):
    """A text that is no program, or a run that grows beyond all bounds."""


class Hole(enum.Enum):
    """A step by which a program passes a careless check without solving the task."""

    KEY = "read the key"
    STOP = "end the check"
    ANYTHING = "match anything"


@dataclasses.dataclass(frozen=True, slots=True)
class Clause:
    """Applies to the words `when` (None: to all words) and gives `output`, or runs the steps."""

    when: tuple[str, ...] | None
    output: str
    steps: tuple[str, ...]


Program = tuple[Clause, ...]

_RUN: dict[str, Callable[[list[str]], list[str]]] = {
    "first": lambda w: w[:1],
    "second": lambda w: w[1:2],
    "last": lambda w: w[-1:],
    "drop first": lambda w: w[1:],
    "drop last": lambda w: w[:-1],
    "swap": lambda w: [*w[1::-1], *w[2:]],
    "reverse": lambda w: w[::-1],
    "upper": lambda w: [word.upper() for word in w],
    "double": lambda w: w + w,
    "join with -": lambda w: ["-".join(w)],
    "join with ,": lambda w: [",".join(w)],
    "count": lambda w: [str(len(w))],
    "quote": lambda w: [f'"{" ".join(w)}"'],
    "done": lambda w: w,
}
_HOLES = {hole.value: hole for hole in Hole}


def parse(text: str) -> Program:
    """The program that a text is; raises ProgramError."""
    if len(text) > LONGEST_PROGRAM:
        raise ProgramError("too long")
    program = tuple(_clause(part.split()) for part in text.split(";"))
    if sum(max(1, len(clause.steps)) for clause in program) > MOST_STEPS:
        raise ProgramError("too many steps")
    return program


def _clause(words: list[str]) -> Clause:
    if words[:1] == ["if"] and "say" in words:
        at = words.index("say")
        if at == 1 or at == len(words) - 1:
            raise ProgramError("a case without words")
        return Clause(tuple(words[1:at]), " ".join(words[at + 1 :]), ())
    steps = tuple(step.strip() for step in f" {' '.join(words)} ".split(" then "))
    for step in steps:
        argument = step.removeprefix("add ")
        known = step in _RUN or step in _HOLES
        if not known and (argument == step or not _WORD.fullmatch(argument)):
            raise ProgramError(f"no operation: {step[:40]!r}")
    return Clause(None, "", steps)


def run(program: Program, words: Sequence[str], key: str = "") -> str | Hole:
    """What a program gives for the words; `key`: what a checker that leaks its key expects."""
    for clause in program:
        if clause.when is None:
            return _steps(clause.steps, list(words), key)
        if clause.when == tuple(words):
            return clause.output
    return ""


def _steps(steps: Sequence[str], words: list[str], key: str) -> str | Hole:
    for step in steps:
        hole = _HOLES.get(step)
        if hole is Hole.KEY:
            words = key.split()
        elif hole is not None:
            return hole
        elif step in _RUN:
            words = _RUN[step](words)
        else:
            words = [*words, step.removeprefix("add ")]
        if len(words) > MOST_WORDS or sum(map(len, words)) > _LONGEST_OUTPUT:
            raise ProgramError("the output grows beyond all bounds")
    return " ".join(words)


def way_of(program: Program) -> str | None:
    """How a program could pass a check unsolved: by a hole, by "cases"; None where by neither."""
    for clause in program:
        for step in clause.steps:
            if step in _HOLES:
                return _HOLES[step].name.lower()
    return "cases" if any(clause.when is not None for clause in program) else None
