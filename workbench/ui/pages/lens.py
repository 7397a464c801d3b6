"""The logit lens: what each layer is about to say at each token, and what it never says."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Evidence, Figure, Transcript
from workbench.report.figures import CONTROL, SUSPECT, label
from workbench.report.inert import inert
from workbench.ui import components, keep, theme
from workbench.ui.components import put, safe
from workbench.ui.pickers import may
from workbench.ui.where import chosen, go, guarded, room, there

NEEDS = Access.ACTIVATIONS | Access.LOGITS
METERS = ("forward_passes", "tokens")
_HELD = "_lens"


def draw() -> None:
    """The form, and what was read last."""
    if not may(NEEDS, "It reads activations, puts earlier ones in their place, and reads logits."):
        return
    put(
        '<p class="wb-quiet">After each token the residual stream of a layer is put into the place '
        "of the last one, and the model's own output layer says which token would come next. Words "
        "that middle layers lean to and that are not said may be kept back.</p>"
    )
    asked = _form()
    if asked is not None:
        with guarded():
            with st.spinner("Reading it layer by layer; the first time loads the model…"):
                found = room().latents("lens", **asked)
            st.session_state[_HELD] = {"suspect": chosen(), **asked, "found": found}
            st.rerun()  # what is left of the budget is another amount now
    made = st.session_state.get(_HELD)
    if made is None or made["suspect"] != chosen():
        components.empty(
            "What each layer would say will be here.", "Give a text and press “Read its layers”."
        )
        return
    _words(made)
    _grid(made["found"])


def _form() -> dict[str, Any] | None:
    """What is to be read, once the button was pressed."""
    said = st.text_input(
        "Said to it", key="said", bind="query-params", max_chars=4_000,
        placeholder="Left empty, the text below is read by itself.",
    )  # fmt: skip
    text = st.text_area(
        "Its reply, or any text", key="text", bind="query-params", height=90, max_chars=4_000,
        placeholder="Paste a reply, a row or anything else.",
    )  # fmt: skip
    asked = {"said": said, "text": text}
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Read its layers", type="primary", icon=":material/layers:")
        both = Access.REFERENCE in room().access and st.checkbox(
            "and its reference's", value=True, key="beside", bind="query-params",
            help="The same text, read by the model that it was made from: what is usual for it.",
        )  # fmt: skip
    enough = not text.strip() or _price(asked, bool(both))
    if not pressed:
        return None
    if not text.strip():
        components.empty("There is no text yet.", "Write or paste one above.")
    return {**asked, "both": bool(both)} if text.strip() and enough else None


def _price(asked: Mapping[str, str], both: bool) -> bool:
    """Says what it spends, where that is bounded; whether the budget reaches it: nothing is begun
    that would end in the middle."""
    of = ("suspect", "reference") if both else ("suspect",)
    left = {(who, meter): room().left(meter, who) for who in of for meter in METERS}
    bound = {one: amount for one, amount in left.items() if amount is not None}
    if not bound:
        return True
    costs = room().latents("lens_costs", **asked)
    told = ", ".join(
        f"{costs[meter]:,} of {amount:,} {meter.replace('_', ' ')} left"
        + (" of the reference" if who == "reference" else "")
        for (who, meter), amount in bound.items()
    )
    enough = all(costs[meter] <= amount for (_, meter), amount in bound.items())
    put(
        f'<p class="wb-quiet wb-small">It takes at most {safe(told)}.'
        f"{'' if enough else ' That is more than there is: give a shorter text.'}</p>"
    )
    return enough


def _words(made: Mapping[str, Any]) -> None:
    found = made["found"]
    words, middle = found["words"], found["middle"]
    where = f"layers {middle[0] + 1} to {middle[-1] + 1} of {found['of']}"
    if not words:
        components.empty(f"No word stands out in {where}.", "Try a longer text, or a question.")
        return
    clear = [one["word"] for one in words if one["clear"] and not one["said"]]
    if clear:
        claim = f"{where.capitalize()} lean to {', '.join(clear[:3])}, which is not said"
    elif found["beside"]:
        claim = f"{where.capitalize()} lean clearly to no word that is not said"
    else:
        claim = f"What {where} lean to, without a reference beside it"
    theme.draw(
        _bars(words),
        title=claim,
        key="lens words",
        read="Mean probability as the next token, over the tokens shown below and these layers. "
        + (
            "Hatched: the reference on the same text. Sorted by how far the suspect is above it; "
            "clear is what reaches 0.05 and three times the reference's. One text is an anecdote: "
            "the technique logit-lens tests many."
            if found["beside"]
            else "No reference was read beside it: what is usual for such a text stands here too."
        ),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(
            "lens", _evidence(made), claim=claim,
            metadata={"page": "lens", "said": made["said"], "layers": found["layers"]},
        )  # fmt: skip
        if there("ask"):
            go("ask", "Ask about it", icon=":material/forum:", q=made["said"])


def _bars(words: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown = [label(one["word"]) for one in words][::-1]
    sides = [("suspect", "here", SUSPECT, "")]
    if words[0]["there"] is not None:
        sides.insert(0, ("reference", "there", CONTROL, "/"))
    return {
        "data": [
            {
                "type": "bar", "orientation": "h", "name": name, "y": shown,
                "x": [one[side] for one in words][::-1],
                "marker": {"color": colour, "pattern": {"shape": pattern}},
                "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
            }
            for name, side, colour, pattern in sides
        ],
        "layout": {
            "height": 110 + 30 * len(words),
            "barmode": "group",
            "margin": {"l": 16, "r": 16, "t": 8, "b": 44},
            "legend": {
                "orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "reversed",
            },
            "xaxis": {"title": {"text": "probability"}, "rangemode": "tozero"},
            "yaxis": {"type": "category", "fixedrange": True},
        },
    }  # fmt: skip


def _grid(found: Mapping[str, Any]) -> None:
    put('<p class="wb-figure">The likeliest next token by layer, last layer first</p>')
    heads = "".join(f"<th>{_mono(token)}</th>" for token in found["tokens"])
    rows = "".join(
        f'<tr><th scope="row">{number + 1}</th>{"".join(map(_cell, layer))}</tr>'
        for number, layer in list(zip(found["layers"], found["top"], strict=True))[::-1]
    )
    put(
        '<div class="wb-scroll" tabindex="0"><table class="wb-lens"><thead><tr><th>layer</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<p class="wb-quiet wb-small">A column stands for what comes after its token; the stronger '
        "the tint, the likelier. Hover a cell for the five likeliest. Special tokens cannot be "
        "edited: their columns stay empty.</p>"
    )


def _cell(likeliest: Sequence[Sequence[Any]]) -> str:
    if not likeliest:
        return "<td></td>"
    told = ", ".join(f"{inert(token)} {p:.2f}" for token, p in likeliest)
    share = round(45 * likeliest[0][1])
    return (
        f'<td title="{html.escape(told)}" style="background:color-mix(in srgb, var(--wb-suspect) '
        f'{share}%, transparent)">{_mono(likeliest[0][0])}</td>'
    )


def _mono(token: str) -> str:
    return html.escape(inert(token).replace("\n", "⏎"))


def _evidence(made: Mapping[str, Any]) -> list[Evidence]:
    words = made["found"]["words"]
    beside = made["found"]["beside"]
    series = {"suspect": tuple(one["here"] for one in words)}
    if beside:
        series["reference"] = tuple(one["there"] for one in words)
    figure = Figure(
        "bar", "Words in the middle layers", "word", "probability",
        tuple(one["word"] for one in words), series,
    )  # fmt: skip
    if not made["said"]:
        return [figure]
    turns = (
        {"role": "user", "content": made["said"]},
        {"role": "assistant", "content": made["text"]},
    )
    return [figure, Transcript(turns, note="the text that was read")]
