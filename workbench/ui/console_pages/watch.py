"""One game while it is played: host it, invite, see who spent what, move its end, end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.console_pages.beside import about, game
from workbench.ui.where import go, guarded

EVERY_SECONDS = 4.0


def draw() -> None:
    """Hosting, invitations, and what changes by itself."""
    if not game():
        components.empty("No game is chosen.", "Make one on the page Games.")
        return
    state = about("watch")
    if not state["sealed"]:
        _unsealed(state)
        return
    _host(state)
    st.header("Teams")
    _invite(list(state["teams"]))
    _watched(state["phase"])
    if state["phase"] in ("sealed", "open", "explain"):
        _end(state)
    else:
        go("ending", "Grade and reveal", icon=":material/gavel:", game=game())


def _unsealed(state: Mapping[str, Any]) -> None:
    names = state["suspects"]
    put(
        f'<p class="wb-claim">{safe(state["title"])}</p><p class="wb-quiet">Not sealed yet. '
        f"{components.counted(len(names), 'suspect')}, {state['hours']:g} hours from the opening. "
        "The seal covers truths, rubric, suspects, teams, access, budgets and times: afterwards "
        "only the end can be moved, and only to later.</p>"
    )
    rows = [
        [team, *(seats.get(name, "no seat") for name in names)]
        for team, seats in state["teams"].items()
    ]
    put(components.table(["team", *(f"suspect {name}" for name in names)], rows))
    if st.button("Seal it and begin", type="primary", icon=":material/lock:"):
        with st.spinner("Hashing the suspects, sealing, starting the host…"):
            about("host")
        st.rerun()


def _host(state: Mapping[str, Any]) -> None:
    """Where it is reached, the commitment, and starting or stopping the host."""
    put(
        f'<p class="wb-claim">{safe(state["title"])}</p>'
        + components.facts(
            [
                ("game", safe(state["game"])),
                *(
                    [("second phase (UTC)", safe(state["explains"][:16].replace("T", " ")))]
                    if state["explains"]
                    else []
                ),
                ("closes (UTC)", safe(state["closes"][:16].replace("T", " "))),
                ("isolation", safe(state["isolation"])),
                ("suspects' network", safe(state["network"])),
                ("address", safe(state["url"] if state["served"] else "not served now")),
                ("events", f"{state['chain'][0]:,}"),
            ],
            wide=True,
        )
        + (
            f'<p class="wb-quiet wb-small">Isolation is not more because '
            f"{safe(state['isolation_why'])}.</p>"
            if state["isolation_why"]
            else ""
        )
        + '<p class="wb-quiet wb-small">Commitment: give it to the teams before they play, by a '
        "way that has a date.</p>"
    )
    st.code(state["commitment"], language=None, wrap_lines=True)
    if not state["served"]:
        put('<p class="wb-quiet wb-small">No host answers: teams cannot reach the game.</p>')
        if st.button("Start the host", type="primary", icon=":material/play_arrow:"):
            with st.spinner("Checking the files against the seal, starting the host…"):
                about("host")
            st.rerun()
    elif state["ours"] and st.button(
        "Stop the host", icon=":material/pause:", type="tertiary",
        help="Teams wait; the clock does not. It goes on where it was when it is started again.",
    ):  # fmt: skip
        with st.spinner("Stopping it…"):
            about("rest")
        st.rerun()


def _invite(teams: list[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        team = st.selectbox("Team", teams, width=200)
        fresh = st.checkbox(
            "End its earlier tokens", help="Every earlier token of this team is worthless then."
        )
        invited = st.button("Invite", icon=":material/key:")
        revoked = st.button("Revoke its tokens", icon=":material/key_off:", type="tertiary")
    if invited:
        made = about("invite", team=team, rotate=fresh)
        put(
            f'<div class="wb-note"><p><b>The token of {safe(team)}, shown once.</b></p>'
            '<p class="wb-quiet">Hand it over by a private way. Its members join with '
            f"<code>workbench game team {safe(made['url'] or 'URL')}</code></p></div>"
        )
        st.code(made["token"], language=None, wrap_lines=True)
    if revoked:
        count = about("revoke", team=team)
        st.toast(f"{components.counted(count, 'token')} made worthless.")


@st.fragment(run_every=EVERY_SECONDS)
def _watched(known: str) -> None:
    with guarded():
        state = about("watch")
        if state.get("phase") != known:
            st.rerun()
        put(f'<p class="wb-small" role="status">The game is <b>{safe(state["phase"])}</b>.</p>')
        for team, told in state["teams"].items():
            with st.container(border=True):
                _team(team, told)


def _team(team: str, told: Mapping[str, Any]) -> None:
    marks = [
        "joined" if told["joined"] else "has not joined",
        components.counted(told["tokens"], "token"),
        *(["says that it is done"] if told["done"] else []),
    ]
    put(
        f'<p class="wb-claim">{safe(team)}</p><p class="wb-quiet wb-small">'
        f"{safe(' · '.join(marks))}</p>"
    )
    for name, seat in told["suspects"].items():
        amounts = seat["spent"]["suspect"]
        bars = "".join(
            components.meter(meter.replace("_", " "), a["used"], a["bound"])
            for meter, a in amounts.items()
            if a["bound"] is not None
        )
        spent = {m.replace("_", " "): a["used"] for m, a in amounts.items() if a["used"]}
        done = [
            components.counted(seat["submissions"], "revision") + " handed in",
            *(components.counted(n, "job") + f" {state}" for state, n in seat["jobs"].items()),
        ]
        for kind, one, what in (("explanations", "explanation", ""), ("hints", "hint", " bought")):
            done += [components.counted(seat[kind], one) + what] if seat[kind] else []
        cost = f"Spent {components.amounts(spent)}. " if spent else ""
        put(
            f'<p class="wb-figure">Suspect {safe(name)}</p>'
            + components.access_chips(Access.parse(seat["access"]), "this team does not have it")
            + bars
            + f'<p class="wb-quiet wb-small">{cost}{safe(", ".join(done))}.</p>'
        )


def _end(state: Mapping[str, Any]) -> None:
    st.header("The end")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        hours = st.number_input("Hours more", 0.1, 1_000.0, 0.5, 0.5, width=170)
        if st.button("Move the end", icon=":material/more_time:"):
            closes = about("extend", hours=float(hours))
            st.toast(f"It closes at {closes[11:16]} UTC.")
            st.rerun()
    if state["phase"] == "open" and state["explains"]:
        put(
            '<p class="wb-quiet wb-small">Ending the hunt shows every team the behaviour to '
            "explain; no hypothesis is taken in afterwards.</p>"
        )
        if st.button("End the hunt, begin the second phase", icon=":material/psychology_alt:"):
            about("explain")
            st.rerun()
    elif state["phase"] in ("open", "explain") and st.button(
        "Close the game now", icon=":material/stop_circle:"
    ):
        _close()


@st.dialog("Close the game", width="small")
def _close() -> None:
    put("<p>Nothing is answered or taken in afterwards, and it cannot be opened again.</p>")
    if st.button("Close it", type="primary"):
        with guarded():
            about("close")
            st.rerun()
