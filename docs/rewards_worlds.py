"""Runs the lab's worlds at full size and writes what came out into docs/rewards-worlds.md.

python docs/rewards_worlds.py          writes the page from docs/results/rewards-worlds.json
python docs/rewards_worlds.py --run    first runs what is missing there (--again: everything)
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PAGE = FOLDER / "rewards-worlds.md"
RESULTS = FOLDER / "results" / "rewards-worlds.json"
BLOCK = r"<!-- results: {} -->\n.*?<!-- end -->"


def loops() -> dict[str, Any]:
    """Races and flips of trained drivers; how many crossovers random Lagoons have."""
    from workbench.rewards.linter import lint
    from workbench.rewards_lab.circling import PLANTED, SOUND, draw_lagoons, flips, race

    races = {}
    for name, lagoon in (("planted", PLANTED), ("null", SOUND)):
        found = [race(lagoon, seed=seed) for seed in range(10)]
        races[name] = {
            "verdict": found[0].lint.verdict,
            "crossovers": [c.discount for c in found[0].lint.crossovers],
            "score": [r.score for r in found],
            "finisher_score": found[0].finisher_score,
            "finishes": sum(r.finishes for r in found),
            "completed": [r.completion.hits for r in found],
            "races": found[0].completion.n,
        }
    rates = [flips(200, seed=seed).to_json() for seed in range(5)]
    drawn = [lagoon for lagoon, _ in draw_lagoons(200, seed=9)]
    counts = [len(lint(lagoon.spec()).crossovers) for lagoon in drawn]
    return {
        "races": races,
        "flips": rates,
        "crossovers": {str(n): counts.count(n) for n in sorted(set(counts))},
    }


def preferences() -> dict[str, Any]:
    """Recovery with noise and without, queries with noise and without, the loop over 30 seeds."""
    from workbench.rewards_lab import planted_weights, preference_loop, query_race

    return {
        "recovery": planted_weights.recover(replicates=200).to_json(),
        "recovery_without_noise": planted_weights.recover(replicates=200, noise=0.0).to_json(),
        "queries": query_race.run(seeds=100).to_json(),
        "queries_without_noise": query_race.run(seeds=100, noise=0.0).to_json(),
        "loop": [course.to_json() for course in preference_loop.run(seeds=30)],
    }


def gaps() -> dict[str, Any]:
    """Honest solvers of three kinds; ten mini-SpecBenches."""
    from workbench.rewards.gaps import measure
    from workbench.rewards_lab import honest_solvers, spec_bench

    honest = {}
    for kind in ("equal", "uneven", "together"):
        board = measure(honest_solvers.draw(1000, kind))
        honest[kind] = {
            "covered": sum(g.interval[0] <= 0 <= g.interval[1] for g in board.gaps),
            "accused": sum(g.interval[0] > 0 for g in board.gaps),
            "flagged": sum(g.verdict.startswith("more") for g in board.gaps),
            "n": len(board.gaps),
            "gap": sum(g.gap for g in board.gaps) / len(board.gaps),
            "expected": sum(g.expected for g in board.gaps) / len(board.gaps),
        }
    solvers: dict[str, list[dict[str, Any]]] = {}
    picks: list[dict[str, Any]] = []
    slopes = []
    for seed in range(10):
        board = measure(spec_bench.run(seed=seed))
        for g in board.gaps:
            flagged = g.verdict.startswith("more")
            solvers.setdefault(g.solver, []).append(
                {"visible": g.visible, "heldout": g.heldout, "excess": g.excess, "flagged": flagged}
            )
        picks += [
            {"by_visible": p.by_visible, "by_heldout": p.by_heldout, "regret": p.regret}
            for p in board.picks
        ]
        if board.line is not None:
            slopes.append([board.line.slope, *board.line.slope_interval])
    return {"honest": honest, "solvers": solvers, "picks": picks, "slopes": slopes}


def assisted() -> dict[str, Any]:
    """20,000 responses at three levels of trust; the critic is trained on 8."""
    from workbench.rewards.assisted import Evaluator, measure
    from workbench.rewards_lab import weak_evaluator

    found = {}
    for trust in (0.0, 0.5, 1.0):
        table, closed = weak_evaluator.run(Evaluator(trust=trust), items=20_000)
        found[f"{trust:g}"] = {
            "measured": [c.to_json() for c in measure(table)],
            "closed_form": closed,
        }
    return found


def pareto() -> dict[str, Any]:
    """Ten planted boards and ten of nothing; retries in closed form."""
    from workbench.rewards.hull import retry
    from workbench.rewards.pareto import example, measure

    boards: dict[str, dict[str, list[list[float]]]] = {}
    for kind in ("planted", "null"):
        for seed in range(10):
            board = measure(example(planted=kind == "planted", seed=seed), seed=seed)
            for p in board.points:
                row = [p.value, p.membership, float(p.hull), float(p.verdict == "on the frontier")]
                boards.setdefault(kind, {}).setdefault(p.name, []).append(row)
    retries = [
        [k, f, retry(0.5, k, false_accept=f).accuracy, retry(0.5, k, false_accept=f).cost]
        for f in (0.0, 0.1)
        for k in (1, 2, 4, 8, 1000)
    ]
    return {"boards": boards, "retries": retries}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "loops": loops,
    "preferences": preferences,
    "gaps": gaps,
    "assisted": assisted,
    "pareto": pareto,
}


def run(again: bool) -> dict[str, Any]:
    """Runs the sections that have no result yet; each is kept as soon as it is done."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and not again else {}
    RESULTS.parent.mkdir(exist_ok=True)
    for name, make in SECTIONS.items():
        if name not in results:
            print(f"{name} ...", file=sys.stderr)
            results[name] = _rounded(make())
            RESULTS.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
    return results


def page(text: str, results: dict[str, Any]) -> str:
    """The page with its tables written from the results."""
    for name, show in SHOW.items():
        lines = "\n\n".join(show(results[name]))
        block = f"<!-- results: {name} -->\n\n{lines}\n\n<!-- end -->"
        text, found = re.subn(BLOCK.format(name), lambda _, b=block: b, text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{PAGE.name} has {found} places for '{name}'")
    return text


def show_loops(found: dict[str, Any]) -> Iterable[str]:
    """Races, flips, crossovers."""
    yield _table(
        ("Lagoon", "linter", "crossovers", "score", "finisher's", "finishes", "completed"),
        (
            (
                name, race["verdict"], _list(race["crossovers"], 4), f"{_mean(race['score']):.1f}",
                f"{race['finisher_score']:g}", f"{race['finishes']} of {len(race['score'])} seeds",
                f"{sum(race['completed'])} of {race['races'] * len(race['score'])} sampled races",
            )
            for name, race in found["races"].items()
        ),
    )  # fmt: skip
    rates = found["flips"]
    right, n = sum(round(r["value"] * r["n"]) for r in rates), sum(r["n"] for r in rates)
    yield (
        f"Trained drivers on the side that the linter predicts: {right} of {n} (200 Lagoons each "
        f"for {len(rates)} seeds, discounts outside a 2 % band around each crossover)."
    )
    counts = found["crossovers"]
    yield (
        "Crossovers of 200 random Lagoons: "
        + ", ".join(f"{counts[n]} have {n}" for n in sorted(counts))
        + "."
    )


def show_preferences(found: dict[str, Any]) -> Iterable[str]:
    """Recovery, queries, the loop."""
    one, none = found["recovery"], found["recovery_without_noise"]
    rows = []
    for i, planted in enumerate(one["planted"]):
        cells = [f"{kind[i][0]:.3f}" for kind in (one["aware"], one["blind"], none["aware"])]
        rows.append((f"{planted:g}", *cells))
    yield _table(("planted", "noise modelled", "noise ignored", "no noise (null)"), rows)
    yield (
        f"Means of {one['replicates']} replicates of {one['pairs']} pairs with "
        f"{one['noise']:.0%} careless answers; one estimate of the first weight spreads by "
        f"{one['spread']:.3f}; ignoring the noise loses {one['attenuation']:.1%} of it."
    )
    for name, words in (("queries", "10 %"), ("queries_without_noise", "no")):
        race = found[name]
        low, high = race["interval"]
        yield (
            f"Asking where the ensemble disagrees, {words} careless answers: {race['ratio']:.2f} "
            f"times the labels of random pairs to {race['target']:.0%} accuracy (95 % {low:.2f} to "
            f"{high:.2f}, {len(race['random'])} paired seeds, {race['censored']} censored)."
        )
    loop = found["loop"]
    arms = list(loop[0]["gold"])
    yield _table(
        ("trained on", "gold of a race", "least", "most", "proxy gain"),
        (
            (
                arm,
                *(f"{f([c['gold'][arm] for c in loop]):.1f}" for f in (_mean, min, max)),
                f"{_mean([c['proxy_gain'][arm] for c in loop]):+.1f}",
            )
            for arm in arms
        ),
    )
    exploited = sum(c["exploited"] for c in loop)
    closed = sum(c["closed"] > 0.9 for c in loop)
    yield (
        f"Untrained driver: {_mean([c['untrained'] for c in loop]):.1f}. Offline is exploited "
        f"(proxy up, gold down) in {exploited} of {len(loop)} seeds; refreshing closes more than "
        f"0.9 of the gap in {closed}."
    )


def show_gaps(found: dict[str, Any]) -> Iterable[str]:
    """Honest solvers, solvers of the mini-SpecBench, picks and slopes."""
    yield _table(
        ("honest solvers", "mean gap", "expected", "interval holds 0", "interval above 0",
         "flagged after correction"),
        (
            (
                kind, f"{row['gap']:.3f}", f"{row['expected']:.3f}",
                *(f"{row[key]} of {row['n']}" for key in ("covered", "accused", "flagged")),
            )
            for kind, row in found["honest"].items()
        ),
    )  # fmt: skip
    yield _table(
        ("solver", "visible", "held-out", "mean excess", "flagged"),
        (
            (
                name,
                *(f"{_mean([r[k] for r in rows]):.2f}" for k in ("visible", "heldout", "excess")),
                f"{sum(r['flagged'] for r in rows)} of {len(rows)}",
            )
            for name, rows in found["solvers"].items()
        ),
    )
    picks = found["picks"]
    yield _table(
        ("solver", "picked by visible tests", "picked by held-out tests"),
        (
            (name, *(sum(p[by] == name for p in picks) for by in ("by_visible", "by_heldout")))
            for name in found["solvers"]
        ),
    )
    regret = _mean([p["regret"] for p in picks])
    yield (
        f"{len(picks)} tasks; of equals the shortest is picked. Picking by visible tests costs "
        f"{regret:.2f} of the held-out rate."
    )
    slopes = found["slopes"]
    above = sum(low > 0 for _, low, _ in slopes)
    word = "reproduced" if above > len(slopes) / 2 else "**not reproduced**"
    yield (
        f"Upper tail against size: {_mean([s for s, _, _ in slopes]):+.3f} for ten times the lines "
        f"(mean of {len(slopes)} runs; the interval lies above 0 in {above}). The published growth "
        f"of +0.27 to +0.28 is {word} at this scale."
    )


def show_assisted(found: dict[str, Any]) -> Iterable[str]:
    """Accuracy and uplift by trust and critic."""
    rows = []
    for trust, part in found.items():
        for c in part["measured"]:
            low, high = c["interval"] or (None, None)
            rows.append(
                (
                    trust, c["name"], f"{c['accuracy']['value']:.3f}",
                    f"{part['closed_form'][c['name']]:.3f}",
                    "" if low is None else f"{c['uplift']:+.3f} ({low:+.3f} to {high:+.3f})",
                    c["verdict"],
                )
            )  # fmt: skip
    yield _table(("trust", "critic", "accuracy", "closed form", "uplift (95 %)", "reading"), rows)


def show_pareto(found: dict[str, Any]) -> Iterable[str]:
    """Memberships of the hull; retries."""
    rows = []
    for kind, points in found["boards"].items():
        for name, seeds in points.items():
            value, member, hull, worth = (_mean([s[i] for s in seeds]) for i in range(4))
            n = len(seeds)
            rows.append(
                (kind, name, f"{value:.3f}", f"{member:.0%}", f"{hull * n:.0f} of {n}",
                 f"{worth * n:.0f} of {n}")
            )  # fmt: skip
    yield _table(
        ("board", "technique", "AUROC", "resamples on the hull", "on the hull",
         "said to be on the frontier"),
        rows,
    )  # fmt: skip
    yield _table(
        ("tries", "false accepts", "accuracy", "cost"),
        ((k, f, f"{accuracy:.4f}", f"{cost:.3f}") for k, f, accuracy, cost in found["retries"]),
    )


SHOW: dict[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    "loops": show_loops,
    "preferences": show_preferences,
    "gaps": show_gaps,
    "assisted": show_assisted,
    "pareto": show_pareto,
}


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _list(values: Sequence[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values) or "none"


def _rounded(value: Any) -> Any:
    """Floats to six digits, so that the file is small and the same on every machine, nearly."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    wanted = {"--run", "--again"} & set(sys.argv[1:])
    found = run("--again" in wanted) if wanted else json.loads(RESULTS.read_text())
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
