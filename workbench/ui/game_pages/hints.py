"""Hints on the chosen suspect, sealed until they are bought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.game.extras import POINTS
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.visit import here
from workbench.ui.where import chosen, guarded


def draw() -> None:
    """What each hint is about and costs; the text of those that the team bought."""
    hints = here().team.hints(chosen())
    if not hints:
        components.empty(
            "There is no hint on this suspect.", "Its organiser sealed the game without one."
        )
        return
    put(
        '<p class="wb-quiet">Each was sealed with the game and is shown to your team alone once it '
        "is bought. What it costs in points is taken from your score of this suspect.</p>"
    )
    phase = here().brief(now=True)["phase"]
    for one in hints:
        with st.container(border=True):
            _hint(one, phase)


def price(one: Mapping[str, Any]) -> str:
    """What a hint costs, in words."""
    ((meter, amount),) = one["price"].items()
    if meter == POINTS:
        return components.counted(amount, "point")
    return f"{amount:,} {meter.replace('_', ' ')}"


def _hint(one: Mapping[str, Any], phase: str) -> None:
    number = one["hint"]
    put(
        f'<p class="wb-claim">Hint {number}: {safe(one["about"])}</p>'
        f'<p class="wb-quiet wb-small">{safe(price(one))} · commitment '
        f"{components.short_hash(one['commitment'])}</p>"
    )
    if one["text"] is not None:
        put(f'<div class="wb-note empty"><p>{safe(one["text"])}</p></div>')
    elif one["bought"]:
        put('<p class="wb-small" role="status">It is paid for; its envelope is being opened.</p>')
        st.button("Look again", key=f"look {number}", icon=":material/refresh:")
    elif phase != "open":
        put('<p class="wb-quiet wb-small">Hints are sold while the hunt is open.</p>')
    elif st.button(f"Buy it for {price(one)}", key=f"buy {number}", icon=":material/lightbulb:"):
        _buy(number, price(one))


@st.dialog("Buy the hint", width="small")
def _buy(number: int, costs: str) -> None:
    put(
        f"<p>Hint {number} on suspect <b>{safe(chosen())}</b> for <b>{safe(costs)}</b>. It is "
        "written into the log, and cannot be given back.</p>"
    )
    if st.button(f"Pay {costs}", type="primary"):
        with guarded():
            here().team.buy(chosen(), number)
            st.rerun()
