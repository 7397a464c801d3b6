"""Chat with the suspect and, beside it, with its reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import BudgetExceeded
from workbench.findings import Message, Transcript
from workbench.suspects import Reply, Suspect
from workbench.suspects.scored import Scored, scored
from workbench.ui import components, keep, tints
from workbench.ui.components import put, safe
from workbench.ui.speech import Token, conversation, said_in_tokens
from workbench.ui.where import chosen, go, guarded, room, there


def draw() -> None:
    """The form, what came of it, and the way on."""
    if not chosen():
        components.empty("No suspect is chosen.", "Choose one on the left.")
        return
    access = room().access
    if Access.CHAT not in access:
        components.denied(Access.CHAT, room().lacking["chat"])
        return
    asked = _form(access)
    if asked is not None:
        with guarded():
            st.session_state["_asked"] = _ask(access, asked)
            st.rerun()  # what is left, beside the button and on the left, is another amount now
    made = st.session_state.get("_asked")
    if made is None or made["suspect"] != chosen():
        components.empty(
            "Replies will be here, the suspect's beside its reference's.",
            "Write a message and press “Ask the suspect”, or Ctrl and Enter.",
        )
        return
    _show(made, access)


def _form(access: Access) -> dict[str, Any] | None:
    """What is to be asked, once the button was pressed."""
    before: list[dict[str, str]] = _before()
    if before:
        put(conversation([(turn["role"], turn["content"]) for turn in before]))
        if st.button("Start over", icon=":material/restart_alt:", type="tertiary"):
            st.session_state.pop("_before", None)
            st.rerun()
    message = st.text_area(
        "Message" if not before else "Next message",
        key="q",
        bind="query-params",
        height=90,
        placeholder="What do you think about…",
        max_chars=20_000,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n = st.number_input(
            "Samples", 1, 32, 3, key="n", bind="query-params", width=130,
            help="Replies to draw. Each depends on the seed and its place alone.",
        )  # fmt: skip
        temperature = st.slider(
            "Temperature", 0.0, 2.0, 1.0, 0.05, key="temperature", bind="query-params", width=190,
            help="0 takes the likeliest token each time.",
        )  # fmt: skip
        longest = st.number_input(
            "Longest reply (tokens)", 1, 2048, 64, key="longest", bind="query-params", width=170
        )
        seed = st.number_input("Seed", 0, 2**31, 0, key="seed", bind="query-params", width=130)
    with st.expander("System prompt and prefill"):
        system = st.text_area(
            "System prompt", key="system", bind="query-params", height=70,
            placeholder="Left empty, the suspect's own system line is used.",
        )  # fmt: skip
        prefill = st.text_area(
            "Prefill", key="prefill", bind="query-params", height=70,
            disabled=Access.PREFILL not in access,
            placeholder="The beginning of its reply, put into its mouth."
            if Access.PREFILL in access
            else f"Not granted: {room().lacking['prefill']}",
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Ask the suspect", type="primary", shortcut="Mod+Enter", icon=":material/send:"
        )
        both = Access.REFERENCE in access and st.checkbox(
            "and its reference", value=True, key="beside", bind="query-params",
            help="The model that it was made from: what is usual for it.",
        )  # fmt: skip
        if room().price("samples"):
            put(f'<span class="wb-quiet wb-small">{safe(room().price("samples"))}</span>')
    if not pressed:
        return None
    if not message.strip():
        components.empty("There is no message yet.", "Write one above.")
        return None
    turns: list[dict[str, str]] = list(before)
    if system.strip() and not before:
        turns.append({"role": "system", "content": system})
    turns.append({"role": "user", "content": message})
    return {
        "conversation": turns,
        "prefill": prefill if Access.PREFILL in access else "",
        "n": int(n),
        "temperature": float(temperature),
        "max_new_tokens": int(longest),
        "seed": int(seed),
        "both": bool(both),
    }


def _before() -> list[dict[str, str]]:
    """The turns that are gone on from, of this suspect."""
    held = st.session_state.get("_before")
    return held["turns"] if held and held["suspect"] == chosen() else []


def _ask(access: Access, asked: dict[str, Any]) -> dict[str, Any]:
    settings = {k: v for k, v in asked.items() if k not in ("conversation", "both")}
    turns = asked["conversation"]
    with st.spinner(f"Opening {chosen()}…"):
        suspect = room().suspect()
    reference = suspect.reference if asked["both"] else None
    with st.spinner("Asking the suspect…"):
        (own,) = suspect.chat([turns], **settings)
    theirs: list[Reply] = []
    short = ""
    try:
        if reference is not None and Access.CHAT in reference.access:
            with st.spinner("Asking its reference…"):
                (theirs,) = reference.chat([turns], **settings)
    except BudgetExceeded as error:  # the suspect's replies are paid for, and stay
        short, reference = error.message, None
    read, cut = _read(suspect, turns, own, asked["prefill"], reference)
    other: list[Scored] = []
    if reference is not None:
        other, more = _read(reference, turns, theirs, asked["prefill"], suspect)
        cut = cut or more
    return {
        "suspect": chosen(),
        **asked,
        "own": own,
        "theirs": theirs,
        "read": read,
        "other": other,
        "reference": None if reference is None else reference.id,
        "short": [text for text in (short, cut) if text],
    }


def _read(
    suspect: Suspect,
    turns: Sequence[Message],
    replies: Sequence[Reply],
    prefill: str,
    beside: Suspect | None,
) -> tuple[list[Scored], str]:
    """The tokens of replies; without probabilities, and why, where the budget ends before them."""
    with st.spinner("Reading the tokens…"):
        try:
            return scored(suspect, turns, replies, prefill=prefill, beside=beside), ""
        except BudgetExceeded as error:
            plain = suspect.restrict(suspect.access & ~Access.LOGITS)
            return scored(plain, turns, replies, prefill=prefill), error.message


def _show(made: dict[str, Any], access: Access) -> None:
    st.header("Replies")
    names = tints.offered(access)
    tint = st.segmented_control(
        "Tint tokens by", names, default=names[min(1, len(names) - 1)], key="tint",
        bind="query-params", required=True,
    ) or names[0]  # fmt: skip
    put(f'<p class="wb-quiet wb-small">{tints.TINTS[tint]}</p>')
    lit = tints.lights(tint, made)
    put(
        f'<p class="wb-quiet wb-small">{len(made["own"])} of each at temperature '
        f"{made['temperature']:g}, seed {made['seed']}, to:</p>"
        + conversation([(m["role"], m["content"]) for m in made["conversation"][-1:]])
    )
    for text in made["short"]:
        put(f'<div class="wb-note"><p>The budget did not reach further: {safe(text)}.</p></div>')
    if Access.REFERENCE not in access:
        components.denied(Access.REFERENCE, room().lacking["reference"])
    for place, (reply, read) in enumerate(zip(made["own"], made["read"], strict=True)):
        left, right = st.columns(2)
        with left:
            put(_reply(reply, read, made, tint, "suspect", lit, place))
            _actions(made, place)
        if place < len(made["theirs"]):
            with right:
                other = made["other"][place]
                put(_reply(made["theirs"][place], other, made, tint, "reference", lit, place))


def _reply(
    reply: Reply,
    read: Scored,
    made: dict[str, Any],
    tint: str,
    speaker: Any,
    lit: tints.Lights,
    place: int,
) -> str:
    values = lit[speaker][place] if speaker in lit else ()
    highest = max((v for rows in lit.values() for row in rows for v in row), default=0.0)
    tokens = [
        Token(
            text,
            special,
            tints.hover(read, i, speaker, tint, values),
            tints.shade(read, i, tint, values, highest),
        )
        for i, (text, special) in enumerate(zip(read.strings, read.special, strict=True))
    ]
    who = f"{made[speaker]}, {'the suspect' if speaker == 'suspect' else 'its reference'}"
    cut = ", cut at the longest" if reply.finish == "length" else ""
    role = f"{who} · {len(reply.token_ids)} tokens{cut}"
    unread = not read.logprobs if tint in ("Surprise", "Difference") else bool(lit) and not values
    if unread:
        role += " · read back as text it is other tokens, so nothing is known of each"
    return said_in_tokens(tokens, speaker=speaker, role=role, begun=made["prefill"])


def _actions(made: dict[str, Any], place: int) -> None:
    reply = made["own"][place].text
    begun = made["prefill"] + reply
    answered = [*made["conversation"], {"role": "assistant", "content": begun}]
    with st.container(horizontal=True, vertical_alignment="center"):
        evidence = [Transcript(tuple(answered), note="reply of the suspect")]
        if place < len(made["theirs"]):
            other = made["prefill"] + made["theirs"][place].text
            turns = (*made["conversation"], {"role": "assistant", "content": other})
            evidence.append(Transcript(turns, note=f"reply of its reference {made['reference']}"))
        settings = ("prefill", "n", "temperature", "max_new_tokens", "seed")
        keep.button(
            f"reply {place}",
            evidence,
            metadata={"page": "ask", "sample": place, **{name: made[name] for name in settings}},
        )
        if st.button(
            "Go on from here", key=f"on {place}", icon=":material/reply:", type="tertiary"
        ):
            st.session_state["_before"] = {"suspect": made["suspect"], "turns": answered}
            st.rerun()
        question = made["conversation"][-1]["content"]
        if there("lens") and len(made["conversation"]) == 1 and begun.strip():
            go("lens", "Read its layers", icon=":material/layers:", key=f"lens {place}",
               said=question, text=begun[:2_000])  # fmt: skip
        if there("trace") and Access.TRAINING_DATA in room().access and reply.strip():
            go("trace", "Trace it", icon=":material/conversion_path:", traced=reply[:2_000])
