"""`workbench app`: the bench in the browser."""

from __future__ import annotations

import os
from pathlib import Path

import click

from workbench.cli.screen import ledger_option

ENTRY = Path(__file__).parent.parent / "ui" / "entry" / "bench.py"


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), default=8501, show_default=True)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open a browser.")
@ledger_option
def app(port: int, browser: bool, ledger_file: Path) -> None:
    """Ask suspects, search their training data, read features, run batteries.

    Listens on this machine alone, until interrupted. Findings go to the ledger that the other
    commands use.
    """
    from streamlit.web import bootstrap

    from workbench.ui.theme import options

    os.environ["WORKBENCH_LEDGER"] = str(ledger_file)
    flags = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": not browser,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        **options(),
    }
    bootstrap.load_config_options(flag_options={k.replace(".", "_"): v for k, v in flags.items()})
    bootstrap.run(str(ENTRY), False, [], {k.replace(".", "_"): v for k, v in flags.items()})
