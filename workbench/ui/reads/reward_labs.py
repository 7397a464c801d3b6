"""What each reward instrument's own lab or world gives, for its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.ui.reads.reward_tables import boards, judged, of_observatory
from workbench.ui.reads.rewards import Options, Shown, Told, shown


def _sweep(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards_lab.results import run_sweep

    return of_sweep(run_sweep(1, first=options["seed"], grid=_grid(), progress=told))


def _grid() -> Any:
    from workbench.rewards_lab.sweep import Grid

    return Grid()


def of_sweep(document: dict[str, Any]) -> Shown:
    """Of a stored sweep."""
    from workbench.rewards_lab.results import courses, summary
    from workbench.rewards_lab.sweep_drawings import sweep

    found = summary(document)
    effect = found["size_effect"]
    ci = effect["ci"]
    return shown(
        f"a larger proxy reaches more gold: {effect['verdict']}",
        [("seeds", effect["seeds"]), ("Spearman's rho", f"{effect['rho']:+.2f}"),
         ("95 % interval", "one seed" if ci is None else f"{ci[0]:+.2f} to {ci[1]:+.2f}")],
        sweep(courses(document)), found,
    )  # fmt: skip


def _lagoon(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards_lab import drawings
    from workbench.rewards_lab.circling import PLANTED, SOUND, race

    planted = race(PLANTED, seed=options["seed"], progress=lambda share: told(share / 2))
    null = race(SOUND, seed=options["seed"], progress=lambda share: told(0.5 + share / 2))
    found = (("planted", planted), ("null", null))
    said = "; ".join(f"{name}: linter says {one.lint.verdict}" for name, one in found)
    return shown(
        said,
        [("planted completes", f"{planted.completion.hits} of {planted.completion.n}"),
         ("null completes", f"{null.completion.hits} of {null.completion.n}")],
        drawings.races(found), {name: one.to_json() for name, one in found},
    )  # fmt: skip


def _raters(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards_lab import drawings, planted_weights, preference_loop, query_race

    seed = options["seed"]
    recovered = planted_weights.recover(seed=seed)
    queried = query_race.run(progress=lambda share: told(0.5 * share))
    loop = preference_loop.run(first_seed=seed, progress=lambda share: told(0.5 + 0.5 * share))
    exploited = sum(course.exploited for course in loop)
    return shown(
        f"learned once, the reward is exploited in {exploited} of {len(loop)} seeds; refreshed, "
        f"the driver ends at {sum(c.gold['online'] for c in loop) / len(loop):.1f} gold",
        [("seeds of the loop", len(loop)), ("pairs of a replicate", recovered.pairs),
         ("careless answers", f"{recovered.noise:.0%}")],
        (drawings.recovery(recovered), drawings.queries(queried), drawings.courses(loop)),
        {"recovery": recovered.to_json(), "queries": queried.to_json(),
         "loop": [course.to_json() for course in loop]},
    )  # fmt: skip


def _evaluators(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards.assisted import Evaluator, measure
    from workbench.rewards_lab import weak_evaluator

    found = {}
    for trust in (0.0, 0.5):
        table, _closed = weak_evaluator.run(Evaluator(trust=trust), seed=options["seed"])
        found[f"trust {trust:g}"] = measure(table)
        told(trust + 0.5)
    return judged(found)


def _made_up(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards import pareto

    return boards(
        {
            name: pareto.measure(
                pareto.example(planted=name == "planted", seed=options["seed"]),
                seed=options["seed"],
            )
            for name in ("planted", "null")
        }
    )


def _hack_world(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards import observatory
    from workbench.rewards_lab import hack_runs

    document = hack_runs.run(1, first=options["seed"], progress=told)
    return of_observatory(observatory.measure(hack_runs.table(document)))


def _nudge_worlds(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards_lab import nudging

    return of_nudging(nudging.run(6, first=options["seed"], progress=told))


def of_nudging(found: Any) -> Shown:
    """Of the nudge decoder in exact worlds."""
    from workbench.rewards_lab import nudging

    told = nudging.summary(found)
    at_proxy = {v["reward"]: v["said"] for v in told["verdicts"] if v["match"] == "proxy"}
    return shown(
        "; ".join(f"reward {name}: {said}" for name, said in at_proxy.items()),
        [("worlds", len({one.world for one in found})), ("replies", told["decoded"]),
         ("never worse than plain", f"{told['monotone']} of {told['decoded']}"),
         ("Spearman of predicted gains", f"{told['spearman']:.2f}")],
        nudging.drawings(found), told,
    )  # fmt: skip


def _personas(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards.persona_drawings import SAID
    from workbench.rewards_lab import persona_world

    worlds = persona_world.both(options["seed"], progress=told)
    planted, null = worlds["planted"], worlds["null"]
    alarms = planted.found.alarms
    return shown(
        f"planted: {SAID[planted.found.verdict].lower()}; null: "
        f"{SAID[null.found.verdict].lower()}",
        [("cosine with the planted direction", f"{planted.cosine:.2f}"),
         ("99 % of latents below", f"{planted.chance:.2f}"),
         ("latents kept, planted", len(planted.found.kept)),
         ("latents kept, null", len(null.found.kept)),
         ("alarms of controls", "" if alarms is None else f"{alarms.hits} of {alarms.n}"),
         ("simulated paths", planted.paths.verdict)],
        persona_world.drawings(worlds), {name: one.to_json() for name, one in worlds.items()},
    )  # fmt: skip


WAYS: Mapping[tuple[str, str], Callable[..., Shown]] = {
    ("overoptimize", "lab"): _sweep,
    ("loops", "lab"): _lagoon,
    ("preferences", "lab"): _raters,
    ("assisted", "lab"): _evaluators,
    ("pareto", "lab"): _made_up,
    ("nudge", "lab"): _nudge_worlds,
    ("hacking", "lab"): _hack_world,
    ("personas", "lab"): _personas,
}
