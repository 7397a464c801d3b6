"""The door of a game, and what stands beside every page: suspect, access, budget, clock."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.visit import LACKING, begin, here, lobby, seat, visit
from workbench.ui.where import chosen, enter, go, guarded, parameter, remember

EVERY_SECONDS = 4.0
FOUND_SHOWN = 4
PHASES = {
    "sealed": "Sealed: it opens at {opens}.",
    "open": "Open: {left} left.",
    "explain": "The hunt is over. Explain one behaviour: {left} left.",
    "closed": "Closed: scores come when it is graded.",
    "graded": "Graded: the truth comes with the reveal.",
    "revealed": "Revealed: see what it was.",
}


def door() -> bool:
    """Whether there is a visit; else a form for the token."""
    with guarded():
        if visit() is not None:
            return True
        st.title("Join the game")
        put(
            '<p class="wb-lede">You audit models whose truth is sealed, within the access and the '
            "budget that your team was given, and hand in what you believe.</p>"
        )
        with st.form("door", border=False):
            token = st.text_input(
                "Your team's token", type="password", placeholder="wb-…",
                help="The organiser gave it to you. It goes to the game's server and nowhere else.",
            )  # fmt: skip
            pressed = st.form_submit_button("Join", type="primary", icon=":material/login:")
        put(f'<p class="wb-quiet wb-small">The game is at {safe(lobby().settings.url)}.</p>')
        if pressed:
            begin(token)
            st.rerun()
    return False


def settle() -> None:
    """Which suspect: the URL's, else the one of this visit, else the first of the brief."""
    names = list(here().suspects)
    named = next((n for n in (parameter("suspect"), chosen()) if n in names), names[0])
    enter(here().seat(named))


def sidebar() -> None:
    """Team, suspect, and what changes by itself."""
    with st.sidebar:
        with guarded():
            brief = here().brief()
            put(f'<p class="wb-figure">{safe(brief["title"])}</p>')
            _choose()
            _live(brief["phase"])
        if not lobby().settings.token:
            st.button("Leave", on_click=_leave, icon=":material/logout:", type="tertiary")
    with guarded():
        _narrow(here().brief())


def _narrow(brief: Mapping[str, Any]) -> None:
    """Clock and budget above the page, where the screen is too narrow to keep the sidebar open."""
    bounded = [
        f"{amount['bound'] - amount['used']:,} of {amount['bound']:,} {name.replace('_', ' ')} left"
        for name, amount in brief["suspects"][chosen()]["spent"]["suspect"].items()
        if amount["bound"] is not None
    ]
    put(f'<p class="wb-quiet wb-small wb-narrow">{safe(" · ".join([phase(brief), *bounded]))}</p>')


def phase(brief: Mapping[str, Any]) -> str:
    """The phase and the clock, in a sentence."""
    opens = str(brief["opens"])[:16].replace("T", " ") + " UTC"
    return PHASES[brief["phase"]].format(opens=opens, left=left(brief))


def left(brief: Mapping[str, Any]) -> str:
    """The time until the phase ends, by the server's clock."""
    end = brief["explains"] if brief["phase"] == "open" and brief["explains"] else brief["closes"]
    now, closes = (datetime.datetime.fromisoformat(time) for time in (brief["now"], end))
    seconds = max(0, int((closes - now).total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s"


def meters(seat_of: Mapping[str, Any]) -> str:
    """What is spent: bounded meters as bars, the rest in a line; the reference's apart."""
    bars, spent = [], []
    for of, amounts in seat_of["spent"].items():
        if of == "reference" and "reference" not in seat_of["access"]:
            continue
        for name, amount in amounts.items():
            label = name.replace("_", " ") + (" (reference)" if of == "reference" else "")
            if amount["bound"] is not None:
                bars.append(components.meter(label, amount["used"], amount["bound"]))
            elif amount["used"]:
                spent.append(f"{amount['used']:,} {safe(label)}")
    if spent:
        bars.append(f'<p class="wb-quiet wb-small">Unbounded: {", ".join(spent)} used.</p>')
    return "".join(bars) or '<p class="wb-quiet wb-small">Nothing is bounded.</p>'


@st.fragment(run_every=EVERY_SECONDS)
def _live(known: str) -> None:
    with guarded():
        brief = here().brief()
        if brief["phase"] != known:
            st.rerun()
        told = brief["suspects"][chosen()]
        put(
            f'<p class="wb-small" role="timer"><b>{safe(brief["team"])}</b> · '
            f"{safe(phase(brief))}</p>"
            + meters(told)
            + components.access_chips(Access.parse(told["access"]), LACKING)
        )
        _found()


def _found() -> None:
    found = here().team.findings(chosen())
    put(f'<p class="wb-figure">Found so far ({len(found)})</p>')
    if not found:
        put('<p class="wb-quiet wb-small">What you keep and what techniques find.</p>')
        return
    shown = "".join(
        f"<li>{safe(components.cut(f['claim']))}<br>{components.confidence(f['confidence'])}</li>"
        for f in found[: -FOUND_SHOWN - 1 : -1]
    )
    put(f'<ul class="wb-found">{shown}</ul>')
    go("findings", "All findings of your team", key="beside")


def _choose() -> None:
    names = list(here().suspects)
    if len(names) == 1:
        put(f'<p class="wb-small">Suspect <b>{safe(names[0])}</b></p>')
        return

    def change() -> None:
        remember(suspect=st.session_state["_pick"])

    st.session_state["_pick"] = seat().name
    st.selectbox(
        "Suspect", names, key="_pick", on_change=change,
        format_func=lambda name: f"Suspect {name}",
        help="The names are the game's own; nothing says what hides behind them.",
    )  # fmt: skip


def _leave() -> None:
    st.query_params.clear()
    for key in list(st.session_state):
        del st.session_state[key]
