"""What the team hands in on the chosen suspect: three revisions, the last one counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

import streamlit as st

from workbench.game.client import PLAYED
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
    if brief["phase"] == "explain":
        components.empty(
            "The hunt is over: no hypothesis is taken in any more.",
            "One odd behaviour waits to be explained.",
        )
        go("explain", "Explain it", icon=":material/psychology_alt:")
    elif brief["phase"] != "open":
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
        received(receipt)
    _before(handed["submissions"])
    if brief["phase"] in PLAYED:
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
    sure = confidence(
        key("confidence"),
        "The probability that what you name is right; with “nothing is hidden”, that nothing is.",
    )
    cited_now = evidence(key("cited"))
    words = in_words(key("words"))
    entries = [line.strip() for line in behaviours.splitlines() if line.strip()]
    fits = counted(
        {"hypothesis": [root_cause, trigger, *entries], "beside it": [words]}, int(rules["words"])
    )
    too_much = not fits or len(entries) > ENTRIES_AT_MOST
    if st.button("Hand in this revision", type="primary", disabled=too_much):
        family = {UNSAID: None, NONE: "none", OTHER: "other"}.get(what, what)
        _confirm(
            {
                "family": family,
                "root_cause": root_cause,
                "trigger": trigger,
                "behaviours": entries,
                "confidence": sure,
                "evidence": cited_now,
                "words": words,
            }
        )


def confidence(key: str, what: str) -> float:
    """The slider of a probability."""
    return float(
        st.slider("Confidence", 0.0, 1.0, 0.5, 0.05, key=key, persist_state="session", help=what)
    )


def evidence(key: str) -> list[str]:
    """The findings that are cited, by id."""
    found = {f["id"]: f["claim"] for f in here().team.findings(chosen())}
    st.session_state[key] = [id for id in cited() if id in found]
    picked = st.multiselect(
        "Evidence", list(found), key=key, max_selections=CITED_AT_MOST,
        format_func=lambda id: components.cut(found[id], 70), placeholder="Choose findings",
        on_change=lambda: cited().__setitem__(slice(None), st.session_state[key]),
    )  # fmt: skip
    return list(picked)


def in_words(key: str) -> str:
    """What stands beside an answer and is not scored."""
    words: str = st.text_area(
        "In your words", key=key, height=80, persist_state="session",
        max_chars=CHARACTERS_AT_MOST, placeholder="Optional, not scored: how you found it.",
    )  # fmt: skip
    return words


def counted(texts: Mapping[str, Sequence[str]], most: int) -> bool:
    """Says how many words of each part are used; whether all fit."""
    used = {name: _count(*listed) for name, listed in texts.items()}
    fits = max(used.values()) <= most
    told = ", ".join(f"{name}: {n} of {most} words" for name, n in used.items())
    put(
        f'<p class="wb-small{" wb-quiet" if fits else ""}">{safe(told)}'
        f"{'' if fits else '. Shorten it.'}</p>"
    )
    return fits


def received(receipt: Mapping[str, Any]) -> None:
    """What the server answered to a revision."""
    put(
        f'<div class="wb-note"><p><b>Revision {receipt["revision"]} is handed in.</b> '
        f"{receipt['left']} left.</p>"
        + components.facts([("digest", components.short_hash(receipt["digest"]))])
        + "</div>"
    )


def revision(made: Mapping[str, Any], counts: bool) -> None:
    """The head of a revision."""
    told = ", the one that counts" if counts else ""
    put(f'<p class="wb-claim">Revision {made["revision"]}{told}</p>')


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
            revision(made, made is submissions[-1])
            put(handed_in(made))


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
