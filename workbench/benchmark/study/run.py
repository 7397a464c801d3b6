"""Carries a study out, part by part, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.battery import SuspectFiles
from workbench.benchmark import jobs, report, runner
from workbench.benchmark.study import results, work
from workbench.benchmark.study.plan import BASE, STATES, Part, Plan, parts
from workbench.benchmark.study.work import Places
from workbench.errors import ConfigError, SealError
from workbench.ledger.records import digest
from workbench.seal.vault import Vault

Progress = Callable[[str], None]


def run(
    plan: Plan,
    draws: int,
    *,
    vault: Vault,
    work_directory: Path,
    out: Path,
    processes: int = 2,
    other_code: bool = False,
    progress: Progress = lambda told: None,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The results in `out`, and by part the reason why it failed.

    Draws 1 to `draws` are built, measured and audited; what `out` holds is not done again, but for
    audits in which something failed. `out` is written after each part. With `other_code` parts that
    another version of the code measured are kept.

    Raises ConfigError where `out` is no study, or one of another plan, base or version of the
    code; SealError where suspects lie in `work_directory` that this vault does not know.
    """
    document, code = _begun(plan, out, other_code), runner.code_sha256()
    places = Places(plan, work_directory, vault.path)
    _refuse_strangers(places, draws, vault)
    todo = list(_todo(document, places, draws))
    left = _Left(document, todo, processes)
    progress(f"{len(todo)} parts to do for {draws} draws{left.told()}")
    numbers = {part: number for number, part in enumerate(todo)}
    failed: dict[str, str] = {}
    for number, result, why in jobs.outcomes(
        work.do,
        {number: (part, places) for part, number in numbers.items()},
        processes,
        after={n: [numbers[p] for p in part.needs if p in numbers] for part, n in numbers.items()},
        started=lambda number: progress(f"draw {todo[number].draw}, {todo[number].name}: started"),
    ):
        part = todo[number]
        told = f"draw {part.draw}, {part.name}"
        if why is not None:
            failed[told] = why
            progress(f"{told}: failed: {why}")
            continue
        made = document["draws"].setdefault(str(part.draw), {})
        made[part.name] = {"code": code, **result}
        report.write(document, out)
        if not work.whole(part, result["found"]):
            failed[told] = "a technique or a team failed"
        _clear(document, part, places)
        left.done(part, result["seconds"])
        progress(f"{told}: done in {_minutes(result['seconds'])}{left.told()}")
    return document, failed


def _begun(plan: Plan, out: Path, other_code: bool) -> dict[str, Any]:
    document = results.read(out) if out.exists() else results.empty(plan)
    if document["plan"] != plan.sha256():
        raise ConfigError(
            f"{out} is a study of another plan (base '{document['base']}')",
            hint="Give another --out, or the --base and the version that it was made with.",
        )
    base = digest(dict(SuspectFiles(plan.base).describe()))
    if document.setdefault("base_sha256", base) != base:
        raise ConfigError(
            f"{out}: the base '{plan.base}' has changed since it was measured",
            hint="Give another --out, or restore the base, device and dtype.",
        )
    codes = {made["code"] for parts in document["draws"].values() for made in parts.values()}
    if (strange := sorted(codes - {runner.code_sha256()})) and not other_code:
        raise ConfigError(
            f"{out} was measured with another version of the code ({strange[0][:12]})",
            hint="Give another --out, or --other-code to go on with both; the page tells it.",
        )
    return document


def _refuse_strangers(places: Places, draws: int, vault: Vault) -> None:
    known = set(vault.ids())
    for draw in range(1, draws + 1):
        for what in ("organism", "twin"):
            for card in places.suspects(draw, what).glob("*/suspect.json"):
                if card.parent.name not in known:
                    raise SealError(
                        f"the vault {vault.path} has no truth of {card.parent}",
                        hint="Name the vault that it was built with, or give another --work.",
                    )


def _todo(document: Mapping[str, Any], places: Places, draws: int) -> Iterable[Part]:
    """What is not done yet, with what it needs that is not there."""
    for draw in range(1, draws + 1):
        missing = [p for p in parts(draw) if p.kept and not _is_done(document, p)]
        needed = {p for part in missing for p in part.needs if not _there(p, places)}
        yield from (p for p in parts(draw) if p in needed or p in missing)


def _is_done(document: Mapping[str, Any], part: Part) -> bool:
    result = results.done(document, part)
    return result is not None and work.whole(part, result["found"])


def _there(part: Part, places: Places) -> bool:
    if part.kind == "build":
        return places.built(part.draw, part.what)
    return places.states(part.draw, part.what).is_dir()


def _clear(document: Mapping[str, Any], part: Part, places: Places) -> None:
    if part.kind != "measure":
        return
    own = [Part(part.draw, "measure", part.what, state) for state in STATES[part.what]]
    if all(results.done(document, one) for one in own if one.state != BASE):
        work.clear(part, places)


class _Left:
    """How long the rest takes, going by parts of the same sort that were timed, here or before."""

    def __init__(self, document: Mapping[str, Any], todo: Sequence[Part], processes: int) -> None:
        self._waiting, self._processes = list(todo), processes
        self._timed: dict[str, list[float]] = {}
        for made in document["draws"].values():
            for name, result in made.items():
                sort = "measure" if name.startswith("measure") else name
                self._timed.setdefault(sort, []).append(result["seconds"])

    def done(self, part: Part, seconds: float) -> None:
        """Counts a part."""
        self._waiting.remove(part)
        self._timed.setdefault(part.sort, []).append(seconds)

    def told(self) -> str:
        """ "; about 40 min left", or nothing where nothing is."""
        if not self._waiting:
            return ""
        whole = 0.0
        for part in self._waiting:
            timed = self._timed.get(part.sort)
            whole += part.seconds if timed is None else sum(timed) / len(timed)
        return f"; about {_minutes(whole / self._processes)} left with {self._processes} processes"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
