"""Search the latents of an SAE, and read one: where it fires, towards what, beside whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Latent
from workbench.report.evidence import show
from workbench.report.figures import CONTROL, SUSPECT
from workbench.suspects.scored import looks_special
from workbench.ui import components, keep, theme
from workbench.ui.components import put, safe
from workbench.ui.pickers import pick_sae, shelved
from workbench.ui.room import Room
from workbench.ui.running import current, stopped, watched
from workbench.ui.speech import Token, said_in_tokens
from workbench.ui.where import chosen, go, parameter, remember, room, there

WAYS = {
    "Text": "Latents that a text lights up, the rare ones first.",
    "Token": "Latents that fire most on a token, or make it likelier.",
    "Words": "Latents whose labels, contexts or promoted tokens hold some words.",
    "Contrast": "Latents that differ between two sets of texts.",
}
MOST = 20
ROWS, TOKENS = 3_000, 400_000


def draw() -> None:
    """A latent where the URL names one, else the search; training where there is no SAE."""
    if not chosen():
        components.empty("No suspect is chosen.", "Choose one on the left.")
        return
    access = room().access
    lacking = (Access.ACTIVATIONS | Access.TRAINING_DATA) & ~access
    if lacking:
        components.denied(lacking, room().lacking["activations"])
        return
    running = current("sae")
    if running is not None:
        watched(running.id)
    shelf = shelved()
    if not shelf["saes"]:
        if not running:
            _offer(shelf["hooks"])
        return
    sae = pick_sae(shelf["saes"])
    if parameter("latent").isdecimal():
        _latent(sae, int(parameter("latent")))
    else:
        _search(sae)
        with st.expander("Train another SAE"):
            _train_form(shelf["hooks"])


def _offer(hooks: list[str]) -> None:
    components.empty(
        "There is no SAE of this suspect in the cache yet.",
        "Train one here: on two cores it takes about a minute for a model of 2 M parameters.",
    )
    _train_form(hooks)


def _train_form(hooks: list[str]) -> None:
    stopped("sae", "Resume the last training")
    hook = st.selectbox(
        "Hook", hooks, index=len(hooks) // 2,
        help="Where activations are read: the residual stream after this block.",
    )  # fmt: skip
    rows = st.number_input("Training rows to read", 50, 50_000, ROWS, 50)
    price = [room().price(meter) for meter in ("forward_passes", "documents", "tokens")]
    if any(price):
        put(
            '<p class="wb-quiet wb-small">It reads every row of the training data, and runs those '
            "above through the suspect and its reference: "
            f"{safe(', '.join(filter(None, price)))}.</p>"
        )
    busy = current("sae") is not None
    if st.button("Train an SAE", type="primary", disabled=busy, icon=":material/model_training:"):
        room().jobs.start(
            "sae", f"SAE at {hook}", room().source(),
            hook_name=hook, rows=int(rows), tokens=TOKENS,
        )  # fmt: skip
        st.rerun()


def _search(sae: str) -> None:
    how = st.segmented_control(
        "Search by", list(WAYS), default="Text", key="by", bind="query-params", required=True
    ) or "Text"  # fmt: skip
    put(f'<p class="wb-quiet wb-small">{WAYS[how]}</p>')
    other = ""
    if how == "Contrast":
        left, right = st.columns(2)
        one = left.text_area("One set, a text a line", key="one", bind="query-params", height=110)
        other = right.text_area("The other set", key="two", bind="query-params", height=110)
    else:
        one = st.text_input(
            how, key="one", bind="query-params", label_visibility="collapsed",
            placeholder="Type, and press Enter",
        )  # fmt: skip
    if not one.strip() or (how == "Contrast" and not other.strip()):
        st.header("Where to begin")
        rows = _asked("liveliest", sae=sae, most=MOST)
        put(
            '<p class="wb-quiet wb-small">Latents whose label best tells, on texts it was not made '
            "from, when they fire. Choose one to read it.</p>"
        )
        _open(
            sae,
            [r["latent"] for r in rows],
            [
                {"latent": r["latent"], "label": r["label"], "label score": r["label_score"],
                 "fires on": 100 * r["density"]}
                for r in rows
            ],
        )  # fmt: skip
        return
    with st.spinner("Searching the latents…"):
        found = _asked("search", sae=sae, how=how.lower(), one=one, two=other, most=MOST)
    if not found:
        components.empty("No latent answers to that.", "Try other words, or a longer text.")
        return
    st.header(f"{len(found)} latents")
    _open(
        sae,
        [f["latent"] for f in found],
        [
            {"latent": f["latent"], "label": f["label"], "score": f["score"],
             "fires on": 100 * f["density"], "reason": f["reason"]}
            for f in found
        ],
    )  # fmt: skip


def _open(sae: str, latents: Sequence[int], rows: list[dict[str, Any]]) -> None:
    """A table; the row that is chosen opens its latent."""
    number = st.column_config.NumberColumn
    picked = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"latents {sae} {hash(tuple(latents))}",
        column_config={
            "latent": number(width="small"),
            "label": st.column_config.TextColumn(width="medium"),
            "score": number(format="%.3f", width="small", help="Comparable in this search alone."),
            "label score": number(
                format="%.2f",
                help="Balanced accuracy of the label on held-out tokens; 0.5 is chance.",
            ),
            "fires on": number(format="%.3f %%", width="small", help="Share of all tokens."),
            "reason": st.column_config.TextColumn(width="large"),
        },
    )["selection"]["rows"]
    if picked:
        remember(latent=str(latents[picked[0]]), sae=sae)
        st.rerun()


def _latent(sae: str, index: int) -> None:
    def back() -> None:
        remember(latent="")

    st.button("Back to the search", on_click=back, icon=":material/arrow_back:", type="tertiary")
    found = _asked("latent", sae=sae, index=index, most=10)
    row, other = found["row"], found["reference"]
    st.header(f"Latent {index}")
    put(f'<p class="wb-claim">{safe(row["label"] or "no label")}</p>')
    put(components.facts(_facts(found), wide=True))
    _histogram(index, row, other, found["tokens"])
    examples = found["examples"]
    st.subheader("Where it fires most")
    if not examples:
        components.empty("It never fires on these rows.", "It is a dead latent.")
        return
    latent = Latent(
        sae=sae,
        index=index,
        hook_name=found["hook_name"],
        contexts=tuple("".join(e["tokens"]) for e in examples),
        documents=tuple(e["document"] for e in examples),
        note=row["label"] or "",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(
            "latent", [latent],
            claim=f"Latent {index} at {found['hook_name']} fires on: {row['label']}",
            metadata={"page": "features", "sae": sae, "latent": index},
        )  # fmt: skip
        here = {"sae": sae, "latent": str(index)}
        if there("steer"):
            go("steer", "Steer with it", icon=":material/tune:", **here)
        go("ask", "Tint replies by it", icon=":material/forum:", tint="Latent", **here)
    for example in examples:
        text, link = st.columns([5, 1], vertical_alignment="center")
        with text:
            _example(example, row["maximum"])
        if example["document"]:
            with link:
                go("data", "Open the row", doc=example["document"])
    with st.expander("Spread over all its activations, strongest fifth first"):
        put(
            '<p class="wb-quiet wb-small">The top alone makes a latent look cleaner than it is.</p>'
        )
        for band in found["bands"]:
            for example in band:
                _example(example, row["maximum"])
    _tokens(row)
    _neighbours(sae, row)


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    row, other = found["row"], found["reference"]
    score, chance = row["label_score"], row["label_random"]
    judged = "too rare to judge"
    if score is not None:
        judged = f"{score:.2f}" + (f", random label {chance:.2f}" if chance is not None else "")
    beside = "" if other is None else f" (reference {100 * other['density']:.2f} %)"
    return [
        ("hook", safe(found["hook_name"])),
        ("fires on", f"{100 * row['density']:.2f} % of {found['tokens']:,} tokens{beside}"),
        ("strongest activation", show(row["maximum"])),
        ("rows that fire it", f"{row['texts']:,}"),
        ("label score (held out)", judged),
    ]


def _histogram(index: int, row: dict[str, Any], other: dict[str, Any] | None, tokens: int) -> None:
    traces = [_trace(row, tokens, "suspect", SUSPECT, "solid")]
    title = f"Latent {index} fires on {100 * row['density']:.2f} % of the suspect's tokens"
    if other is not None:
        traces.append(_trace(other, tokens, "reference", CONTROL, "dash"))
        title += f", {100 * other['density']:.2f} % of the reference's"
    theme.draw(
        {
            "data": traces,
            "layout": {
                "height": 260,
                "margin": {"l": 60, "r": 16, "t": 28, "b": 50},
                "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
                "xaxis": {"title": {"text": "activation"}, "rangemode": "tozero"},
                "yaxis": {"title": {"text": "tokens (log)"}, "type": "log", "dtick": 1},
                "showlegend": other is not None,
            },
        },
        title=title,
        key=f"histogram {index}",
        read=f"How many of the same {tokens:,} tokens fire it how strongly, in "
        f"{len(row['histogram'])} bins up to each model's own maximum. Solid: the suspect. "
        "Dashed grey: its reference.",
    )


def _trace(row: dict[str, Any], tokens: int, name: str, colour: str, dash: str) -> dict[str, Any]:
    bins = row["histogram"]
    width = row["maximum"] / len(bins)
    return {
        "type": "scatter",
        "mode": "lines",
        "line": {"color": colour, "dash": dash, "shape": "hvh", "width": 2},
        "x": [(i + 0.5) * width for i in range(len(bins))],
        "y": [count or None for count in bins],
        "name": name,
        "hovertemplate": f"{name}: %{{y}} tokens at %{{x:.2f}}<extra></extra>",
    }


def _example(example: dict[str, Any], maximum: float) -> None:
    tokens = [
        Token(
            text,
            looks_special(text),
            f"activation {value:.2f}" if value else "",
            value / maximum,
        )
        for text, value in zip(example["tokens"], example["activations"], strict=True)
    ]
    role = f"{example['activation']:.2f}"
    if example["document"]:
        role += f" · {example['document']}"
    put(said_in_tokens(tokens, role=role))


def _tokens(row: dict[str, Any]) -> None:
    st.subheader("Tokens")
    left, middle, right = st.columns(3)
    for column, title, names, values in (
        (left, "it fires on", "top_tokens", "top_shares"),
        (middle, "it promotes", "promoted", "promoted_logits"),
        (right, "it suppresses", "suppressed", "suppressed_logits"),
    ):
        with column:
            pairs = list(zip(row[names], row[values], strict=True))
            if not pairs:
                put(
                    f'<p class="wb-quiet wb-small">{title}: not known, weights are not granted.</p>'
                )
                continue
            unit = ">share" if names == "top_tokens" else ">logit"
            put(components.table([title, unit], ([repr(t)[1:-1], round(v, 3)] for t, v in pairs)))


def _neighbours(sae: str, row: dict[str, Any]) -> None:
    st.subheader("Neighbours")
    for title, names, values in (
        ("By direction (cosine)", "cosine_latents", "cosines"),
        ("By firing together (Jaccard)", "coactive_latents", "jaccard"),
    ):
        put(f'<p class="wb-quiet wb-small">{title}</p>')
        with st.container(horizontal=True):
            for latent, value in zip(row[names], row[values], strict=True):
                go("features", f"{latent} ({value:.2f})", key=names, sae=sae, latent=str(latent))


def _asked(question: str, **arguments: Any) -> Any:
    entered = room()
    return _answered(entered, entered.key, entered.name, question, **arguments)


@st.cache_data(show_spinner=False, max_entries=128, scope="session")
def _answered(_room: Room, key: str, name: str, question: str, **arguments: Any) -> Any:
    return _room.latents(question, **arguments)
