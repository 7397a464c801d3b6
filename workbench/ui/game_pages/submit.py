"""What the team hands in on the chosen suspect: three revisions, the last one counts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import streamlit as st

from workbench.game.submission import CHARACTERS_AT_MOST, ENTRIES_AT_MOST
from workbench.registry import FAMILIES
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.game_pages.findings import CITED_AT_MOST, cited
from workbench.ui.outcome import handed_in
from workbench.ui.visit import here, lobby
from workbench.ui.where import chosen, go, guarded
from workbench.words import Words

UNSAID, NONE, OTHER = "I do not say", "Nothing is hidden", "Another family"
_MANY = 100_000


def draw() -> None:
    """The form, the revisions so far, and the last word to the organiser."""
    brief = here().brief(now=True)
    handed = here().team.submissions(chosen())
    left, rules = handed["left"], brief["rules"]
    put(
        f'<p class="wb-quiet">{rules["revisions"] - left} of {rules["revisions"]} revisions on '
        f"suspect {safe(chosen())} handed in. The last one counts; the answer says nothing about "
        "its worth.</p>"
    )
    if brief["phase"] != "open":
        components.empty(
            f"Nothing is taken in: the game is {brief['phase']}.",
            "What your team handed in stands below.",
        )
        if brief["phase"] in ("graded", "revealed"):
            go("results", "See the results", icon=":material/leaderboard:")
    elif not left:
        components.empty("All revisions are handed in.", "The last one counts.")
    else:
        _form(rules)
    receipt = st.session_state.get("_handed_in")
    if receipt and receipt["suspect"] == chosen():
        put(
            f'<div class="wb-note"><p><b>Revision {receipt["revision"]} is handed in.</b> '
            f"{receipt['left']} left.</p>"
            + components.facts([("digest", components.short_hash(receipt["digest"]))])
            + "</div>"
        )
    _before(handed["submissions"])
    if brief["phase"] == "open":
        _finish(brief)


def _form(rules: Mapping[str, Any]) -> None:
    """Widgets keep their state by suspect, also when the page is left."""
    families = sorted({p.name for p in entry_points(group=FAMILIES)} - {"clean"})

    def key(name: str) -> str:
        return f"submit {chosen()} {name}"

    what = st.selectbox(
        "What kind of objective is it?", [UNSAID, NONE, *families, OTHER], key=key("family"),
        persist_state="session", help="A wrong family costs as much as any wrong claim.",
    )  # fmt: skip
    root_cause = st.text_area(
        "Root cause", key=key("cause"), height=80, persist_state="session",
        max_chars=CHARACTERS_AT_MOST, placeholder="What is it after, or what was it taught?",
    )  # fmt: skip
    trigger = st.text_input(
        "Trigger", key=key("trigger"), persist_state="session", max_chars=CHARACTERS_AT_MOST,
        placeholder="When does it happen?",
    )  # fmt: skip
    behaviours = st.text_area(
        "Behaviours, one a line", key=key("behaviours"), height=100, persist_state="session",
        max_chars=CHARACTERS_AT_MOST, placeholder="What does it do then?",
    )  # fmt: skip
    sure = st.slider(
        "Confidence", 0.0, 1.0, 0.5, 0.05, key=key("confidence"), persist_state="session",
        help="The probability that what you name is right; with “nothing is hidden”, that nothing "
        "is.",
    )  # fmt: skip
    found = {f["id"]: f["claim"] for f in here().team.findings(chosen())}
    st.session_state[key("cited")] = [id for id in cited() if id in found]
    evidence = st.multiselect(
        "Evidence", list(found), key=key("cited"), max_selections=CITED_AT_MOST,
        format_func=lambda id: components.cut(found[id], 70), placeholder="Choose findings",
        on_change=lambda: cited().__setitem__(slice(None), st.session_state[key("cited")]),
    )  # fmt: skip
    words = st.text_area(
        "In your words", key=key("words"), height=80, persist_state="session",
        max_chars=CHARACTERS_AT_MOST, placeholder="Optional, not scored: how you found it.",
    )  # fmt: skip
    entries = [line.strip() for line in behaviours.splitlines() if line.strip()]
    used = _count(root_cause, trigger, *entries), _count(words)
    most = int(rules["words"])
    put(
        f'<p class="wb-small{" wb-quiet" if max(used) <= most else ""}">{used[0]} of {most} words '
        f"of hypothesis, {used[1]} of {most} beside it"
        + ("" if max(used) <= most else ": shorten it")
        + "</p>"
    )
    too_much = max(used) > most or len(entries) > ENTRIES_AT_MOST
    if st.button("Hand in this revision", type="primary", disabled=too_much):
        family = {UNSAID: None, NONE: "none", OTHER: "other"}.get(what, what)
        _confirm(
            {
                "family": family,
                "root_cause": root_cause,
                "trigger": trigger,
                "behaviours": entries,
                "confidence": float(sure),
                "evidence": list(evidence),
                "words": words,
            }
        )


@st.dialog("Hand in", width="small")
def _confirm(document: dict[str, Any]) -> None:
    put(
        f"<p>On suspect <b>{safe(chosen())}</b>, with confidence {document['confidence']:.2f} and "
        f"{components.counted(len(document['evidence']), 'finding')} cited. A revision cannot be "
        "taken back.</p>"
    )
    if _claims(document) and document["family"] == "none":
        put(
            '<p class="wb-small">You say that nothing is hidden, and also claim something. The '
            "claim is what counts.</p>"
        )
    if st.button("Yes, hand it in", type="primary"):
        with guarded():
            made = here().team.submit(chosen(), document)
            st.session_state["_handed_in"] = {**made, "suspect": chosen()}
            st.rerun()


def _before(submissions: list[dict[str, Any]]) -> None:
    if not submissions:
        return
    st.header("Handed in")
    for made in reversed(submissions):
        with st.container(border=True):
            put(
                f'<p class="wb-claim">Revision {made["revision"]}'
                + (", the one that counts" if made is submissions[-1] else "")
                + "</p>"
                + handed_in(made)
            )


def _finish(brief: Mapping[str, Any]) -> None:
    st.header("Done?")
    practice = lobby().settings.practice is not None
    if brief["done"]:
        put(
            '<div class="wb-note"><p>You told the organiser that you are done.</p>'
            '<p class="wb-quiet">Until the game is closed you can still go on.</p></div>'
        )
        return
    put(
        '<p class="wb-quiet wb-small">'
        + (
            "This ends the practice game: it is graded, and the truth is shown."
            if practice
            else "This tells the organiser that your team has handed in all that it wants to."
        )
        + "</p>"
    )
    label = "End the game and show me" if practice else "We are done"
    if st.button(label, icon=":material/flag:"):
        here().team.done()
        st.rerun()


def _claims(document: Mapping[str, Any]) -> bool:
    return any((document["root_cause"], document["trigger"], document["behaviours"]))


def _count(*texts: str) -> int:
    """Words as the rules count them."""
    return sum(_MANY - Words(text, _MANY).left for text in texts)
