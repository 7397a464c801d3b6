"""Evidence as a page shows it: texts inert, figures drawn, rows and latents linked."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.findings import Finding
from workbench.report.evidence import show, views
from workbench.ui import components, theme
from workbench.ui.components import put, safe
from workbench.ui.speech import conversation, said
from workbench.ui.where import go

FIRST_SHOWN = 6
"""Pieces of evidence before the rest is folded."""


def draw(finding: Finding, id: str) -> None:
    """All evidence of a finding, in its order."""
    pieces = views(finding, id)
    if not pieces:
        put('<p class="wb-quiet">No evidence is filed with it.</p>')
    for piece in pieces[:FIRST_SHOWN]:
        _piece(piece)
    if len(pieces) > FIRST_SHOWN:
        with st.expander(f"{len(pieces) - FIRST_SHOWN} more pieces of evidence"):
            for piece in pieces[FIRST_SHOWN:]:
                _piece(piece)


def _piece(piece: dict[str, Any]) -> None:
    with st.container(border=True):
        kind = piece["kind"]
        if kind not in ("measurement", "figure"):
            put(f'<p class="wb-figure">{safe(piece["title"])}</p>')
        _DRAWERS[kind](piece)


def _transcript(piece: dict[str, Any]) -> None:
    put(conversation([(turn["role"], turn["content"]) for turn in piece["turns"]]))


def _excerpt(piece: dict[str, Any]) -> None:
    text = piece["before"] + piece["marked"] + piece["after"]
    start = len(piece["before"])
    span = [(start, start + len(piece["marked"]))] if piece["marked"] else []
    put(said(text, role=piece["role"], marked=span))
    go("data", "Open this row", doc=piece["document"])


def _latent(piece: dict[str, Any]) -> None:
    put(
        components.facts(
            [("hook", safe(piece["hook_name"])), ("note", safe(piece["note"] or "none"))], wide=True
        )
    )
    for context in piece["contexts"]:
        put(said(context["text"], role=context["document"]))


def _measurement(piece: dict[str, Any]) -> None:
    unit = piece["unit"]
    (_, value, _, n), (control, other, _, m) = piece["rows"]
    corrected = (
        "" if piece["p"] is None else f" p = {show(piece['p'])} after {piece['tried']:,} tried."
    )
    theme.draw(
        piece["spec"],
        title=f"{piece['title']}: {show(value)} against {show(other)} ({unit})",
        key=piece["anchor"],
        read=f"Filled: the suspect, n = {n:,}. Hollow: {control}, n = {m:,}. "
        f"Bars are 95 % intervals.{corrected}",
    )


def _figure(piece: dict[str, Any]) -> None:
    theme.draw(piece["spec"], title=piece["title"], key=piece["anchor"])


def _malformed(piece: dict[str, Any]) -> None:
    put(f'<p class="wb-quiet">{safe(piece["malformed"])}</p>{said(piece["stored"])}')


_DRAWERS = {
    "transcript": _transcript,
    "excerpt": _excerpt,
    "latent": _latent,
    "measurement": _measurement,
    "figure": _figure,
    "malformed": _malformed,
}
