"""Where I am: what the URL holds of it, the room I am in, and the ways to other pages."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.ui import components
from workbench.ui.room import Room

log = logging.getLogger("workbench.ui")
_WIDGETS = ("how", "words", "pattern", "show", "traced")
"""Widgets that share their name with the part of the URL that they are bound to."""


@contextmanager
def guarded() -> Iterator[None]:
    """Shows what goes wrong as two lines, with a number for the log where it was not expected."""
    try:
        yield
    except WorkbenchError as error:
        components.failed(error)
    except Exception as error:  # the boundary of the app: no traceback on a page
        number = secrets.token_hex(4)
        log.exception("page failed, %s", number)
        components.failed(
            WorkbenchError(
                f"this page failed ({type(error).__name__})",
                hint="Reload it; if it fails again, report it with the log.",
            ),
            number,
        )


def parameter(name: str, default: str = "") -> str:
    """A part of the state that the URL holds."""
    return str(st.query_params.get(name, default))


def remember(**values: str) -> None:
    """Puts parts of the state into the URL; empty ones leave it."""
    for name, value in values.items():
        if value:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


def chosen() -> str:
    """The suspect's name or path; empty where none is chosen and none is there."""
    return str(st.session_state.get("_suspect", ""))


def enter(room: Room | None) -> None:
    """Goes into a room, whose suspect is the chosen one from now on; None: no suspect is there."""
    st.session_state["_room"] = room
    st.session_state["_suspect"] = "" if room is None else room.name
    if room is not None and parameter("suspect") != room.name:
        remember(suspect=room.name)


def room() -> Room:
    """The room that was entered, where a suspect is chosen."""
    entered: Room = st.session_state["_room"]
    return entered


def there(page: str) -> bool:
    """Whether this world has a page of that key, to which a link may lead."""
    return page in st.session_state["_pages"]


def go(page: str, label: str, *, icon: str | None = None, key: str = "", **query: str) -> None:
    """A link to a page, the suspect going along; `key` tells apart links within one page.

    Labels are ours; texts from outside travel in `query` alone.
    """
    if page == st.session_state["_page"]:
        st.button(
            label,
            key=f"go {key} {label} {sorted(query.items())}",
            icon=icon,
            type="tertiary",
            on_click=_stay,
            kwargs=query,
        )
        return
    whole = {"suspect": chosen(), **query}
    st.page_link(
        st.session_state["_pages"][page],
        label=label,
        icon=icon,
        query_params={k: v for k, v in whole.items() if v},
    )


def _stay(**query: str) -> None:
    """Goes on within the page: what the query leaves out of the URL is forgotten."""
    for name in set(st.query_params) - {"suspect", "sae"}:
        del st.query_params[name]
    for name, value in query.items():
        if name in _WIDGETS:
            st.session_state[name] = value
    remember(**query)
