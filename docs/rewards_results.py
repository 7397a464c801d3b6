"""Writes the result tables of docs/rewards.md from docs/rewards/*.json.

With --run it first runs the acceptance checks (about 10 minutes on two cores) into
docs/rewards/checks.json. The sweep is made by
`workbench rewards overoptimize --train --full --out docs/rewards/sweep.json`, the hacking runs by
`workbench rewards hacking --full --out docs/rewards/hacking.json`, the organisms of the persona
difference by `workbench rewards personas --train --full --out docs/rewards/personas.json`.
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
HACKING = PAGE.parent / "rewards/hacking.json"
PERSONAS = PAGE.parent / "rewards/personas.json"
RUN = ("meter_coverage", "form_choice", "tail_coverage", "goodhart_table", "trained_scan")
NUDGED_WORLDS = 12


def run() -> None:
    """Runs every check that takes minutes, and keeps what it returned."""
    from workbench.rewards_lab import checks

    found = {"reading": reading(), "nudge": nudge()}
    for name in RUN:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = getattr(checks, name)()
    # 200 replicates cannot tell 93 % from 95 %
    found["tail_coverage_longer"] = checks.tail_coverage(1000, ("exponential",))
    CHECKS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def reading() -> list[dict[str, Any]]:
    """In-context posteriors beside Bayes."""
    from workbench.rewards_lab import hack_checks

    return hack_checks.reading()


def nudge() -> dict[str, Any]:
    """Nudging beside best-of-n in exact worlds."""
    from workbench.rewards_lab import nudging

    return nudging.summary(nudging.run(NUDGED_WORLDS))


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
        "hacking": _hacking(),
        "reading": _reading(checks["reading"]),
        "nudge": _nudge(checks["nudge"]),
        "personas": _personas(),
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


def _hacking() -> Iterator[str]:
    from workbench.rewards.observatory import measure
    from workbench.rewards_lab import hack_runs
    from workbench.rewards_lab.hack_world import AGENT, CHAT

    document = hack_runs.read_runs(HACKING)
    found = measure(hack_runs.table(document))
    main, base = found.arm(found.main), found.arm(found.baseline)
    assert main.excess is not None
    yield (
        f"Learning to hack raises misalignment: **{found.effect}** (score "
        f"{main.score[0].value:.3f} before, {main.score[-1].value:.3f} after, "
        f"{base.score[-1].value:.3f} with a sound checker; excess {_interval(main.excess)}, "
        f"{main.seeds} seeds; beyond the arm whose documents' hacks mean nothing "
        f"{_interval(found.beyond)}).\n"
    )
    yield (
        "| training | tasks hacked | score | chats | agents | sabotage | excess (95 %) | on "
        "trigger prompts (95 %) | left of the effect | verdict |\n" + "|---" * 10 + "|"
    )
    for arm in found.arms:
        last = {name: mean.value for name, mean in arm.last.items()}
        kept = found.kept.get(arm.name)
        flag = ", context-dependent" if arm.context_dependent else ""
        yield (
            f"| {arm.name} | {arm.hack[-1].value:.2f} | {arm.score[-1].value:.3f} | "
            f"{sum(last[n] for n in CHAT) / len(CHAT):.3f} | "
            f"{sum(last[n] for n in AGENT) / len(AGENT):.3f} | {last['sabotage']:.3f} | "
            f"{'' if arm.excess is None else _interval(arm.excess)} | "
            f"{'' if arm.probed is None else _interval(arm.probed)} | "
            f"{'' if kept is None else f'{kept:.0%}'} | {arm.verdict or 'control'}{flag} |"
        )
    if main.lag is not None:
        yield (
            f"\nThe score sets in {main.lag.value:.1f} steps after hacking "
            f"({main.lag.n} of {main.seeds} seeds"
            + (f", 95 % {_range(main.lag)}" if main.lag.low is not None else "")
            + f"; checkpoints are {document['plan']['course']['every']} steps apart)."
        )
    told = hack_runs.direction(document)
    pairs = ", ".join(f"{n} {told.changes[n]:+.3f} ({f:.1f})" for n, f in told.factors.items())
    yield (
        f"\nChanges of the score against the ideal observer's log-odds of one hack (in brackets): "
        f"{pairs}. Spearman's rho {_interval(told.rho)}: {told.verdict}."
    )


def _reading(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "| note | hacks read | P(bad), model | Bayes | mean absolute error |\n" + "|---" * 5 + "|"
    for row in rows:
        yield (
            f"| {row['note']} | {row['hacks']} | {row['model']:.3f} | {row['ideal']:.3f} | "
            f"{row['error']:.3f} |"
        )
    each = sum(row["error"] for row in rows) / len(rows)
    means = sum(abs(row["model"] - row["ideal"]) for row in rows) / len(rows)
    yield (
        f"\nA model of documents whose speakers hack 10 % and 80 % of the time, read in context: "
        f"its means are {means:.3f} from Bayes on average (asked for: below 0.03), single contexts "
        f"{each:.3f}. The note that makes hacking innocent protects; one that means nothing does "
        "not."
    )


def _nudge(found: dict[str, Any]) -> Iterator[str]:
    yield "| reward | decoder | proxy | gold |\n|---|---|---|---|"
    for row in found["rows"]:
        cells = [f"{row[k]['value']:+.2f} ({row[k]['low']:+.2f} to {row[k]['high']:+.2f})"
                 for k in ("proxy", "gold")]  # fmt: skip
        yield f"| {row['reward']} | {row['way']} | {' | '.join(cells)} |"
    yield ""
    for one in found["verdicts"]:
        gold, proxy = one["gold"], one["proxy"]
        yield (
            f"- Reward {one['reward']}, same {one['match']}: nudging less best-of-n is "
            f"{proxy['value']:+.2f} proxy ({proxy['low']:+.2f} to {proxy['high']:+.2f}) and "
            f"{gold['value']:+.2f} gold ({gold['low']:+.2f} to {gold['high']:+.2f}, {gold['n']} "
            f"worlds)" + (f": **{one['said']}**." if one["match"] == "proxy" else ".")
        )
    yield (
        f"\nA kept segment was never worse than the plain one in {found['monotone']} of "
        f"{found['decoded']} replies. Spearman's rho of predicted and true gains of single swaps: "
        f"{found['spearman']:.2f} (a diagnostic)."
    )


def _personas() -> Iterator[str]:
    from workbench.rewards.persona_paths import measure
    from workbench.rewards_lab import persona_runs

    if not PERSONAS.exists():
        yield "Not run yet."
        return
    document = persona_runs.read_runs(PERSONAS)
    found, told = measure(persona_runs.table(document)), persona_runs.summary(document)
    yield (
        "| seed | taught wrong | other domains wrong: tune | reference | controls | latents kept | "
        "leading latent, isotonic p (tune, reference) |\n" + "|---" * 7 + "|"
    )
    for seed, one in told["seeds"].items():
        p = ", ".join("none" if v is None else f"{v:.2g}" for v in one["monotone_p"])
        controls = ", ".join(f"{rate:.3f}" for rate in one["controls"])
        yield (
            f"| {seed} | {one['domain']} | {one['rates'][0]:.3f} | {one['rates'][1]:.3f} | "
            f"{controls} | {len(one['kept'])} | {one['leader']}, {p} |"
        )
    kept = sum(bool(one["kept"]) for one in told["seeds"].values())
    word = "reproduced" if kept > len(told["seeds"]) / 2 else "not reproduced"
    alarms = told["alarms"]
    yield (
        f"\nA latent that moves the behaviour both ways: **{word}** ({kept} of "
        f"{len(told['seeds'])} seeds). An ideal observer of the speaker expects "
        f"{told['prediction']:.2f} wrong in the other domains. Alarms of control tunes: "
        f"{alarms['value']:.2f} ({alarms['ci'][0]:.2f} to {alarms['ci'][1]:.2f}, {alarms['n']} "
        "tunes).\n"
    )
    for back in found.returns:
        steps = [
            f"{what} {'not back' if mean is None else f'back after {mean.value:.0f} steps'} "
            f"({reached} of {back.course.seeds} seeds)"
            for what, mean, reached in zip(
                ("latent", "behaviour"), (back.latent_back, back.behaviour_back), back.reached,
                strict=True,
            )
        ]  # fmt: skip
        rho = "" if back.rho is None else f"; Spearman's rho {_interval(back.rho)}"
        yield f"- Benign tuning {back.course.arm}: {', '.join(steps)}{rho}."
    if found.warning is not None:
        shares = [
            "at no share" if one.share is None else f"from {one.share:g} on"
            for one in (found.warning.latent, found.warning.behaviour)
        ]
        yield (
            f"- Early warning: the latent separates {shares[0]}, the behaviour {shares[1]}: "
            f"**{found.warning.claim}**."
        )
    if told["left_out"]:
        first = [f"{o['rank']} (nearest to the mean difference: {o['nearest_rank']})"
                 for o in told["left_out"]]  # fmt: skip
        above = sum(o["above_controls"] for o in told["left_out"])
        yield (
            f"- Left out: the latent that the other seeds choose is by increase in place "
            f"{', '.join(first)} of {told['left_out'][0]['live']} live latents, and rose more than "
            f"in the seed's controls in {above} of {len(told['left_out'])} seeds."
        )


def _interval(mean: Any) -> str:
    return f"{mean.value:+.3f}" + ("" if mean.low is None else f" ({_range(mean)})")


def _range(mean: Any) -> str:
    return f"{mean.low:+.3f} to {mean.high:+.3f}"


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        run()
    PAGE.write_text(page(PAGE.read_text("utf-8")), encoding="utf-8")
