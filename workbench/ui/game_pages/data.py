"""The rows that the suspect was trained on: read once on the team's budget, searched freely."""

from __future__ import annotations

import streamlit as st

from workbench.access import Access
from workbench.errors import BudgetExceeded
from workbench.ui import components
from workbench.ui.components import put
from workbench.ui.pages import data
from workbench.ui.visit import seat
from workbench.ui.where import guarded, parameter

WHOSE = {"suspect": "the suspect's", "reference": "its reference's"}


def draw() -> None:
    """What is at hand and what more could be read; the bench's page once something is."""
    access = seat().access
    if Access.TRAINING_DATA not in access:
        components.denied(Access.TRAINING_DATA, seat().lacking["training-data"])
        return
    if not parameter("doc"):
        with guarded():
            _offer("suspect")
            if Access.REFERENCE in access and seat().copied("suspect"):
                _offer("reference")
    if seat().copied("suspect") or parameter("doc"):
        data.draw()


def _offer(of: str) -> None:
    """Reads more rows, with progress; those at hand cost nothing any more."""
    had, whole, left = seat().copied(of), seat().size(of), seat().left("documents", of)
    if had >= whole:
        return
    reach = whole - had if left is None else min(left, whole - had)
    with st.container(border=True):
        bound = "" if left is None else f" Your budget reaches {left:,} more."
        at_hand = f", {had:,} of them at hand" if had else ""
        put(
            f'<p class="wb-claim">Read {WHOSE[of]} training data</p>'
            f'<p class="wb-quiet wb-small">It has {whole:,} rows{at_hand}. Each row that is read '
            f"costs one document of your budget, once; searching costs nothing.{bound}</p>"
        )
        if not reach:
            put('<p class="wb-quiet wb-small">No document is left to read more.</p>')
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            wanted = st.number_input(
                "Rows to read", 1, reach, reach, key=f"rows {of} {had}", width=180
            )
            pressed = st.button(
                "Read the rows", key=f"read {of}", icon=":material/download:",
                type="primary" if of == "suspect" and not had else "secondary",
            )  # fmt: skip
        if pressed:
            _read(of, had, had + int(wanted))


def _read(of: str, start: int, goal: int) -> None:
    bar = st.progress(0.0, text="Reading…")
    at = start
    try:
        while at < goal:
            before, at = at, seat().fetch(of, goal)
            bar.progress(
                (at - start) / (goal - start), text=f"Read {at - start:,} of {goal - start:,} rows"
            )
            if at == before:
                break
    except BudgetExceeded:
        if at == start:
            raise
    st.rerun()
