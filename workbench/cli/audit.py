"""`workbench audit`: run techniques on a suspect, or check a battery without a model."""

from __future__ import annotations

import dataclasses
import tomllib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.access import METERS, Access, Budget
from workbench.cli.screen import json_option, ledger_option, print_json, print_table
from workbench.cli.summary import finding_cells
from workbench.errors import ConfigError

if TYPE_CHECKING:
    from workbench.battery import Battery
    from workbench.ledger import Entry, Run

INCOMPLETE = 1
REACHED = 100


@click.group()
def audit() -> None:
    """Run techniques on a suspect; check a battery."""


@audit.command()
@click.argument("battery_file", metavar="[BATTERY.toml]", required=False, type=Path)
@click.option("--technique", "names", multiple=True, metavar="NAME", help="May be repeated.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="TECHNIQUE.PARAMETER=VALUE",
    help="A parameter; VALUE as in TOML, a bare word is text. May be repeated.",
)
@click.option(
    "--suspect",
    required=True,
    help="Bundled name, directory, hf:ORG/NAME[@REVISION], or the URL of a host.",
)
@click.option(
    "--token",
    default="",
    envvar="WORKBENCH_TOKEN",
    help="For a host; better given as WORKBENCH_TOKEN, which other users do not see.",
)
@click.option("--adapter", metavar="DIR", help="A PEFT adapter on top of the suspect.")
@click.option("--reference", metavar="SUSPECT", help="The suspect's base model.")
@click.option(
    "--reward", metavar="DIR|FILE.py:FUNCTION", help="The reward model that trained the suspect."
)
@click.option("--device", default="auto", show_default=True)
@click.option("--dtype", default="auto", show_default=True)
@click.option("--access", metavar="LIST", help="Less than what the suspect grants, as chat,logits.")
@click.option(
    "--budget",
    "bounds",
    multiple=True,
    metavar="METER=AMOUNT",
    help=f"For each technique; METER is one of {', '.join(METERS)}. May be repeated.",
)
@click.option("--seed", type=int, help="Overrides the battery's.")
@click.option("--engine", default="local", show_default=True, metavar="local|processes|ray")
@click.option("--no-resume", is_flag=True, help="Run again what the ledger already holds.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first technique that fails.")
@click.option(
    "--fail-on",
    type=click.FloatRange(0, 1),
    metavar="CONFIDENCE",
    help="Exit 100 when a finding has at least this confidence.",
)
@ledger_option
@json_option
def run(
    battery_file: Path | None,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    suspect: str,
    token: str,
    adapter: str | None,
    reference: str | None,
    reward: str | None,
    device: str,
    dtype: str,
    access: str | None,
    bounds: tuple[str, ...],
    seed: int | None,
    engine: str,
    no_resume: bool,
    fail_fast: bool,
    fail_on: float | None,
    ledger_file: Path,
    as_json: bool,
) -> int:
    """Run techniques on a suspect and file findings.

    Takes a battery file or the techniques named. Exit 1 when a technique failed, which wins
    over 100.
    """
    from workbench.battery import Battery, SuspectFiles
    from workbench.battery import run as run_battery
    from workbench.cli.progress import watch
    from workbench.config import artifacts_root
    from workbench.ledger import Ledger

    if (battery_file is None) == (not names):
        raise click.UsageError("give either a battery file or --technique")
    battery = Battery.load(battery_file) if battery_file else Battery.of(names)
    battery = _changed(battery, settings, access, bounds, seed)
    source = SuspectFiles(
        suspect,
        adapter=adapter,
        reference=reference,
        reward=reward,
        device=device,
        dtype=dtype,
        token=token,
    )
    ledger = Ledger(ledger_file)
    with watch(battery, ledger) as progress:
        runs = run_battery(
            battery,
            source,
            ledger,
            artifacts_root(),
            engine=engine,
            resume=not no_resume,
            fail_fast=fail_fast,
            progress=progress,
        )
        with closing(runs):  # type: ignore[type-var]
            made = list(runs)
    filed = [(one, ledger.entries(run=one.id)) for one in made]
    complete = len(made) == len(battery.steps) and all(one.status != "failed" for one in made)
    if as_json:
        print_json(_document(filed, complete))
    else:
        _print(filed, ledger_file)
    if not complete:
        return INCOMPLETE
    confidences = [e.finding.confidence for _, entries in filed for e in entries]
    return REACHED if fail_on is not None and any(c >= fail_on for c in confidences) else 0


@audit.command()
@click.argument("battery_file", metavar="BATTERY.toml", type=Path)
@json_option
def check(battery_file: Path, as_json: bool) -> None:
    """Check a battery without loading a model."""
    from workbench.battery import Battery
    from workbench.technique import parameters

    battery = Battery.load(battery_file)
    techniques = battery.check()
    if as_json:
        print_json(
            {
                "name": battery.name,
                "access": None if battery.access is None else battery.access.names,
                "budget": battery.budget.to_json(),
                "seed": battery.seed,
                "techniques": [
                    {"name": t.name, "version": t.version, "parameters": parameters(t)}
                    for t in techniques
                ],
            }
        )
        return
    click.echo(f"{battery_file}: ok, {len(techniques)} techniques")
    print_table(
        ["technique", "needs", "parameters"],
        (
            [
                t.name,
                ", ".join(t.needs.names),
                ", ".join(f"{name} = {value}" for name, value in parameters(t).items()),
            ]
            for t in techniques
        ),
    )


def _changed(
    battery: Battery,
    settings: tuple[str, ...],
    access: str | None,
    bounds: tuple[str, ...],
    seed: int | None,
) -> Battery:
    """The battery with what the command line says otherwise."""
    changes: dict[str, Any] = {}
    if settings:
        steps = list(battery.steps)
        for setting in settings:
            name, parameter, value = _setting(setting)
            places = [i for i, step in enumerate(steps) if step.technique == name]
            if len(places) != 1:
                raise ConfigError(
                    f"--set {setting}: the battery has '{name}' {len(places)} times",
                    hint=f"It runs: {', '.join(step.technique for step in steps)}.",
                )
            step = steps[places[0]]
            given = {**step.parameters, parameter: value}
            steps[places[0]] = dataclasses.replace(step, parameters=given)
        changes["steps"] = tuple(steps)
    if access is not None:
        changes["access"] = Access.parse(access)
    if bounds:
        changes["budget"] = Budget.parse(
            battery.budget.to_json() | dict(pair(bound, "--budget") for bound in bounds)
        )
    if seed is not None:
        changes["seed"] = seed
    return dataclasses.replace(battery, **changes)


def _setting(text: str) -> tuple[str, str, Any]:
    path, value = pair(text, "--set")
    technique, dot, parameter = path.partition(".")
    if not dot or not technique or not parameter:
        raise ConfigError(
            f"--set {text}: no technique and parameter", hint="Write TECHNIQUE.PARAMETER=VALUE."
        )
    return technique, parameter, value


def pair(text: str, option: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as in TOML; a bare word is text. Raises ConfigError without a '='."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"{option} {text}: there is no '='", hint="Write NAME=VALUE.")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _document(filed: list[tuple[Run, list[Entry]]], complete: bool) -> dict[str, Any]:
    return {
        "run_group": filed[0][0].group,
        "suspect": filed[0][0].suspect,
        "status": "ok" if complete else "incomplete",
        "runs": [
            {
                "id": run.id,
                "technique": run.technique,
                "status": run.status,
                "reason": run.reason,
                "planned": run.planned,
                "ran": run.ran,
                "errored": run.errored,
                "refused": run.refused,
                "unscored": run.unscored,
                "seconds": run.seconds,
                "cached": run.cached,
                "findings": [_listed(entry) for entry in entries],
            }
            for run, entries in filed
        ],
    }


def _listed(entry: Entry) -> dict[str, Any]:
    document = entry.finding.to_json()
    return {
        "id": entry.id,
        "claim": document["claim"],
        "confidence": document["confidence"],
        "points_to": document["points_to"],
        "evidence_count": len(entry.finding.evidence),
    }


def _print(filed: list[tuple[Run, list[Entry]]], ledger_file: Path) -> None:
    rows: list[list[str]] = []
    for run, entries in filed:
        status = f"{run.status}, cached" if run.cached else run.status
        for entry in sorted(entries, key=lambda entry: -entry.finding.confidence):
            rows.append([run.technique, status, *finding_cells(entry.finding)])
        if not entries or run.status == "failed":
            silent = f"found nothing ({run.ran} of {run.planned} ran)"
            rows.append([run.technique, status, run.reason or silent, "", "", ""])
    print_table(
        ["technique", "status", "claim", ">confidence", "value against control", "evidence"], rows
    )
    cached = sum(run.cached for run, _ in filed)
    failed = sum(run.status == "failed" for run, _ in filed)
    click.echo(
        f"{len(filed)} techniques on {filed[0][0].suspect}: {cached} from the ledger, "
        f"{len(filed) - cached} run now, {failed} failed; ledger: {ledger_file}"
    )
