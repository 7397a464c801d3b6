"""Beside every page of the bench: the suspect that is chosen, what was found so far, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Finding
from workbench.suspects import Suspect
from workbench.suspects.cabinet import bundled, describe, find
from workbench.ui import components
from workbench.ui.bench import bench, overview
from workbench.ui.components import put, safe
from workbench.ui.jobs import Jobs
from workbench.ui.where import chosen, enter, go, guarded, parameter, remember

FOUND_SHOWN = 4


class OwnSuspect:
    """A room of the bench: everything that a suspect's card grants, and no meter."""

    key = "bench"
    lacking: Mapping[str, str] = {
        "chat": "Its directory has no chat template, or its card does not grant chat.",
        "prefill": "This suspect's card does not list prefill.",
        "training-data": "A suspect.json beside the weights grants it: it names a `corpus` in the "
        "directory.",
        "activations": "An SAE reads the suspect's activations on the rows it was trained on.",
        "reference": "Its card names none: what is usual for it cannot be told here.",
    }

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def access(self) -> Access:
        return granted(self.name)

    @property
    def jobs(self) -> Jobs:
        return bench().jobs

    def suspect(self) -> Suspect:
        return bench().suspect(self.name)

    def source(self) -> str:
        return self.name

    def rows(self, question: str, **arguments: Any) -> Any:
        held = bench()
        desk = held.contrasts if question == "contrast" else held.library
        return desk.ask(question, suspect=self.name, **arguments)

    def latents(self, question: str, **arguments: Any) -> Any:
        return bench().features.ask(question, suspect=self.name, **arguments)

    def keep(self, finding: Finding) -> str:
        return bench().keep(self.name, finding)

    def left(self, meter: str, of: str = "suspect") -> int | None:
        return None

    def price(self, meter: str) -> str:
        return ""


def card(source: str) -> dict[str, Any]:
    """The suspect's public card with its hashes; raises what `describe` raises."""
    home = find(source)
    files = sorted({tensor.file for tensor in home.tensors})
    files += [home.path / "suspect.json", home.files.path / "config.json"]
    stamp = tuple(f.stat().st_mtime_ns if f.is_file() else 0 for f in files)
    return _card(source, str(home.path), stamp)


def granted(source: str) -> Access:
    """What the suspect grants."""
    return Access.parse(card(source)["access"])


def settle() -> None:
    """Which suspect: the URL's, else the one of this visit, else the first bundled organism."""
    named = parameter("suspect") or chosen() or _first()
    enter(OwnSuspect(named) if named else None)


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
        f"<li>{safe(components.cut(f['claim']))}<br>{components.confidence(f['confidence'])}</li>"
        for f in [*best, *rest][:FOUND_SHOWN]
    )
    put(f'<ul class="wb-found">{shown}</ul>')
    go("findings", "All findings of this suspect", of=name)


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
