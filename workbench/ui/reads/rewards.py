"""The reward instruments as a job asks them: a table or a training in, what a page shows out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.errors import BadParameter
from workbench.findings import JSON

if TYPE_CHECKING:
    from workbench.rewards.charts import Drawing
    from workbench.rewards.tables import Table

Options: TypeAlias = Mapping[str, Any]
Told: TypeAlias = Callable[[float], None]
Shown: TypeAlias = dict[str, Any]
LARGEST_PARQUET = 4_000_000_000
"""Bytes that a Parquet file may say it unpacks to."""
SHOWN_NOTES = 20


def columns(path: str) -> dict[str, JSON]:
    """{"names": [...], "rows": n} of a table file, by reading no more of it than is needed.

    Raises BadParameter on a file that is no table.
    """
    import pyarrow

    file = Path(path)
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            read = parquet.ParquetFile(file)
            return {"names": list(read.schema_arrow.names), "rows": read.metadata.num_rows}
        from pyarrow import csv

        options = csv.ParseOptions(
            delimiter="\t" if file.suffix == ".tsv" else ",", newlines_in_values=True
        )
        with csv.open_csv(file, parse_options=options) as stream:
            return {"names": list(stream.schema.names), "rows": None}
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadParameter(
            f"that is no table: {reason}", hint="Give CSV, TSV or Parquet with a row of names."
        ) from None


ANSWERS: Mapping[str, Callable[..., Any]] = {"columns": columns}


def examine(
    instrument: str,
    way: str,
    *,
    file: str,
    wanted: Sequence[Any],
    called: Mapping[str, str],
    options: Options,
    told: Told,
) -> Shown:
    """What an instrument makes of a table (or, without `file`, of its own world).

    wanted: the columns. Raises BadParameter on a table or options that it refuses.
    """
    from workbench.rewards.tables import read_table

    table = None
    if file:
        _bounded(Path(file))
        table = read_table(Path(file), wanted, called=called)
    told(0.1)
    return HANDLERS[instrument, way](table, options, lambda share: told(0.1 + 0.9 * share))


def shown(
    verdict: str,
    facts: Sequence[tuple[str, object]],
    charts: Sequence[Drawing],
    document: Any,
    notes: Sequence[str] = (),
) -> Shown:
    """What a page shows, as plain JSON; charts as `charts_of` reads them."""
    return {
        "verdict": verdict,
        "facts": [[name, str(value)] for name, value in facts],
        "notes": list(notes)[:SHOWN_NOTES],
        "charts": [{"type": type(c).__name__, **dataclasses.asdict(c)} for c in charts],
        "document": document,
    }


def charts_of(found: Shown) -> list[Drawing]:
    """The drawings in what `shown` made."""
    from workbench.rewards.charts import Chart, HeatMap, Mark, Series

    made: list[Drawing] = []
    for stored in found["charts"]:
        parts = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        if parts.pop("type") == "HeatMap":
            parts["values"] = tuple(map(tuple, parts["values"]))
            made.append(HeatMap(**parts))
            continue
        parts["series"] = tuple(
            Series(**{k: tuple(v) if isinstance(v, list) else v for k, v in one.items()})
            for one in parts["series"]
        )
        parts["marks"] = tuple(Mark(**one) for one in parts["marks"])
        made.append(Chart(**parts))
    return made


def _bounded(file: Path) -> None:
    if file.suffix != ".parquet":
        return
    import pyarrow
    from pyarrow import parquet

    try:
        read = parquet.ParquetFile(file).metadata
        whole = sum(read.row_group(i).total_byte_size for i in range(read.num_row_groups))
    except (OSError, pyarrow.ArrowException):
        return  # `read_table` says what is wrong with it
    if whole > LARGEST_PARQUET:
        raise BadParameter(
            f"the table unpacks to {whole / 1e9:,.0f} GB", hint="Give the columns that are needed."
        )


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
    return _judged(found)


def _evaluators(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards.assisted import Evaluator, measure
    from workbench.rewards_lab import weak_evaluator

    found = {}
    for trust in (0.0, 0.5):
        table, _closed = weak_evaluator.run(Evaluator(trust=trust), seed=options["seed"])
        found[f"trust {trust:g}"] = measure(table)
        told(trust + 0.5)
    return _judged(found)


def _judged(found: Mapping[str, Any]) -> Shown:
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

    return _boards({"table": pareto.measure(table, seed=options["seed"])})


def _summary(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import pareto

    return _boards({"table": pareto.summarise(table, seed=options["seed"])})


def _made_up(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards import pareto

    return _boards(
        {
            name: pareto.measure(
                pareto.example(planted=name == "planted", seed=options["seed"]),
                seed=options["seed"],
            )
            for name in ("planted", "null")
        }
    )


def _boards(boards: Mapping[str, Any]) -> Shown:
    from workbench.rewards import world_drawings

    points = [(name, p) for name, board in boards.items() for p in board.points]
    return shown(
        "; ".join(f"{name}: {sum(p.hull for p in b.points)} of {len(b.points)} on the frontier"
                  for name, b in boards.items()),
        [(f"{name}, {p.name}" if len(boards) > 1 else p.name, p.verdict) for name, p in points],
        [chart for board in boards.values() for chart in world_drawings.frontier(board)],
        {name: board.to_json() for name, board in boards.items()},
        [note for board in boards.values() for note in board.notes],
    )  # fmt: skip


def _hacking(table: Table, options: Options, told: Told) -> Shown:
    from workbench.rewards import observatory

    return of_observatory(
        observatory.measure(table, main=options["main"], baseline=options["baseline"])
    )


def _hack_world(_: None, options: Options, told: Told) -> Shown:
    from workbench.rewards import observatory
    from workbench.rewards_lab import hack_runs

    document = hack_runs.run(1, first=options["seed"], progress=told)
    return of_observatory(observatory.measure(hack_runs.table(document)))


def of_observatory(found: Any) -> Shown:
    """Of the hacking observatory."""
    from workbench.rewards import hacking_drawings

    main = found.arm(found.main)
    return shown(
        f"hacking raises misalignment: {found.effect}",
        [("seeds", main.seeds), ("tasks hacked at the end", f"{main.hack[-1].value:.0%}"),
         ("score at the end", f"{main.score[-1].value:.3f}"),
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


HANDLERS: Mapping[tuple[str, str], Callable[..., Shown]] = {
    ("best-of-n", "table"): _best_of_n,
    ("overoptimize", "table"): _curve,
    ("overoptimize", "lab"): _sweep,
    ("tails", "table"): _tails,
    ("scan", "table"): _scored,
    ("scan", "model"): _scan,
    ("generalise", "table"): _generalise,
    ("loops", "table"): _loops,
    ("loops", "lab"): _lagoon,
    ("preferences", "table"): _preferences,
    ("preferences", "lab"): _raters,
    ("gaps", "table"): _gaps,
    ("gaps", "lab"): _gaps,
    ("assisted", "table"): _assisted,
    ("assisted", "lab"): _evaluators,
    ("pareto", "table"): _pareto,
    ("pareto", "summary"): _summary,
    ("pareto", "lab"): _made_up,
    ("nudge", "suspect"): _nudged,
    ("nudge", "lab"): _nudge_worlds,
    ("hacking", "table"): _hacking,
    ("hacking", "lab"): _hack_world,
}
