"""Writes the result tables of docs/rewards.md from docs/rewards/*.json.

With --run it first runs the acceptance checks (about 10 minutes on two cores) into
docs/rewards/checks.json. The sweep is made by
`workbench rewards overoptimize --train --full --out docs/rewards/sweep.json`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "rewards.md"
CHECKS = PAGE.parent / "rewards/checks.json"
SWEEP = PAGE.parent / "rewards/sweep.json"
RUN = ("meter_coverage", "form_choice", "tail_coverage", "goodhart_table", "trained_scan")


def run() -> None:
    """Runs every check that takes minutes, and keeps what it returned."""
    from workbench.rewards_lab import checks

    found = {}
    for name in RUN:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = getattr(checks, name)()
    # 200 replicates cannot tell 93 % from 95 %
    found["tail_coverage_longer"] = checks.tail_coverage(1000, ("exponential",))
    CHECKS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def page(text: str) -> str:
    """The page with the tables of today between its markers."""
    from workbench.rewards_lab.results import read_sweep, summary

    checks = json.loads(CHECKS.read_text("utf-8"))
    told = summary(read_sweep(SWEEP))
    tables = {
        "meter": _meter(checks["meter_coverage"]),
        "forms": _forms(checks["form_choice"]),
        "sweep": _sweep(told),
        "tails": [*_tails(checks["tail_coverage"]), *_longer(checks["tail_coverage_longer"])],
        "goodhart": _goodhart(checks["goodhart_table"]),
        "scan": _scan(checks["trained_scan"]),
    }
    for name, rows in tables.items():
        made = "\n".join(rows)
        text, times = re.subn(
            rf"(<!-- results: {name} -->\n).*?(<!-- end -->)",
            lambda match, made=made: f"{match[1]}{made}\n{match[2]}",
            text,
            flags=re.DOTALL,
        )
        if times != 1:
            raise ValueError(f"the page has {times} places for '{name}'")
    return text


def _meter(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"The exact value ({found['exact']:.3f}) lay in the 95 % interval in {found['covered']} of "
        f"{found['replicates']} replicates ({found['covered'] / found['replicates']:.1%})."
    )


def _forms(found: dict[str, Any]) -> Iterator[str]:
    yield "| data from | verdicts | fitted a | fitted b |\n|---|---|---|---|"
    for name, row in found.items():
        verdicts = ", ".join(f"{v} {n}" for v, n in row["verdicts"].items())
        a_b = row["a_b"] and [f"{v:.4f}" for v in row["a_b"]]
        yield f"| {name} | {verdicts} | {a_b[0] if a_b else ''} | {a_b[1] if a_b else ''} |"


def _sweep(told: dict[str, Any]) -> Iterator[str]:
    effect = told["size_effect"]
    low, high = effect["ci"]
    yield (
        f"A larger proxy reaches more gold: **{effect['verdict']}** (Spearman's rho "
        f"{effect['rho']:.2f}, 95 % {low:.2f} to {high:.2f}, {effect['seeds']} seeds). The highest "
        f"that any point lies above its frontier: {told['above_frontier']:.1e} (rounding).\n"
    )
    yield "| hidden | comparisons | wrong labels | optimiser | accuracy | peak gold | at KL |"
    yield "|---|---|---|---|---|---|---|"
    for row in told["rows"]:
        if row["optimiser"] == "best-of-n":
            yield _cells(row)
    yield "\n| hidden | comparisons | wrong labels | RL | accuracy | peak gold | at KL | last |"
    yield "|---|---|---|---|---|---|---|---|\n" + "\n".join(
        f"{_cells(row)} {row['last_gold']:.2f} |"
        for row in told["rows"]
        if row["optimiser"].startswith("rl")
    )
    short = [r["below_frontier"] for r in told["rows"] if r["optimiser"].startswith("rl")]
    yield (
        f"\nRL ends {min(short):.3f} to {max(short):.3f} base standard deviations of proxy reward "
        "below the frontier at its own KL."
    )


def _cells(row: dict[str, Any]) -> str:
    return (
        f"| {row['hidden']} | {row['comparisons']} | {row['noise']:.0%} | {row['optimiser']} | "
        f"{row['accuracy']:.3f} | {row['peak_gold']:.2f} | {row['peak_kl']:.2f} |"
    )


def _tails(found: dict[str, Any]) -> Iterator[str]:
    yield "| law | n | true xi | mean xi | sd | covered | mean Hill |\n" + "|---" * 7 + "|"
    for name, row in found.items():
        true = "" if row["true"] is None else f"{row['true']:.3f}"
        covered = "" if row["covered"] is None else f"{row['covered']} of {row['replicates']}"
        yield (
            f"| {name} | {row['n']:,} | {true} | {row['xi']:.3f} | {row['sd']:.3f} | {covered} | "
            f"{row['hill']:.3f} |"
        )


def _longer(found: dict[str, Any]) -> Iterator[str]:
    for name, row in found.items():
        yield (
            f"\nWith {row['replicates']:,} replicates, {name}: covered {row['covered']} "
            f"({row['covered'] / row['replicates']:.1%})."
        )


def _goodhart(found: dict[str, Any]) -> Iterator[str]:
    ns = next(iter(found.values()))["n"]
    yield f"| error | {' | '.join(f'N = {n:,}' for n in ns)} |\n|---|{'---|' * len(ns)}"
    for name, row in found.items():
        cells = [f"{g:.2f} ± {e:.2f}" for g, e in zip(row["gold"], row["se"], strict=True)]
        yield f"| {name} | {' | '.join(cells)} |"
        yield f"| {name}, other rerun | {' | '.join(f'{v:.2f}' for v in row['published'])} |"


def _scan(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{found['models']} trained models: slope of estimated on planted effect "
        f"{found['slope']:.3f}; recall {found['recall']:.2f} of the {found['above_4_se']} planted "
        f"effects measured above 4 standard errors; median planted effect "
        f"{found['planted']:.2f}, median effect of tokens that nobody planted "
        f"{found['unplanted']:.2f}, of which {found['unplanted_flagged']:.0%} are flagged."
    )


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        run()
    PAGE.write_text(page(PAGE.read_text("utf-8")), encoding="utf-8")
