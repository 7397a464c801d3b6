"""Linear probes: train one from texts, read its card beside its controls, see it on each token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import BadParameter
from workbench.report.evidence import show
from workbench.ui import components, running
from workbench.ui.components import put, safe
from workbench.ui.pickers import lines, listed_probes, may, pick_probe
from workbench.ui.probe_card import KINDS, card
from workbench.ui.room import Room
from workbench.ui.speech import Token, said_in_tokens
from workbench.ui.where import chosen, room

PARQUET_MEGABYTES = 50
BENIGN = 300
"""Rows of training data on which the rate of false positives is measured."""
FEWEST = 12
"""Texts of each kind: four to learn from, four to choose the layer on, four to be judged on."""
NEEDS = Access.ACTIVATIONS


def draw(*, uploads: bool = True) -> None:
    """Training where there is no probe, else the card of one, its tokens, and training below.
    uploads: whether a file may be given."""
    if not may(NEEDS, "A probe reads the suspect's activations."):
        return
    put(
        '<p class="wb-quiet">A probe is a direction in the activations that tells two kinds of '
        "text apart. It has found something when it beats a bag of words on texts that it has not "
        "seen, and shuffled labels give 0.5.</p>"
    )
    probes = listed_probes()
    busy = running.current("probe")
    if busy is not None:
        running.watched(busy.id)
    if not probes:
        if busy is None:
            components.empty(
                "There is no probe of this suspect yet.",
                "Give texts that hold what you look for, and texts that do not.",
            )
        _train(uploads)
        return
    one = pick_probe(probes)
    card(one)
    _tokens(one)
    st.header("Train another")
    _train(uploads)


def _train(uploads: bool) -> None:
    running.stopped("probe", "Resume the last training")
    how = st.segmented_control(
        "Texts from", ["Pasted texts", "Parquet file"], default="Pasted texts", key="texts",
        bind="query-params", required=True,
    ) if uploads else "Pasted texts"  # fmt: skip
    one, two, table = [], [], None
    if how == "Parquet file":
        table = st.file_uploader(
            "Labelled texts", type=["parquet"], max_upload_size=PARQUET_MEGABYTES,
            help="Columns text, label (0 or 1) and, if there, style.",
        )  # fmt: skip
    else:
        left, right = st.columns(2)
        one = lines(
            left.text_area(
                "With what is looked for, one a line", key="one", bind="query-params", height=150
            )
        )
        two = lines(
            right.text_area("Without it, one a line", key="two", bind="query-params", height=150)
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.text_input("What it looks for", key="title", width=260, max_chars=80)
        kind = st.selectbox("Kind", list(KINDS), format_func=KINDS.__getitem__, width=220)
        style = st.text_input(
            "Style left out", width=170, help="A value of the column style that training does not "
            "see, for transfer.",
        ) if how == "Parquet file" else ""  # fmt: skip
    bounded, enough = _price(len(one) + len(two))
    ready = (
        enough
        and bool(title.strip())
        and (table is not None or (min(len(one), len(two)) >= FEWEST))
    )
    why = "Name what it looks for, and give at least 12 texts of each kind"
    why += " or a Parquet file." if uploads else "."
    if not st.button(
        "Train the probe", type="primary", icon=":material/straighten:",
        disabled=not ready or running.current("probe") is not None, help=None if ready else why,
    ):  # fmt: skip
        if not ready:
            put(f'<p class="wb-quiet wb-small">{why}</p>')
        return
    if table is not None and table.size > PARQUET_MEGABYTES << 20:
        raise BadParameter(
            f"a file of {table.size:,} bytes", hint=f"Give at most {PARQUET_MEGABYTES} MB."
        )
    running.begin(
        "probe", f"probe for {title.strip()}",
        files={} if table is None else {"texts.parquet": table.getvalue()},
        looks_for=title.strip(), one=one, two=two, table="" if table is None else "texts.parquet",
        probe_kind=kind, style=style.strip(), seed=0,
        benign=0 if bounded else BENIGN,
    )  # fmt: skip


def _price(texts: int) -> tuple[bool, bool]:
    """(whether anything is bounded, whether it reaches for so many texts), said where it is."""
    left = {meter: room().left(meter) for meter in ("forward_passes", "tokens", "documents")}
    if all(amount is None for amount in left.values()):
        return False, True
    passes = left["forward_passes"]
    enough = passes is None or 2 * texts <= passes
    prices = filter(None, (room().price(meter) for meter in left))
    put(
        f'<p class="wb-quiet wb-small">It reads every text twice, {2 * texts:,} forward passes at '
        "most, and, since a budget is bounded, no row of the training data beside them: "
        f"{safe(', '.join(prices))}.{'' if enough else ' That is not enough: give fewer texts.'}"
        "</p>"
    )
    return True, enough


def _tokens(one: Mapping[str, Any]) -> None:
    st.header("On each token")
    text = st.text_area(
        "A text", key="text", bind="query-params", height=90,
        placeholder="Paste a reply, a row or anything else.",
    )  # fmt: skip
    if not text.strip():
        components.empty("Its tokens will be here, tinted by their score.", "Paste a text.")
        return
    with st.spinner("Reading the tokens…"):
        lit = _lit(room(), room().key, chosen(), one["name"], text)
    highest = max(max(lit["values"], default=0.0), 1e-9)
    tokens = [
        Token(token, special, "" if special else f"score {value:.2f}", max(0.0, value) / highest)
        for token, special, value in zip(lit["tokens"], lit["special"], lit["values"], strict=True)
    ]
    read = [v for v, special in zip(lit["values"], lit["special"], strict=True) if not special]
    mean = sum(read) / max(1, len(read))
    side = "with what it looks for" if mean > 0 else "without it"
    put(said_in_tokens(tokens, role=f"mean score {show(mean)}: on the side of the texts {side}"))
    put(
        '<p class="wb-quiet wb-small">The stronger the tint, the higher a token scores; scores '
        "below 0 are not tinted. Hover a token for its score.</p>"
    )


@st.cache_data(show_spinner=False, max_entries=32, scope="session")
def _lit(_room: Room, key: str, name: str, probe: str, text: str) -> dict[str, Any]:
    """A text is read once, however often the page is drawn."""
    (lit,) = _room.latents("light_texts", by={"probe": probe}, texts=[text])
    return dict(lit)
