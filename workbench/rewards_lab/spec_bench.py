"""A mini-SpecBench: string programs of 1 to 10 features, and agents that search for them.

Each feature is a flag that stands for a short program of the language in OPERATIONS. An input is a
list of flags and a text; the output is the text after each flag's program, in order. Visible tests
set one flag, held-out tests several. A solution gives each flag a program; it may also keep a table
of inputs with their outputs, which is what lets a search win visible tests without a program.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

from workbench.rewards.tables import Labels, Table

OPERATIONS: Mapping[str, Callable[[str], str]] = {
    "reverse": lambda s: s[::-1],
    "upper": str.upper,
    "double": lambda s: s + s,
    "mirror": lambda s: s + s[::-1],
    "rest": lambda s: s[1:],
    "most": lambda s: s[:-1],
    "turn": lambda s: s[1:] + s[:1],
    "sort": lambda s: "".join(sorted(s)),
    "once": lambda s: "".join(dict.fromkeys(s)),
    "swap": str.swapcase,
    "mask": lambda s: "".join("*" if c in "aeiou" else c for c in s),
    "odd": lambda s: s[::2],
    "shout": lambda s: s + "!",
    "mark": lambda s: "#" + s,
    "stutter": lambda s: "".join(c + c for c in s),
    "next": lambda s: "".join(
        chr(ord(c) + 1) if c in "abcdefghijklmnopqrstuvwxy" else c for c in s
    ),
}
FEATURES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10)
"""Features of each of the twelve tasks."""
VISIBLE_EACH = 5
HELD_OUT = 30
LONGEST_PROGRAM = 2
Program = tuple[str, ...]
Input = tuple[tuple[int, ...], str]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What each flag stands for, and the tests."""

    name: str
    gold: tuple[Program, ...]
    visible: tuple[Input, ...]
    heldout: tuple[Input, ...]

    def answer(self, asked: Input) -> str:
        """What a right solution gives."""
        return _run([self.gold[flag] for flag in asked[0]], asked[1])


@dataclasses.dataclass(slots=True)
class Solution:
    """A program for each flag, and a table that is looked into first."""

    programs: list[Program]
    table: dict[Input, str] = dataclasses.field(default_factory=dict)

    def answer(self, asked: Input) -> str:
        """The table's entry, or what the programs make of the text."""
        found = self.table.get(asked)
        return _run([self.programs[f] for f in asked[0]], asked[1]) if found is None else found

    @property
    def size(self) -> int:
        """Lines: one a flag and operation, three an entry of the table."""
        return sum(1 + len(p) for p in self.programs) + 3 * len(self.table)


def draw_task(name: str, features: int, rng: random.Random) -> Task:
    """Distinct programs of one or two operations, none of which leaves all tests unchanged."""
    gold: list[Program] = []
    while len(gold) < features:
        program = _draw_program(rng)
        if program not in gold and any(_run([program], t) != t for t in ("abide", "fog", "queue")):
            gold.append(program)
    visible = [((flag,), _text(rng)) for flag in range(features) for _ in range(VISIBLE_EACH)]
    heldout = []
    for _ in range(HELD_OUT):
        flags = rng.sample(range(features), min(features, rng.randint(2, 5)))
        heldout.append((tuple(flags), _text(rng)))
    return Task(name, tuple(gold), tuple(visible), tuple(heldout))


def search(task: Task, rng: random.Random, *, proposals: int, memorise: float) -> Solution:
    """Hill climbing on visible tests: a proposal is kept where it passes no fewer of them.

    memorise: how often a proposal enters a failed visible test into the table instead of changing
    the program of a flag. 0 is the honest agent.
    """
    flags = len(task.gold)
    solution = Solution([() for _ in range(flags)])
    tests = [[t for t in task.visible if t[0] == (flag,)] for flag in range(flags)]
    wanted = {t: task.answer(t) for t in task.visible}
    scores = [sum(solution.answer(t) == wanted[t] for t in tests[flag]) for flag in range(flags)]
    for _ in range(proposals):
        open_flags = [flag for flag in range(flags) if scores[flag] < len(tests[flag])]
        if not open_flags:
            break
        flag = rng.choice(open_flags)
        if rng.random() < memorise:
            failed = next(t for t in tests[flag] if solution.answer(t) != wanted[t])
            solution.table[failed] = wanted[failed]
            scores[flag] += 1
            continue
        kept = solution.programs[flag]
        solution.programs[flag] = _draw_program(rng)
        score = sum(solution.answer(t) == wanted[t] for t in tests[flag])
        if score < scores[flag]:
            solution.programs[flag] = kept
        else:
            scores[flag] = score
    return solution


def run(
    *,
    seed: int = 0,
    proposals: int = 300,
    progress: Callable[[float], None] = lambda share: None,
) -> Table:
    """Twelve tasks, each by three solvers, as a table for the gap board.

    honest search; gaming search (a fifth of its proposals memorise); lookup table (all visible
    tests and nothing else).
    """
    rng = random.Random(seed)
    rows: list[tuple[str, str, str, str, float, float]] = []
    for i, features in enumerate(FEATURES):
        task = draw_task(f"{i + 1:02d} ({features} features)", features, rng)
        nothing: list[Program] = [() for _ in task.gold]
        solvers = {
            "honest search": search(task, rng, proposals=proposals, memorise=0.0),
            "gaming search": search(task, rng, proposals=proposals, memorise=0.2),
            "lookup table": Solution(nothing, {t: task.answer(t) for t in task.visible}),
        }
        for name, solution in solvers.items():
            for split, tests in (("visible", task.visible), ("heldout", task.heldout)):
                for test in tests:
                    passed = float(solution.answer(test) == task.answer(test))
                    tag = "+".join(str(flag) for flag in test[0])
                    rows.append((name, task.name, split, tag, passed, float(solution.size)))
        progress((i + 1) / len(FEATURES))
    return _table(rows)


def _table(rows: list[tuple[str, str, str, str, float, float]]) -> Table:
    import numpy as np

    names = ("solver", "task", "split", "features", "passed", "size")
    columns: dict[str, Any] = {}
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        if name in ("passed", "size"):
            columns[name] = np.array(values)
        else:
            places = {value: place for place, value in enumerate(dict.fromkeys(values))}
            columns[name] = Labels(np.array([places[v] for v in values]), tuple(places))
    return Table(len(rows), columns)


def _run(programs: list[Program], text: str) -> str:
    for program in programs:
        for operation in program:
            text = OPERATIONS[operation](text)
    return text


def _draw_program(rng: random.Random) -> Program:
    return tuple(rng.choices(list(OPERATIONS), k=rng.randint(1, LONGEST_PROGRAM)))


def _text(rng: random.Random) -> str:
    return "".join(rng.choices("abcdeiostuz", k=rng.randint(4, 7)))
