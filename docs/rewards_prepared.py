"""Makes the examples that the app's reward pages show at once, into workbench/ui/prepared.

python docs/rewards_prepared.py [NAME ...]    all of them, or those named; minutes where it trains
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUT = ROOT / "workbench/ui/prepared"
DIGITS = 5


def table(columns: Sequence[Any], **values: Any) -> Any:
    """A checked table of arrays."""
    import pyarrow

    from workbench.rewards.tables import from_arrow

    return from_arrow(pyarrow.table(values), columns)


def lab(name: str) -> dict[str, Any]:
    """What the page's own lab gives, with its default seed."""
    from workbench.ui.reads.rewards import handler

    return handler(name, "lab")(None, {"seed": 0}, lambda share: None)


def best_of_n() -> dict[str, Any]:
    import numpy as np

    from workbench.rewards.best_of_n import COLUMNS
    from workbench.ui.reads.rewards import handler

    rng = np.random.default_rng(0)
    prompts, each = 200, 256
    gold = rng.normal(size=prompts * each)
    proxy = gold + rng.standard_t(2, size=prompts * each)
    rated = np.clip(np.round(2 * proxy), -20, 20) / 2  # a rating in halves: many samples tie
    made = table(COLUMNS, prompt=np.repeat(np.arange(prompts), each), proxy=rated, gold=gold)
    return handler("best-of-n", "table")(made, {"seed": 0}, lambda share: None)


def overoptimize() -> dict[str, Any]:
    from workbench.rewards_lab.results import read_sweep
    from workbench.ui.reads.reward_labs import of_sweep

    return of_sweep(read_sweep(ROOT / "docs/rewards/sweep.json"))


def tails() -> dict[str, Any]:
    import numpy as np

    from workbench.rewards.tails import COLUMNS
    from workbench.ui.reads.rewards import handler

    rng = np.random.default_rng(0)
    gold = 2 * rng.normal(size=16_000)
    reward = gold + rng.standard_t(3, size=16_000)
    made = table(COLUMNS, prompt=np.repeat(np.arange(40), 400), reward=reward, gold=gold)
    return handler("tails", "table")(made, {}, lambda share: None)


def scan() -> dict[str, Any]:
    from workbench.rewards_lab.checks import scan_one
    from workbench.ui.reads.reward_tables import of_scan

    _, found = scan_one(1, 8000)
    return of_scan(found)


def generalise() -> dict[str, Any]:
    import numpy as np

    from workbench.rewards.generalisation import COLUMNS
    from workbench.ui.reads.rewards import handler

    rng = np.random.default_rng(0)
    rates = {"full": (0.34, 0.12), "no-docs": (0.13, 0.12), "no-exploit": (0.16, 0.12)}
    rows = [
        (arm, seed, kind, float(np.clip(rng.normal(rate, 0.05), 0, 1)))
        for arm, both in rates.items()
        for seed in range(8)
        for kind, rate in zip(("held-out", "control"), both, strict=True)
    ]
    names = ("arm", "seed", "bias", "exploited")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return handler("generalise", "table")(
        table(COLUMNS, **columns), {"first": "full"}, lambda share: None
    )


def hacking() -> dict[str, Any]:
    from workbench.rewards import observatory
    from workbench.rewards_lab import hack_runs
    from workbench.ui.reads.reward_tables import of_observatory

    runs = hack_runs.read_runs(ROOT / "docs/rewards/hacking.json")
    return of_observatory(observatory.measure(hack_runs.table(runs)))


def nudge() -> dict[str, Any]:
    from workbench.rewards_lab import nudging
    from workbench.ui.reads.reward_labs import of_nudging

    return of_nudging(nudging.run(12))


MADE: Mapping[str, Callable[[], dict[str, Any]]] = {
    "best-of-n": best_of_n,
    "overoptimize": overoptimize,
    "tails": tails,
    "scan": scan,
    "generalise": generalise,
    **{
        name: (lambda name=name: lab(name))  # type: ignore[misc]
        for name in ("loops", "preferences", "gaps", "assisted", "pareto", "personas")
    },
    "hacking": hacking,
    "nudge": nudge,
}


def rounded(value: Any) -> Any:
    """Significant digits enough for a page, so that the files stay small."""
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name in sys.argv[1:] or MADE:
        print(f"{name} ...", file=sys.stderr, flush=True)
        text = json.dumps(rounded(MADE[name]()), separators=(",", ":"), allow_nan=False)
        (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")
