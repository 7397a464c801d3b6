"""`workbench play`: a practice game for one person, in the browser."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from workbench.cli.app import page_options
from workbench.cli.budgets import budget_options, given_budget

if TYPE_CHECKING:
    from workbench.ui.visit import VisitSettings

START_SECONDS = 60.0
LOOK_SECONDS = 0.5
SAMPLES = 500


@click.command()
@click.option("--fresh", is_flag=True, help="Build a new suspect first; it takes some minutes.")
@click.option("--access", metavar="LIST", help="What you may do; all that can be served if left.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/play"),
    show_default=True,
    help="Where games are kept.",
)
@page_options(8502)
@budget_options
def play(
    fresh: bool,
    access: str | None,
    hours: float,
    folder: Path,
    port: int,
    browser: bool,
    **bounds: int | None,
) -> None:
    """Play a practice game: a suspect drawn in secret, sealed, to be audited in the browser.

    Ends with Ctrl-C. When you say that you are done, it is graded, the truth is shown, and the
    techniques run on the same suspect, so that you see what each of them would have shown. Without
    a budget you have 500 samples.
    """
    from workbench.errors import WorkbenchError
    from workbench.game import practice
    from workbench.ui.serve import refuse_taken
    from workbench.ui.visit import VisitSettings

    signal.signal(signal.SIGTERM, _interrupt)
    refuse_taken(port)
    own = practice.new_folder(folder)
    if fresh:
        from workbench.cli.organism import training_progress

        with training_progress("a new suspect") as progress:
            suspect = practice.build(own, progress)
    else:
        suspect = practice.draw()
    budget = {m: int(n) for m, n in given_budget(bounds).to_json().items()} or {"samples": SAMPLES}
    click.echo("sealing the suspect and starting the game…", err=True)
    with practice.playing(own, suspect, access=access, hours=hours, budget=budget) as game:
        settings = VisitSettings(game.host.url, game.token, own.resolve())
        with _pages(settings, port, browser) as url:
            click.echo(f"play: {url}")
            click.echo("stop it: Ctrl-C")
            while not game.ended():
                time.sleep(LOOK_SECONDS)
            for name, made in game.reveal().items():
                click.echo(f"the game is over: suspect {name}, {made['points']} points")
            click.echo(f"archive: {own / practice.ARCHIVE}")
            click.echo("the techniques run now, for the page Results…", err=True)
            try:
                game.explain()
            except WorkbenchError as error:  # the results stay on the page
                click.echo(f"they could not be run: {error.message}", err=True)
            click.echo("read on the page; stop it: Ctrl-C")
            game.host.wait()


@contextmanager
def _pages(settings: VisitSettings, port: int, browser: bool) -> Iterator[str]:
    """The player's pages in a process of their own; where they are."""
    from workbench.errors import SuspectError
    from workbench.host.processes import start
    from workbench.ui.serve import ADDRESS, Served, ServedTeam

    url = f"http://{ADDRESS}:{port}"
    given = ServedTeam(Served("team", port, browser), settings)
    process = start("workbench.ui.serve:serve_team", given, ())
    try:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
                break
            time.sleep(0.1)
        else:
            raise SuspectError("the pages did not start", hint="See what was printed above.")
        yield url
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
