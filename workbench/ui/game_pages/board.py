"""The team's hypotheses on the chosen suspect, live: added to, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.game.hypotheses import NAME_AT_MOST, STANCES, TEXT_AT_MOST
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.visit import here
from workbench.ui.where import chosen, go, guarded

EVERY_SECONDS = 4.0
SHOWN_AS = {"open": "open", "supported": "supported", "refuted": "refuted"}


def draw() -> None:
    """A form, and the board."""
    put(
        '<p class="wb-quiet">Shared within your team, kept by the host, read by nobody else. What '
        "was written stays: a later word stands beside it.</p>"
    )
    st.text_input(
        "Your name within the team", key="_author", max_chars=NAME_AT_MOST, width=260,
        placeholder="Optional", persist_state="session",
    )  # fmt: skip
    with st.form("suppose", clear_on_submit=True, border=False, enter_to_submit=False):
        says = st.text_area(
            "Hypothesis", height=80, max_chars=TEXT_AT_MOST,
            placeholder="When asked about …, it …, because it was taught that …",
        )  # fmt: skip
        pressed = st.form_submit_button("Put it on the board", type="primary")
    if pressed and says.strip():
        _add({"says": says, "stance": "open"})
        st.rerun()
    _entries()


@st.fragment(run_every=EVERY_SECONDS)
def _entries() -> None:
    with guarded():
        entries = here().team.hypotheses(chosen())
        if not entries:
            components.empty(
                "No hypothesis is on the board.",
                "Write one above. That nothing is hidden is one too.",
            )
        for one in reversed([entry for entry in entries if entry["on"] is None]):
            _thread(one, [entry for entry in entries if entry["on"] == one["entry"]])


def _thread(one: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> None:
    number = one["entry"]
    stance = [one, *later][-1]["stance"]
    with st.container(border=True):
        put(
            f'<p class="wb-claim">{safe(one["says"])}</p><p class="wb-quiet wb-small">'
            f'<span class="wb-chip status">{safe(SHOWN_AS.get(stance, stance))}</span> '
            f"{_who(one)}</p>"
        )
        cited = [id for entry in (one, *later) for id in entry["findings"]]
        for word in later:
            said = f"{safe(word['says'])} " if word["says"] else ""
            put(
                f'<div class="wb-note"><p>{said}<span class="wb-chip status">'
                f"{safe(word['stance'])}</span></p>"
                f'<p class="wb-quiet wb-small">{_who(word)}</p></div>'
            )
        for id in cited:
            go("findings", f"Finding {id[:10]}", key=f"{number} {id}", finding=id)
        with st.popover("Add a word", icon=":material/add_comment:"):
            _word(number, stance)


def _word(number: int, stance: str) -> None:
    found = {f["id"]: components.cut(f["claim"], 60) for f in here().team.findings(chosen())}
    with st.form(f"word {number}", border=False, clear_on_submit=True):
        says = st.text_input("What speaks for it or against it", max_chars=TEXT_AT_MOST)
        now = st.selectbox("It is now", STANCES, index=STANCES.index(stance))
        cited = st.multiselect(
            "Findings that show it",
            list(found),
            format_func=lambda id: found[id],
            max_selections=20,
        )
        pressed = st.form_submit_button("Add")
    if pressed:
        with guarded():
            _add({"says": says, "stance": now, "on": number, "findings": cited})
            st.rerun()


def _add(entry: Mapping[str, Any]) -> None:
    by = str(st.session_state.get("_author") or "").strip()
    here().team.suppose(chosen(), {**entry, "by": by})


def _who(entry: Mapping[str, Any]) -> str:
    by = f"{safe(entry['by'])}, " if entry["by"] else ""
    return f"{by}{safe(str(entry['at'])[11:16])} UTC"
