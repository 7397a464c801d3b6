"""What each reward instrument makes of a table, or of a reward model, for its page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter
from workbench.ui.reads.rewards import Options, Shown, Told, shown

if TYPE_CHECKING:
    from workbench.rewards.tables import Table


def _best_of_n(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import best_of_n, drawings

    found = best_of_n.measure(table, ns=(), seed=options["seed"])
    fell = f" from n = {found.decline_from} on" if found.verdict == "declines" else ""
    return shown(
        f"gold: {found.verdict}{fell}",
        [("prompts", f"{found.prompts:,}"), ("samples", f"{found.rows:,}"),
         ("interval", found.interval), ("p", "none" if found.p is None else f"{found.p:.2g}")],
        drawings.best_of_n(found), found.to_json(), found.notes,
    )  # fmt: skip


def _curve(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import drawings, overoptimization

    found = overoptimization.fit_curve(
        table,
        baseline=options["baseline"],
        d_min=options["d_min"],
        drop_negative=options["drop_negative"],
        seed=options["seed"],
    )
    return shown(
        f"{found.verdict}: {found.advice}",
        [("points", found.points), ("left out", found.left_out), ("interval", found.interval)],
        drawings.overoptimization(found), found.to_json(),
    )  # fmt: skip


def _tails(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import drawings, tails

    found = tails.examine(table)
    return shown(
        found.label,
        [("prompts", f"{found.prompts:,}"), ("samples", f"{found.rows:,}")],
        drawings.tails(found), found.to_json(), found.notes,
    )  # fmt: skip


def of_scan(found: Any) -> Shown:
    """Of a bias scan."""
    from workbench.rewards import drawings

    return shown(
        f"{len(found.flagged)} of {found.tried} effects are paid for",
        [("responses", f"{found.responses:,}"), ("false-discovery rate", f"{found.fdr:.0%}"),
         ("not tested", found.untested)],
        drawings.scan(found), found.to_json(),
    )  # fmt: skip


def _scored(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards.biases import scan_table

    return of_scan(scan_table(table, fdr=options["fdr"]))


def _scan(table: Table, options: Options, told: Told) -> Shown:
    import random

    from workbench.rewards.biases import scan
    from workbench.rewards.edits import standard

    prompts, responses = table.texts("prompt"), table.texts("response")
    kinds = table.texts("context") if "context" in table else None
    wanted = min(int(options["rows"]), table.rows)
    chosen = sorted(random.Random(options["seed"]).sample(range(table.rows), wanted))
    found = scan(
        reward_model(options["reward"]).score,
        [prompts[i] for i in chosen],
        [responses[i] for i in chosen],
        standard(),
        contexts=None if kinds is None else [kinds[i] for i in chosen],
        fdr=options["fdr"],
        progress=told,
    )
    return of_scan(found)


def reward_model(path: str) -> Any:
    """A reward model directory; a Python function would run with your rights, and a page is no
    place to start one from."""
    from workbench.suspects.rewards import SequenceClassifier

    if not Path(path).is_dir():
        raise BadParameter(
            f"no reward model '{path}'",
            hint="Give a sequence-classification directory; functions work on the command line.",
        )
    return SequenceClassifier(Path(path))


def _generalise(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import drawings
    from workbench.rewards.generalisation import judge

    found = judge(table, first=options["first"])
    arms = {one.name: one.verdict for one in found.arms}
    return shown(
        f"{options['first']}: {arms[options['first']]}",
        [("arms", len(found.arms)), ("seeds", max(one.seeds for one in found.arms))],
        drawings.generalisation(found), found.to_json(),
    )  # fmt: skip


def _loops(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import world_drawings
    from workbench.rewards.linter import lint
    from workbench.rewards.specification import RewardSpec

    goals = [goal.strip() for goal in options["goals"].split(",") if goal.strip()]
    if not options["start"].strip() or not goals:
        raise BadParameter(
            "the linter must know where the task begins and where it is done",
            hint="Name the start and at least one goal.",
        )
    spec = RewardSpec.from_table(table, start=options["start"].strip(), goals=goals)
    found = lint(spec, discount=options["discount"], horizon=options["horizon"])
    crossovers = ", ".join(f"{c.discount:.4f}" for c in found.crossovers) or "none"
    return shown(
        found.verdict,
        [("states", found.states), ("transitions", found.transitions), ("crossovers", crossovers)],
        world_drawings.loops(found), found.to_json(),
    )  # fmt: skip


def _preferences(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import world_drawings
    from workbench.rewards.ratings import from_table

    bench, names = from_table(
        table, None, (), noise=options["noise"], l2=options["l2"], seed=options["seed"]
    )
    fitted = bench.fit()
    query, bins = bench.next_query(), bench.calibration()
    rewards = {name: float(fitted.rewards[i]) for i, name in enumerate(names)}
    return shown(
        f"ask next: {names[query.a]} or {names[query.b]}? ({query.why})",
        [("answers", f"{table.rows:,}"), ("items", len(names)),
         ("training loss", f"{fitted.train_loss:.3f} nats")],
        (world_drawings.rewards(rewards), *world_drawings.calibration(bins)),
        {"rewards": rewards}, bench.notices(),
    )  # fmt: skip


def _gaps(table: Table | None, options: Options, told: Told) -> Shown:
    from workbench.rewards import gaps, world_drawings
    from workbench.rewards_lab import spec_bench

    if table is None:
        table = spec_bench.run(seed=options["seed"], progress=told)
    board = gaps.measure(table, seed=options["seed"])
    flagged = sum(gap.verdict.startswith("more") for gap in board.gaps)
    return shown(
        f"{flagged} of {len(board.gaps)} show more than brittleness explains",
        [("tests", f"{table.rows:,}"), ("solver and task", len(board.gaps))],
        world_drawings.gaps(board), board.to_json(), board.notes,
    )  # fmt: skip


def _assisted(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards.assisted import measure

    found = {"table": measure(table, alone=options["alone"])}
    return judged(found)


def judged(found: Mapping[str, Any]) -> Shown:
    """Of conditions by evaluator."""
    from workbench.rewards import world_drawings

    rows = [c for conditions in found.values() for c in conditions if c.uplift is not None]
    helps = sum(c.verdict == "helps" for c in rows)
    harms = sum(c.verdict == "harms" for c in rows)
    return shown(
        f"{helps} of {len(rows)} critics help, {harms} harm",
        [("conditions", len(rows)), ("verdicts each", f"{rows[0].accuracy.n:,}" if rows else "0")],
        world_drawings.assisted(dict(found)),
        {name: [c.to_json() for c in conditions] for name, conditions in found.items()},
    )  # fmt: skip


def _pareto(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import pareto

    return boards({"table": pareto.measure(table, seed=options["seed"])})


def _summary(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import pareto

    return boards({"table": pareto.summarise(table, seed=options["seed"])})


def boards(found: Mapping[str, Any]) -> Shown:
    """Of one Pareto board or several, by name."""
    from workbench.rewards import world_drawings

    several = len(found) > 1
    points = [
        (f"{n}, {p.name}" if several else p.name, p) for n, b in found.items() for p in b.points
    ]
    charts = [
        dataclasses.replace(chart, title=f"{name}: {chart.title}") if several else chart
        for name, board in found.items()
        for chart in world_drawings.frontier(board)
    ]
    return shown(
        "; ".join(f"{name}: {sum(p.hull for p in b.points)} of {len(b.points)} on the frontier"
                  for name, b in found.items()),
        [(name, p.verdict) for name, p in points],
        charts,
        {name: board.to_json() for name, board in found.items()},
        [note for board in found.values() for note in board.notes],
    )  # fmt: skip


def _hacking(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import observatory

    return of_observatory(
        observatory.measure(table, main=options["main"], baseline=options["baseline"])
    )


def of_observatory(found: Any) -> Shown:
    """Of the hacking observatory."""
    from workbench.rewards import hacking_drawings

    main = found.arm(found.main)
    return shown(
        f"hacking raises misalignment: {found.effect}",
        [("seeds", main.seeds), ("tasks hacked at the end", f"{main.hack[-1].value:.0%}"),
         ("score at the end", f"{main.score[-1].value:.3f}"),
         *([("beyond hacks that mean nothing", f"{found.beyond.value:+.3f}")]
           if found.beyond is not None else []),
         *((arm.name, arm.verdict) for arm in found.arms if arm.verdict)],
        hacking_drawings.hacking(found), found.to_json(), found.notes,
    )  # fmt: skip


def _nudged(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards.nudged_suspect import drawings, nudge_suspect
    from workbench.suspects import Suspect

    reward = reward_model(options["reward"].strip())
    if not options["prompt"].strip():
        raise BadParameter("no prompt", hint="Say what the reply answers.")
    found = nudge_suspect(
        Suspect.load(options["suspect"]),
        reward,
        options["prompt"],
        length=options["length"],
        threshold=options["threshold"],
        seed=options["seed"],
    )
    nudges = sum(s.nudged is not None for s in found.decoded.segments)
    made = shown(
        f"{nudges} of {len(found.decoded.segments)} segments nudged for "
        f"{found.decoded.nats:.2f} nats",
        [("passes", f"{found.decoded.passes:,}"), ("samples of best-of-n", found.n)],
        drawings(found), found.to_json(),
    )  # fmt: skip
    words = [[w.text, w.entropy, w.boundary, w.displaced] for w in found.words]
    return {**made, "words": words, "texts": found.texts}


def _paths(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import persona_drawings, persona_paths

    found = persona_paths.measure(table, seed=options["seed"])
    facts = [(f"{one.course.arm}: seeds", one.course.seeds) for one in found.returns]
    return shown(
        found.verdict, facts or [("seeds", found.warning.bad.seeds if found.warning else 0)],
        persona_drawings.paths(found), found.to_json(), found.notes,
    )  # fmt: skip


def _personas(table: Table, options: Options, told: Told) -> Shown:
    from saes.texts import corpus_texts
    from saes.train import cached_sae
    from workbench.artifacts import Artifacts
    from workbench.config import artifacts_root
    from workbench.rewards import persona_bench, persona_drawings
    from workbench.rewards.personas import checkpoints, measure
    from workbench.suspects import Suspect

    questions = persona_bench.questions(table)
    suspect = Suspect.load(options["suspect"])
    reference = suspect.reference
    controls = [Suspect.load(one.strip()) for one in options["controls"].split(",") if one.strip()]
    path = checkpoints([one for one in options["checkpoints"].split(",") if one.strip()])
    texts = [text.text for text in corpus_texts(suspect, 400, seed=1)]
    learned = [text.text for text in corpus_texts(reference, 3000, seed=0)]
    if not texts or not learned:
        raise BadParameter(
            "suspect and reference grant no corpus to read",
            hint="Use workbench rewards personas with --texts FILE.",
        )
    sae = cached_sae(
        Artifacts(artifacts_root()), reference, learned,
        hook_name=reference.residual_hook(reference.n_layers // 2), seed=options["seed"],
        progress=lambda _, share: told(0.4 * share),
    )  # fmt: skip
    found = measure(
        suspect, reference, sae, texts, questions, ordinary=texts[:64], controls=controls,
        path=[(steps, Suspect.load(one)) for steps, one in path], top=options["top"],
        dose=options["dose"], seed=options["seed"], progress=lambda s: told(0.4 + 0.6 * s),
    )  # fmt: skip
    behaviour = [trial.rate.value for trial in found.plain]
    rate = found.alarms
    alarms = "no control" if rate is None else f"{rate.hits} of {rate.n}"
    return shown(
        persona_drawings.SAID[found.verdict],
        [("behaviour, suspect", f"{behaviour[0]:.3f}"),
         ("behaviour, reference", f"{behaviour[1]:.3f}"), ("latents that differ", found.moved),
         ("latents kept", len(found.kept)),
         ("alarms of controls", alarms)],
        persona_drawings.personas(found), found.to_json(), found.notes,
    )  # fmt: skip


WAYS: Mapping[tuple[str, str], Callable[..., Shown]] = {
    ("best-of-n", "table"): _best_of_n,
    ("overoptimize", "table"): _curve,
    ("tails", "table"): _tails,
    ("scan", "table"): _scored,
    ("scan", "model"): _scan,
    ("generalise", "table"): _generalise,
    ("loops", "table"): _loops,
    ("preferences", "table"): _preferences,
    ("gaps", "table"): _gaps,
    ("gaps", "lab"): _gaps,
    ("assisted", "table"): _assisted,
    ("pareto", "table"): _pareto,
    ("pareto", "summary"): _summary,
    ("nudge", "suspect"): _nudged,
    ("hacking", "table"): _hacking,
    ("personas", "table"): _paths,
    ("personas", "suspect"): _personas,
}
