"""Runs a battery and auditors over a suite and grades them; goes on where it stopped."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench import registry
from workbench.auditors.leads import CHECKS
from workbench.battery import Battery, SuspectFiles
from workbench.battery import run as run_battery
from workbench.benchmark import auditing, verdicts
from workbench.benchmark.entrants import Entrant, check
from workbench.benchmark.report import FORMAT, read, write
from workbench.benchmark.score import METERED, Outcome, Row, score, tally
from workbench.benchmark.suite import ENTRY
from workbench.errors import ConfigError, SealError
from workbench.ledger import Ledger, Run
from workbench.ledger.records import digest
from workbench.seal.vault import Vault
from workbench.technique import parameters

PACKAGES = ("workbench", "audits", "probes", "saes")

Progress = Callable[[int, int, str, str], None]
"""Called with suspects done, suspects in all, the suspect's id and what happened."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """One suspect of a suite: its directory, public id, and the hash of all that a battery's
    results on it depend on: files, reference, corpus, access, dtype and device class."""

    path: Path
    id: str
    sha256: str


def run(
    suite: Path,
    vault: Vault,
    out: Path,
    battery: Battery | None = None,
    auditors: Sequence[Entrant] = (),
    *,
    artifacts_root: Path,
    engine: str = "local",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Runs the battery, where there is one, and the auditors on every suspect below `suite`.

    A suspect's truth is opened when all are through with it. `out` is written after each one; the
    runs and their evidence go to the ledger `out` with the suffix `.duckdb`, from which auditors
    take what was run before. What is in `out` already is not run again, unless it failed; auditors
    may be added.

    Returns the document that `out` holds: see `score.tally` for its "techniques", and
    `verdicts.tally` for its "auditors". Raises ConfigError when there is no suspect, `out` is of
    another battery or another auditor of the same label, or a suspect has changed; SealError when
    the vault lacks a truth; and what a battery raises.
    """
    check(auditors)
    labels = {} if battery is None else _labels(battery)
    subjects = _subjects(suite)
    sealed = set(vault.ids())
    for subject in subjects:
        if subject.id not in sealed:
            raise SealError(
                f"the vault has no truth of '{subject.id}' ({subject.path})",
                hint="Name the vault that the suite was built with, or move this suspect away.",
            )
    document = _document(battery, labels, auditors, subjects, out)
    done: dict[str, Any] = document["suspects"]
    ledger, code = Ledger(out.with_suffix(".duckdb")), code_sha256()
    tell = progress or _silent
    for count, subject in enumerate(subjects):
        entry = done.get(subject.id)
        waiting = _waiting(entry, subject, auditors, out)
        whole = battery is None or (entry is not None and _whole(entry["outcomes"].values()))
        if whole and not waiting:
            tell(count + 1, len(subjects), subject.id, "done before")
            continue
        tell(count, len(subjects), subject.id, "started")
        runs: list[Run] = []
        if battery is not None and not whole:
            runs = list(run_battery(battery, subject.path, ledger, artifacts_root, engine=engine))
        handed = {}
        for entrant in waiting:
            label = entrant.label
            tell(count, len(subjects), subject.id, f"{label} audits")

            def also(happened: str, at: int = count, id: str = subject.id, by: str = label) -> None:
                tell(at, len(subjects), id, f"{by}: {happened}")

            handed[label] = auditing.run(entrant, subject.path, ledger, artifacts_root, also)
        truth = vault.open(subject.id)
        outcomes = {labels[_identity(one)]: _scored(one, ledger, truth) for one in runs}
        before: Mapping[str, Any] = entry or {}
        done[subject.id] = {
            "sha256": subject.sha256,
            "code": code,
            "family": truth["family"],
            "none": truth["none"],
            "variant": _variant(vault, subject.id),
            "outcomes": before.get("outcomes", {})
            if whole
            else {label: dataclasses.asdict(outcomes[label]) for label in labels.values()},
            "auditors": before.get("auditors", {})
            | {
                label: {"code": code, **dataclasses.asdict(made.judged(truth))}
                for label, made in handed.items()
            },
        }
        _sum_up(document)
        write(document, out)
        tell(count + 1, len(subjects), subject.id, "done")
    return document


def code_sha256() -> str:
    """SHA-256 over names and contents of the installed packages' sources and prompt packs."""
    total = hashlib.sha256()
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(spec.submodule_search_locations[0])
        for file in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".toml")):
            name = f"{package}/{file.relative_to(root).as_posix()}"
            total.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _subjects(suite: Path) -> list[Subject]:
    cards = sorted(suite.glob("*/suspect.json"))
    if not cards:
        raise ConfigError(
            f"{suite} holds no suspects",
            hint="Build one: workbench organism suite build SUITE.toml --out DIR --vault DIR.",
        )
    subjects: dict[str, Subject] = {}
    for card in cards:
        folder = card.parent.resolve()  # a bare name would be looked up among the bundled
        description = SuspectFiles(str(folder)).describe()
        subject = Subject(folder, str(description["id"]), digest(dict(description)))
        if subject.id in subjects:
            raise ConfigError(
                f"{subjects[subject.id].path} and {subject.path} are both '{subject.id}'",
                hint="Every suspect of a suite has an id of its own: remove one.",
            )
        subjects[subject.id] = subject
    return list(subjects.values())


def _labels(battery: Battery) -> dict[str, str]:
    """By technique, version and parameters: its name, and its place where it is twice."""
    techniques = battery.check()
    names = [technique.name for technique in techniques]
    return {
        digest([technique.name, technique.version, parameters(technique)]): technique.name
        if names.count(technique.name) == 1
        else f"{technique.name} #{place}"
        for place, technique in enumerate(techniques, start=1)
    }


def _identity(run: Run) -> str:
    return digest([run.technique, run.version, run.parameters])


def _sum_up(document: dict[str, Any]) -> None:
    """Writes what all suspects come to, by technique and by auditor."""
    entries = document["suspects"].values()
    document["techniques"] = tally([_row(entry) for entry in entries if entry["outcomes"]])
    document["auditors"] = {
        label: verdicts.tally(
            [
                verdicts.Case(entry["family"], entry["none"], _verdict(entry["auditors"][label]))
                for entry in entries
                if label in entry["auditors"]
            ]
        )
        for label in document["entrants"]
    }
    codes = {entry["code"] for entry in entries}
    codes |= {made["code"] for entry in entries for made in entry["auditors"].values()}
    document["code"] = sorted(codes)


def _verdict(parts: Mapping[str, Any]) -> verdicts.Verdict:
    return verdicts.Verdict(**{name: part for name, part in parts.items() if name != "code"})


def _document(
    battery: Battery | None,
    labels: Mapping[str, str],
    auditors: Sequence[Entrant],
    subjects: list[Subject],
    out: Path,
) -> dict[str, Any]:
    wanted: dict[str, Any] = {"name": "none", "sha256": digest(None)}
    if battery is not None:
        access = None if battery.access is None else battery.access.names
        parts = {"techniques": list(labels), "access": access, "budget": battery.budget.to_json()}
        wanted = {"name": battery.name, "sha256": digest({**parts, "seed": battery.seed})}
    document: dict[str, Any] = {
        "format": FORMAT, "battery": wanted, "suspects": {}, "techniques": {},
    }  # fmt: skip
    if out.exists():
        document = read(out)
        if document["battery"]["sha256"] != wanted["sha256"]:
            raise ConfigError(
                f"{out} was made with another battery ('{document['battery']['name']}')",
                hint="Give another --out, or the battery that it was made with.",
            )
        ids = {subject.id for subject in subjects}
        if strangers := sorted(set(document["suspects"]) - ids):
            raise ConfigError(
                f"{out} holds suspects that are not in the suite, such as '{strangers[0]}'",
                hint="Give another --out, or the suite that it was made with.",
            )
        for entry in document["suspects"].values():
            entry.setdefault("auditors", {})
    entrants = document.setdefault("entrants", {})
    for entrant in auditors:
        parts = entrant.document()
        if entrants.setdefault(entrant.label, parts)["sha256"] != parts["sha256"]:
            raise ConfigError(
                f"{out}: '{entrant.label}' was another auditor, or had other parameters",
                hint="Give another --out, or another label.",
            )
    document.setdefault("auditors", {})
    hashes = sorted(subject.sha256 for subject in subjects)
    document["suite"] = {"sha256": digest(hashes), "suspects": len(subjects)}
    return document


def _waiting(
    entry: Mapping[str, Any] | None, subject: Subject, auditors: Sequence[Entrant], out: Path
) -> list[Entrant]:
    """The auditors that have not audited the suspect, or failed at it."""
    if entry is None:
        return list(auditors)
    if entry["sha256"] != subject.sha256:
        raise ConfigError(
            f"{out}: suspect '{subject.id}' has changed since it was run",
            hint="Give another --out, or restore the suspect, device and dtype.",
        )
    made = entry["auditors"]
    return [a for a in auditors if a.label not in made or not _whole([made[a.label]])]


def _whole(outcomes: Iterable[Mapping[str, Any]]) -> bool:
    """Whether none of them broke off."""
    return all(outcome["status"] != "failed" for outcome in outcomes)


def every_technique() -> Battery:
    """Every installed technique that looks for something of itself, with its defaults."""
    return Battery.of(
        listing.name
        for listing in registry.techniques()
        if listing.kind is not None and listing.name not in CHECKS
    )


def _scored(run: Run, ledger: Ledger, truth: Mapping[str, Any]) -> Outcome:
    findings = [entry.finding for entry in ledger.entries(run=run.id)]
    spent = {**run.usage, "seconds": run.seconds}
    cost = {
        meter: float(value) if isinstance(value := spent.get(meter, 0), (int, float)) else 0.0
        for meter in METERED
    }
    return score(run.status, run.reason, findings, truth, cost)


def _row(entry: Mapping[str, Any]) -> Row:
    outcomes = {label: Outcome(**parts) for label, parts in entry["outcomes"].items()}
    variant = entry.get("variant") or {}
    return Row(
        entry["family"],
        entry["none"],
        outcomes,
        secrecy=variant.get("secrecy", ""),
        like=variant.get("like", ""),
    )


def _variant(vault: Vault, id: str) -> dict[str, Any]:
    """How a suite built it, {} where no suite did or its vault is older than that note."""
    if ENTRY not in vault.attached(id):
        return {}
    found = vault.read(id, ENTRY).get("variant")
    return dict(found) if isinstance(found, Mapping) else {}


def _silent(done: int, total: int, suspect: str, happened: str) -> None:
    """Nobody wants to know."""
