"""A team's pages and the organiser's console for tests: drawn by AppTest, desks in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import Here
from workbench.ui import visit, work
from workbench.ui.console_pages import beside
from workbench.ui.jobs import CANCEL, STATE, Jobs, WorkSettings
from workbench.ui.visit import Lobby, VisitSettings


def _nothing_to_find(self: Any, **options: Any) -> None:
    """Each AppTest looks through all installed packages for components otherwise: 0.2 s."""


BidiComponentManager.discover_and_register_components = _nothing_to_find  # type: ignore[method-assign]

PAGES = (
    "brief", "ask", "data", "features", "probes", "lens", "techniques", "findings", "board",
    "hints", "submit", "explain", "results",
)  # fmt: skip


def team_script(page: str) -> None:
    import dataclasses

    from workbench.ui import main
    from workbench.ui.game_pages import team

    def world():  # type: ignore[no-untyped-def]
        made = team()
        return dataclasses.replace(
            made, leaves=sorted(made.leaves, key=lambda leaf: leaf.key != page)
        )

    main(world)


def console_script(page: str) -> None:
    import dataclasses

    from workbench.ui import main
    from workbench.ui.console_pages import console

    def world():  # type: ignore[no-untyped-def]
        made = console()
        return dataclasses.replace(
            made, leaves=sorted(made.leaves, key=lambda leaf: leaf.key != page)
        )

    main(world)


@contextmanager
def lobby(url: str, token: str = "", practice: Path | None = None) -> Iterator[Lobby]:
    """The process of a team's pages, for one team or, without a token, for all."""
    made = visit.open_lobby(VisitSettings(url, token, practice))
    for name in ("library", "contrasts", "fetching"):
        setattr(made, name, Here("workbench.ui.reads.corpus"))
    made.inside = lambda visit: (_Outside(), _Outside())  # type: ignore[assignment, return-value]
    try:
        yield made
    finally:
        made.close()


class _Outside:
    """Stands for the processes that read SAEs: none is there, and none is started."""

    def listed(self, kind: str, suspect: str) -> list[Any]:
        return []

    def ask(self, question: str, **arguments: Any) -> Any:
        answers = {
            "shelf": {"saes": [], "hooks": ["blocks.0.hook_out"]},
            "probes": [],
            "lens_costs": {"forward_passes": 4, "tokens": 40},
        }
        return answers[question]


def opened(page: str = "brief", *, team: Any = None, **query: str) -> AppTest:
    """A page in a new session. team: a visit that has begun, where each visitor gives a token."""
    app = AppTest.from_function(team_script, default_timeout=180, kwargs={"page": page})
    if team is not None:
        app.session_state["_visit"] = team
    return drawn(app, query)


def console(folder: Path, page: str = "games", *, inside: bool = True, **query: str) -> AppTest:
    """A page of the console of a folder; inside: the key was given."""
    made = beside.open_console(beside.ConsoleSettings(folder, "the-key"))
    made.office = Here("workbench.game.office")  # type: ignore[assignment]
    app = AppTest.from_function(console_script, default_timeout=60, kwargs={"page": page})
    if inside:
        app.session_state["_opened"] = True
    return drawn(app, query)


def drawn(app: AppTest, query: dict[str, str]) -> AppTest:
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job is over when it has been begun: it is done in this process."""

    def launch(self: Jobs, id: str) -> None:
        folder = self._folder / id
        asked = json.loads((folder / "job.json").read_text())
        for name in (CANCEL, STATE):
            (folder / name).unlink(missing_ok=True)
        work.main(WorkSettings(folder, asked["kind"], asked["arguments"]))

    monkeypatch.setattr(Jobs, "_launch", launch)


def html(app: AppTest) -> str:
    """All that the page shows through `st.html`."""
    return "\n".join(element.proto.body for element in app.get("html"))


def everything(app: AppTest) -> bytes:
    """All that the page sends to the browser: every element and every block, as it goes out."""

    def walk(block: Any) -> Iterator[bytes]:
        if getattr(block, "proto", None) is not None:
            yield block.proto.SerializeToString()
        for child in getattr(block, "children", {}).values():
            yield from walk(child)

    return b"\n".join(walk(app._tree))


def press(app: Any, label: str) -> Any:
    (button,) = [b for b in app.button if b.label == label]
    return button.click().run()
