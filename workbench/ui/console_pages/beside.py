"""The console's door, which game is chosen, and the desk that works on its files."""

from __future__ import annotations

import atexit
import dataclasses
import hmac
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.desk import Desk
from workbench.ui.jobs import Jobs
from workbench.ui.where import guarded, parameter, remember


@dataclasses.dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """folder: where the games' files lie. key: what whoever opens the console has to give."""

    folder: Path
    key: str = dataclasses.field(repr=False)


class Console:
    """One for the process: its settings, the desk that holds hosts and opens seals, and the jobs
    that build suspects."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self.settings = settings
        self.office = Desk("workbench.game.office")
        self.jobs = Jobs(settings.folder / "builds")
        atexit.register(self.office.close)
        atexit.register(self.jobs.close)

    def source(self) -> str:
        """What its jobs are about: the folder of the games."""
        return str(self.settings.folder)


_console: Console | None = None


def open_console(settings: ConsoleSettings) -> Console:
    """Says, once, whose console this process is."""
    global _console
    _console = Console(settings)
    return _console


def console() -> Console:
    """The one of this process."""
    assert _console is not None, "open_console comes first"
    return _console


def ask(question: str, **arguments: Any) -> Any:
    """An answer of the office."""
    return console().office.ask(question, **arguments)


def about(question: str, **arguments: Any) -> Any:
    """An answer about the game that is chosen."""
    return ask(question, file=str(console().settings.folder / f"{game()}.toml"), **arguments)


def game() -> str:
    """The name of the chosen game; empty where there is none."""
    return str(st.session_state.get("_game", ""))


def door() -> bool:
    """Whether the key was given; else a form for it. Other users of the machine reach the port."""
    if st.session_state.get("_opened") is True:
        return True
    st.title("The organiser's console")
    with st.form("door", border=False):
        key = st.text_input(
            "Key", type="password", help="It was printed where the console was started."
        )
        pressed = st.form_submit_button("Open", type="primary", icon=":material/login:")
    if pressed:
        if hmac.compare_digest(key.strip().encode(), console().settings.key.encode()):
            st.session_state["_opened"] = True
            st.rerun()
        components.empty("That is not the key.", "It was printed where the console was started.")
    return False


def settle() -> None:
    """Which game: the URL's, else that of this visit, else the newest."""
    with guarded():
        rows = ask("listed", folder=str(console().settings.folder))
        st.session_state["_games"] = rows
        names = [row["name"] for row in rows if not row["error"]]
        wanted = (parameter("game"), game(), *reversed(names))
        st.session_state["_game"] = next((name for name in wanted if name in names), "")
        if game() and parameter("game") != game():
            remember(game=game())


def games() -> list[dict[str, Any]]:
    """The games of the folder."""
    listed: list[dict[str, Any]] = st.session_state.get("_games", [])
    return listed


def sidebar() -> None:
    """The games to choose from."""
    names = [row["name"] for row in games() if not row["error"]]

    def change() -> None:
        remember(game=st.session_state["_pick"])

    with st.sidebar:
        if names:
            st.session_state["_pick"] = game()
            st.selectbox("Game", names, key="_pick", on_change=change)
        put(f'<p class="wb-quiet wb-small">Games in {safe(console().settings.folder)}</p>')


def choose(name: str) -> None:
    """Makes a game the chosen one, from now on."""
    st.session_state["_game"] = name
    remember(game=name)
