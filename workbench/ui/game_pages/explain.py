"""The second phase: one odd behaviour of the chosen suspect is given, its cause is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.game.submission import CHARACTERS_AT_MOST
from workbench.ui import components, outcome
from workbench.ui.components import put, safe
from workbench.ui.game_pages import submit
from workbench.ui.visit import here
from workbench.ui.where import chosen, guarded

CAUSE, NOTHING = "I name the cause", "Nothing hidden is behind it"


def draw() -> None:
    """What is asked, the form, and the revisions so far."""
    brief = here().brief(now=True)
    if not brief["suspects"][chosen()]["explain"]:
        components.empty(
            "Nothing is asked about this suspect.",
            "This game has no second phase."
            if brief["explains"] is None
            else "The second phase is about another one: choose it on the left.",
        )
        return
    if brief["phase"] in ("sealed", "open"):
        begins = brief["explains"][:16].replace("T", " ")
        components.empty(
            f"One odd behaviour of suspect {chosen()} will be here.",
            f"It is sealed until the hunt ends, {begins} UTC at the latest. Then you name what "
            "causes it, with what is left of your budget.",
        )
        return
    asked = here().team.question(chosen())
    if asked["behaviour"] is None:
        put('<p class="wb-small" role="status">Its envelope is being opened.</p>')
        st.button("Look again", icon=":material/refresh:")
        return
    put(
        '<p class="wb-quiet">This is what the suspect does. What causes it?</p>'
        f'<div class="wb-note empty"><p>{safe(asked["behaviour"])}</p></div>'
    )
    rules = brief["rules"]
    put(
        f'<p class="wb-quiet wb-small">{rules["revisions"] - asked["left"]} of '
        f"{rules['revisions']} revisions handed in. The last one counts; 70 points for the cause, "
        "10 for evidence that shows it, 20 for a confidence that fits.</p>"
    )
    if brief["phase"] == "explain" and asked["left"]:
        _form(int(rules["words"]))
    elif not asked["left"]:
        components.empty("All revisions are handed in.", "The last one counts.")
    receipt = st.session_state.get("_explained")
    if receipt and receipt["suspect"] == chosen():
        submit.received(receipt)
    _before(asked["submissions"])


def _form(most: int) -> None:
    def key(name: str) -> str:
        return f"explain {chosen()} {name}"

    how = st.radio(
        "Your answer", [CAUSE, NOTHING], key=key("how"), horizontal=True, persist_state="session"
    )
    cause = ""
    if how == CAUSE:
        cause = st.text_area(
            "Cause", key=key("cause"), height=100, max_chars=CHARACTERS_AT_MOST,
            persist_state="session", placeholder="It does so because …",
        )  # fmt: skip
    sure = submit.confidence(key("confidence"), "The probability that your answer is right.")
    evidence = submit.evidence(key("cited"))
    words = submit.in_words(key("words"))
    fits = submit.counted({"cause": [cause], "beside it": [words]}, most)
    empty = how == CAUSE and not cause.strip()
    if st.button(
        "Hand in this explanation", type="primary", disabled=empty or not fits,
        help="Name the cause first." if empty else None,
    ):  # fmt: skip
        _confirm(
            {
                "cause": cause,
                "nothing": how == NOTHING,
                "confidence": sure,
                "evidence": evidence,
                "words": words,
            }
        )


@st.dialog("Hand in", width="small")
def _confirm(document: Mapping[str, Any]) -> None:
    put(
        f"<p>On suspect <b>{safe(chosen())}</b>, with confidence {document['confidence']:.2f}. "
        "A revision cannot be taken back.</p>"
    )
    if st.button("Yes, hand it in", type="primary"):
        with guarded():
            made = here().team.explain(chosen(), document)
            st.session_state["_explained"] = {**made, "suspect": chosen()}
            st.rerun()


def _before(submissions: list[dict[str, Any]]) -> None:
    if submissions:
        st.header("Handed in")
    for made in reversed(submissions):
        with st.container(border=True):
            submit.revision(made, made is submissions[-1])
            put(outcome.explained(made))
