"""After the end: scores, then the truth, and what every team did, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.errors import GameClosed
from workbench.ui import components, judged, outcome
from workbench.ui.components import put, safe
from workbench.ui.game_pages import practice
from workbench.ui.visit import here, lobby
from workbench.ui.where import guarded


def draw() -> None:
    """As much as the phase shows."""
    phase = here().brief(now=True)["phase"]
    if phase not in ("graded", "revealed"):
        components.empty(
            "Scores and truth will be here.",
            "They come when the organiser has closed and graded the game; nothing comes before.",
        )
        return
    try:
        scores = here().team.scores()
        revealed = here().team.reveal() if phase == "revealed" else None
    except GameClosed:  # the phase has just changed
        st.rerun()
    outcome.scoreboard(scores, here().brief()["team"])
    if revealed is None:
        components.empty("The truth is still sealed.", "It comes with the reveal.")
        return
    document = revealed["seal"]["document"]
    for name, truth in document["truths"].items():
        outcome.suspect(name, truth, revealed)
    judged.draw(revealed["verdicts"])
    folder = lobby().settings.practice
    if folder is not None:
        with guarded():
            practice.draw(folder)
    outcome.side_by_side(revealed["timeline"])
    _check(revealed)


def _check(revealed: Mapping[str, Any]) -> None:
    st.header("Check it yourself")
    put(
        '<p class="wb-small">Ask the organiser for the archive, then '
        "<code>workbench game verify game.tar --receipt receipt.json</code>: seal, log, budgets, "
        "submissions and scores are checked again, with plain Python.</p>"
        + components.facts(
            [
                ("commitment", components.short_hash(here().brief()["commitment"])),
                ("nonce", components.short_hash(revealed["seal"]["nonce"])),
                ("isolation reached", safe(revealed["isolation"])),
                ("suspects' network", safe(revealed["network"])),
            ],
            wide=True,
        )
    )
    with st.expander("The sealed document"):
        st.code(json.dumps(revealed["seal"], indent=1)[:200_000], language="json", height=400)
