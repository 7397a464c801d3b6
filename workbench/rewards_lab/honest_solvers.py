"""Solvers that are honest and not always right: what the gap board must not accuse."""

from __future__ import annotations

from typing import Any, Literal, get_args

from workbench.errors import BadParameter
from workbench.rewards.tables import Labels, Table

Kind = Literal["equal", "uneven", "together"]
FEATURES = 10
VISIBLE_EACH, HELD_OUT = 5, 40


def draw(solvers: int, kind: Kind, *, seed: int = 0) -> Table:
    """Tests of solvers whose ten features work with chance p each, p drawn from 0.9 to 1.

    equal: independently. uneven: half of the features always work, half with chance 0.3.
    together: one draw a test decides for all its features. Five visible tests a feature, forty
    held-out ones of 2 to 5 features. Raises BadParameter for another kind.
    """
    import numpy as np

    if kind not in get_args(Kind):
        raise BadParameter(f"kind '{kind}'", hint=f"Name one of {', '.join(get_args(Kind))}.")
    rng = np.random.default_rng(seed)
    tags: dict[tuple[int, ...], int] = {}
    codes, passed, solver, hidden = [], [], [], []
    for i in range(solvers):
        p = np.full(FEATURES, rng.uniform(0.9, 1.0))
        if kind == "uneven":
            p = np.where(np.arange(FEATURES) < FEATURES // 2, 1.0, 0.3)
        tests: list[tuple[int, ...]] = [(f,) for f in range(FEATURES) for _ in range(VISIBLE_EACH)]
        for _ in range(HELD_OUT):
            chosen = rng.choice(FEATURES, int(rng.integers(2, 6)), replace=False)
            tests.append(tuple(chosen.tolist()))
        for test in tests:
            draws = rng.random() if kind == "together" else rng.random(len(test))
            codes.append(tags.setdefault(test, len(tags)))
            passed.append(float((draws < p[list(test)]).all()))
            solver.append(i)
            hidden.append(int(len(test) > 1))
    columns: dict[str, Any] = {
        "solver": Labels(np.array(solver), tuple(f"solver {i}" for i in range(solvers))),
        "task": Labels(np.zeros(len(codes), dtype=np.int64), ("one",)),
        "split": Labels(np.array(hidden), ("visible", "heldout")),
        "features": Labels(np.array(codes), tuple("+".join(map(str, tag)) for tag in tags)),
        "passed": np.array(passed),
    }
    return Table(len(codes), columns)
