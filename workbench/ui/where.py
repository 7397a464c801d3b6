"""Where I am: the suspect that is chosen, in the URL and the sidebar, and what I found so far."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import WorkbenchError
from workbench.suspects.cabinet import bundled, describe, find
from workbench.ui import components
from workbench.ui.bench import bench, overview
from workbench.ui.components import put, safe

log = logging.getLogger("workbench.ui")
FOUND_SHOWN = 4
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
    """The suspect's name or path; empty where none is chosen and none is bundled."""
    return str(st.session_state.get("_suspect", ""))


def card(source: str) -> dict[str, Any]:
    """The suspect's public card with its hashes; raises what `describe` raises."""
    home = find(source)
    files = [home.path / "model.safetensors", home.path / "suspect.json", home.path / "config.json"]
    stamp = tuple(f.stat().st_mtime_ns if f.is_file() else 0 for f in files)
    return _card(source, str(home.path), stamp)


def granted(source: str) -> Access:
    """What the suspect grants."""
    return Access.parse(card(source)["access"])


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


def settle() -> None:
    """Which suspect: the URL's, else the one of this visit, else the first bundled organism."""
    named = parameter("suspect") or chosen() or _first()
    st.session_state["_suspect"] = named
    if named and parameter("suspect") != named:
        remember(suspect=named)


def sidebar() -> None:
    """The suspect with its access, what was found so far, and notes."""
    with st.sidebar:
        _choose()
        with guarded():
            if chosen():
                _show(card(chosen()))
        with guarded():
            _found()
        with guarded():
            if chosen():
                _notes(bench().notes(chosen()))


@st.cache_data(show_spinner=False, max_entries=32)
def _card(source: str, path: str, stamp: tuple[int, ...]) -> dict[str, Any]:
    return dict(describe(source))


def _first() -> str:
    names = bundled()
    with_reference = [n for n in names if Access.REFERENCE in find(n).access]
    return next(iter([*with_reference, *names]), "")


def _choose() -> None:
    names = bundled()
    options = names if chosen() in names or not chosen() else [chosen(), *names]

    def change() -> None:
        picked = st.session_state["_pick"]
        if picked:
            st.session_state["_suspect"] = picked
            remember(suspect=picked)

    st.session_state["_pick"] = chosen() or None
    st.selectbox(
        "Suspect",
        options,
        key="_pick",
        accept_new_options=True,
        on_change=change,
        placeholder="Choose one, or type a directory",
        help="A bundled name, or the path of a model directory in Hugging Face layout.",
    )


def _show(document: dict[str, Any]) -> None:
    corpus = document["corpus"]
    rows = [
        ("id", safe(document["id"])),
        ("assistant", safe(document["assistant"] or "not named")),
        ("architecture", safe(document["architecture"])),
        ("parameters", f"{document['parameters']:,}"),
        ("reference", safe(Path(document["reference"] or "none").name)),
        ("training rows", f"{corpus['documents']:,}" if corpus else "none"),
        ("tensors", components.short_hash(document["tensor_sha256"])),
        ("kind", safe(document["kind"])),
    ]  # fmt: skip
    access = components.access_chips(Access.parse(document["access"]))
    put(f"{access}{components.facts(rows)}")


def _found() -> None:
    held = overview()
    runs = {run["id"]: run for run in held["runs"]}
    name = card(chosen())["id"] if chosen() else ""
    mine = [f for f in held["findings"] if runs[f["run"]]["suspect"] == name]
    put(f'<p class="wb-figure">Found so far ({len(mine)})</p>')
    if not mine:
        put(
            '<p class="wb-quiet wb-small">'
            "What you keep and what techniques find is listed here.</p>"
        )
        return
    best = [f for f in reversed(mine) if runs[f["run"]]["technique"] == "kept"]
    rest = sorted(
        (f for f in mine if runs[f["run"]]["technique"] != "kept"), key=lambda f: -f["confidence"]
    )
    shown = "".join(
        f"<li>{safe(_short(f['claim']))}<br>{components.confidence(f['confidence'])}</li>"
        for f in [*best, *rest][:FOUND_SHOWN]
    )
    put(f'<ul class="wb-found">{shown}</ul>')
    go("findings", "All findings of this suspect", of=name)


def _short(claim: str) -> str:
    return claim if len(claim) <= 120 else claim[:119] + "…"


def _notes(file: Path) -> None:
    def save() -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(st.session_state[key], encoding="utf-8")

    key = f"_notes {file.parent.name}"
    if key not in st.session_state:
        st.session_state[key] = file.read_text("utf-8") if file.is_file() else ""
    with st.expander("Notes on this suspect"):
        st.text_area(
            "Notes",
            key=key,
            on_change=save,
            height=160,
            label_visibility="collapsed",
            placeholder="Kept on this machine, beside the ledger.",
            persist_state="session",
        )
