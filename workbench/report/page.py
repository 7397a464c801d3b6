"""The report page: one group of runs, summary first, then every finding with its evidence."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import __version__
from workbench.access import Access
from workbench.errors import ConfigError, LedgerError
from workbench.findings import Measurement
from workbench.report import evidence
from workbench.report.hypotheses import cases, named
from workbench.report.inert import inert

if TYPE_CHECKING:
    from jinja2 import Environment

    from workbench.ledger import Entry, Group, Ledger, Run

_NO_HASHES = ("assistant", "device", "dtype")


def write(ledger: Ledger, out: Path, *, group: str | None = None) -> Path:
    """Writes the report of a group (the latest by default) and returns `out`.

    The file is complete in itself: styles, scripts and data are inside, and its content policy
    forbids every request. It appears at once or not at all.

    Raises LedgerError where the ledger has no such group, ConfigError where `out` cannot be
    written.
    """
    return put(render(ledger, _group(ledger, group)), out, option="--out")


def put(page: str, out: Path, *, option: str) -> Path:
    """Writes a page at once or not at all; raises ConfigError, naming `option`, where it cannot."""
    draft = out.with_name(f".{out.name}.draft")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(page, encoding="utf-8")
        os.replace(draft, out)
    except OSError as error:
        raise ConfigError(
            f"cannot write {out}: {error.strerror}", hint=f"Choose another {option}."
        ) from None
    return out


def render(ledger: Ledger, group: Group) -> str:
    """The HTML text of one group."""
    runs, findings = _ranked(ledger, group)
    shown = [_finding(entry, _run_of(entry, runs)) for entry in findings]
    code = scripts()
    return (
        environment()
        .from_string(part("page.html"))
        .render(
            suspect=group.suspect,
            battery=group.battery,
            group=group,
            version=__version__,
            view=_view(runs),
            rows=[_row(run, shown) for run in _in_order(runs, group)],
            findings=shown,
            cases=cases(findings, _in_order(runs, group)),
            lost=_missing(group, runs),
            documents=_first_anchors(shown),
            style=part("page.css"),
            scripts=code,
            script_hashes=script_hashes(code),
        )
    )


def document(ledger: Ledger, *, group: str | None = None) -> dict[str, Any]:
    """What the page of a group says, as one JSON object: hypotheses with what supports them and
    what speaks against them, findings with their evidence, the most confident first, and what was
    not looked at. Raises LedgerError where the ledger has no such group."""
    chosen = _group(ledger, group)
    runs, findings = _ranked(ledger, chosen)
    runs = _in_order(runs, chosen)
    return {
        "group": chosen.id,
        "suspect": chosen.suspect,
        "battery": chosen.battery,
        "hypotheses": [case.to_json() for case in cases(findings, runs)],
        "findings": [
            {"id": e.id, "technique": _run_of(e, runs).technique, **e.finding.to_json()}
            for e in findings
        ],
        "unseen": [
            *(
                {"technique": run.technique, "status": run.status, "reason": run.reason}
                for run in runs
                if run.status != "ok"
            ),
            *(
                {"technique": name, "status": "never ran", "reason": "interrupted"}
                for name in _missing(chosen, runs)
            ),
        ],
    }


def _ranked(ledger: Ledger, group: Group) -> tuple[list[Run], list[Entry]]:
    """The runs of a group and their findings, the most confident first."""
    runs = ledger.runs(group=group.id)
    wanted = {run.id for run in runs}
    findings = [entry for entry in ledger.entries() if entry.run in wanted]
    return runs, sorted(findings, key=lambda entry: -entry.finding.confidence)


def environment() -> Environment:
    """Templates that escape every value and make every text inert."""
    from jinja2 import Environment, StrictUndefined

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["show"] = lambda value: _cell(value)
    # every value that a template prints passes here, before it is escaped
    made.finalize = lambda value: inert(value) if type(value) is str else value
    return made


def scripts() -> list[str]:
    """Plotly.js, and what draws the plots of a page."""
    from plotly.offline import get_plotlyjs

    return [get_plotlyjs(), part("page.js")]


def script_hashes(code: list[str]) -> str:
    """The sources that a page's content policy admits."""
    return " ".join(f"'sha256-{_hash(script)}'" for script in code)


def part(name: str) -> str:
    """A file beside this one."""
    return files("workbench.report").joinpath(name).read_text(encoding="utf-8")


def _group(ledger: Ledger, identity: str | None) -> Group:
    groups = ledger.groups()
    if not groups:
        raise LedgerError(
            f"the ledger {ledger.path} holds no battery run", hint="Run `workbench audit run`."
        )
    if identity is None:
        return groups[-1]
    for group in groups:
        if group.id == identity:
            return group
    raise LedgerError(
        f"the ledger has no group '{identity}'",
        hint="List them with `workbench ledger runs`.",
    )


def _run_of(entry: Entry, runs: list[Run]) -> Run:
    return next(run for run in runs if run.id == entry.run)


def _in_order(runs: list[Run], group: Group) -> list[Run]:
    order = {planned.key: place for place, planned in enumerate(group.planned)}
    return sorted(runs, key=lambda run: order.get(run.key, len(order)))


def _missing(group: Group, runs: list[Run]) -> list[str]:
    made = {run.key for run in runs}
    return [planned.technique for planned in group.planned if planned.key not in made]


def _view(runs: list[Run]) -> dict[str, Any]:
    """What the runs of a group share: access, budget, seed, suspect; and each one's artifacts.

    hashes: by part of the suspect; audited_as: what is no hash, such as its assistant's name and
    the device; artifacts: (technique, kind, hash).
    """
    access = Access.parse(runs[0].access) if runs else Access.NONE
    shared = {k: v for run in runs for k, v in run.fingerprints.items() if v and k != "artifacts"}
    artifacts = {
        (run.technique, kind, str(made))
        for run in runs
        for kind, made in _mapping(run.fingerprints.get("artifacts")).items()
    }
    return {
        "access": [(name, name in access.names) for name in Access.EVERYTHING.names],
        "budget": dict(runs[0].budget) if runs else {},
        "seed": runs[0].seed if runs else "none",
        "started": min((run.started for run in runs), default=""),
        "audited_as": [(k, str(v)) for k, v in sorted(shared.items()) if k in _NO_HASHES],
        "hashes": [(k, str(v)) for k, v in sorted(shared.items()) if k not in _NO_HASHES],
        "artifacts": sorted(artifacts),
    }


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _row(run: Run, shown: list[dict[str, Any]]) -> dict[str, Any]:
    mine = [finding for finding in shown if finding["run"].id == run.id]
    return {"run": run, "findings": mine, "anchor": f"r-{run.id}"}


def _finding(entry: Entry, run: Run) -> dict[str, Any]:
    finding = entry.finding
    pieces = evidence.views(finding, entry.id)
    points_to = finding.points_to
    first = next((e for e in finding.evidence if isinstance(e, Measurement)), None)
    return {
        "id": entry.id,
        "claim": finding.claim,
        "confidence": finding.confidence,
        "accuses": finding.accuses,
        "hypothesis": named(points_to) if points_to else [],
        "evidence": pieces,
        "headline": next((p for p in pieces if p["kind"] == "measurement"), None)
        if first
        else None,
        "metadata": sorted((key, str(value)) for key, value in finding.metadata.items()),
        "amendments": entry.amendments,
        "run": run,
    }


def _first_anchors(shown: list[dict[str, Any]]) -> dict[str, str]:
    """Training row id to the first excerpt that shows it."""
    anchors: dict[str, str] = {}
    for finding in shown:
        for piece in finding["evidence"]:
            if piece["kind"] == "excerpt":
                anchors.setdefault(piece["document"], piece["anchor"])
    return anchors


def _cell(value: object) -> object:
    return evidence.show(value) if isinstance(value, (int, float)) else value


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
