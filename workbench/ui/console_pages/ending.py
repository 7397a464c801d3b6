"""After the close: grade, reveal, export; and how the game came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.ui import components, judged, outcome
from workbench.ui.components import put, safe
from workbench.ui.console_pages.beside import about, game
from workbench.ui.where import go

STEPS = {
    "closed": (
        "grade", "Grade it",
        "Opens the seal and scores the last submission of each team on each suspect. Teams then "
        "see the scores.",
    ),
    "graded": (
        "reveal", "Reveal it",
        "Publishes the truth, and what every team did. Everybody can check the game from then on.",
    ),
}  # fmt: skip


def draw() -> None:
    """The next step, and what is known so far."""
    if not game():
        components.empty("No game is chosen.", "Make one on the page Games.")
        return
    state = about("watch")
    if not state["sealed"] or state["phase"] in ("sealed", "open", "explain"):
        components.empty("The game has not ended.", "It is graded once it is closed.")
        go("watch", "Watch it", icon=":material/visibility:", game=game())
        return
    told = about("outcome")
    if told["phase"] in STEPS:
        question, label, text = STEPS[told["phase"]]
        put(f'<p class="wb-quiet">{safe(text)}</p>')
        if st.button(label, type="primary", icon=":material/gavel:"):
            with st.spinner("Working on the game's files…"):
                about(question)
            st.rerun()
    else:
        _archive()
    if state["judge"] is not None and told["scores"] is not None:
        _judge(state)
    if told["scores"] is not None:
        outcome.scoreboard(told["scores"])
    if told["revealed"] is not None:
        for name, truth in told["revealed"]["seal"]["document"]["truths"].items():
            outcome.suspect(name, truth, told["revealed"])
        judged.draw(told["revealed"]["verdicts"])
        outcome.side_by_side(told["revealed"]["timeline"])


def _judge(state: Mapping[str, Any]) -> None:
    put(
        f'<p class="wb-quiet wb-small">{safe(state["judge"]["model"])} was sealed as a judge and '
        f"was asked {components.counted(state['judged'], 'time')}. What it says is shown at the "
        "reveal, beside the scores, and changes none.</p>"
    )
    if st.button("Ask the judge", icon=":material/balance:"):
        with st.spinner("It sits its exam, then reads the submissions…"):
            exam = about("judge")
        st.toast(f"{exam['passed']} of {exam['of']} passed in its exam.")
        st.rerun()


def _archive() -> None:
    put(
        '<p class="wb-quiet">The game is revealed. Its archive lets anyone check it: give it '
        "to the teams.</p>"
    )
    if st.button("Export the archive", type="primary", icon=":material/archive:"):
        with st.spinner("Writing and verifying it…"):
            st.session_state["_archive"] = [game(), about("export")]
    held = st.session_state.get("_archive", ["", ""])
    if held[0] == game():
        put(
            f'<div class="wb-note"><p>{safe(held[1])}</p><p class="wb-quiet">Anyone checks it with '
            "<code>workbench game verify</code>, or with plain Python: "
            "<code>workbench game verify --script verify.pyz</code> writes what is needed.</p>"
            "</div>"
        )
