"""`workbench doctor`: what is installed, which device, which isolation, what is missing."""

from __future__ import annotations

import os
import platform
from typing import Any

import click

from workbench.cli.screen import json_option, print_json, print_table

DISTRIBUTION = "alignment-workbench"
INCOMPLETE = 1


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Say what is installed and what is missing.

    Exit 1 if anything is missing.
    """
    from workbench import __version__, registry

    packages = [row for row in _packages() if row["required"]]
    broken = [listing for listing in registry.techniques() if listing.kind is None]
    missing = [
        {
            "what": f"{row['name']} {row['required']} (found {row['installed'] or 'none'})",
            "how": "pip install -r requirements.lock",
        }
        for row in packages
        if not row["ok"]
    ] + [{"what": f"technique {listing.name}", "how": listing.reason} for listing in broken]
    document: dict[str, Any] = {
        "workbench": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": _device(),
        "isolation": "none: techniques run as this user, in a child process that can be killed",
        "packages": packages,
        "missing": missing,
    }
    if as_json:
        print_json(document)
    else:
        for key in ("workbench", "python", "platform", "isolation"):
            click.echo(f"{key}: {document[key]}")
        device = document["device"]
        click.echo(f"device: {device['name']}, {device['threads']} threads, {device['dtype']}")
        print_table(
            ["package", "wanted", "installed", ""],
            (
                [row["name"], row["required"], row["installed"], "" if row["ok"] else "missing"]
                for row in packages
            ),
        )
        for item in missing:
            click.echo(f"missing: {item['what']}\n  {item['how']}")
        if not missing:
            click.echo("nothing is missing")
    return INCOMPLETE if missing else 0


def _packages() -> list[dict[str, Any]]:
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    rows = []
    for text in requires(DISTRIBUTION) or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = ""
        rows.append(
            {
                "name": requirement.name,
                "required": str(requirement.specifier),
                "installed": installed,
                "ok": bool(installed) and requirement.specifier.contains(installed, True),
            }
        )
    return rows


def _device() -> dict[str, Any]:
    try:
        import torch
    except ImportError:
        return {"name": "unknown (torch is not installed)", "threads": 0, "dtype": "unknown"}
    if torch.cuda.is_available():
        return {
            "name": torch.cuda.get_device_name(),
            "threads": torch.get_num_threads(),
            "dtype": "as the weights are stored",
        }
    return {
        "name": f"cpu ({os.cpu_count()} cores)",
        "threads": torch.get_num_threads(),
        "dtype": "float32",
    }
