"""From the words of an output to the training rows that hold them, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Excerpt, Measurement
from workbench.report.evidence import show
from workbench.ui import components, keep, running
from workbench.ui.bench import bench
from workbench.ui.components import put, safe
from workbench.ui.pickers import may
from workbench.ui.speech import said
from workbench.ui.where import chosen, go, parameter, remember

PLACES = 5
"""Rows shown for a span."""


def draw() -> None:
    """The text, its spans, and the rows of the one that is chosen."""
    if not may(Access.TRAINING_DATA, "A trace looks for an output in the training rows."):
        return
    with st.spinner("Opening the training data…"):
        ready = bench().library.ask("traceable", suspect=chosen())
    if not ready:
        _index()
        return
    text = st.text_area(
        "An output", key="traced", bind="query-params", height=130, max_chars=20_000,
        placeholder="Paste a reply; or press “Trace it” beside one on Ask.",
    )  # fmt: skip
    if not text.strip():
        components.empty(
            "What the output has word for word from the training data will be here.",
            "Paste a reply of the suspect, or a row.",
        )
        return
    with st.spinner("Looking for its spans…"):
        found = _asked("trace", suspect=chosen(), text=text, places=PLACES)
    _text(text, found)
    if not found["spans"]:
        components.empty(
            "No span of four words or more stands in the training data.",
            "Try another reply: what is paraphrased is not found here.",
        )
        return
    _rows(text, found, _spans(found))


def _index() -> None:
    busy = running.current("index")
    if busy is not None:
        running.watched(busy.id)
        return
    components.empty(
        "The training data is not indexed for tracing yet.",
        "Build the index once: seconds for a bundled suspect, minutes for a gigabyte.",
    )
    running.stopped("index", "Resume the index")
    if st.button("Build the index", type="primary", icon=":material/account_tree:"):
        bench().jobs.start("index", "index for tracing", chosen())
        st.rerun()


def _text(text: str, found: Mapping[str, Any]) -> None:
    longest, shuffled = found["longest"], found["shuffled_longest"]
    usual = sum(shuffled) / max(1, len(shuffled))
    put(
        f'<p class="wb-figure">Its longest match has {longest} words; with its words shuffled '
        f"{usual:.1f} on average, p = {show(found['p'])}</p>"
        + said(text, speaker="suspect", marked=_marks(found["spans"]))
        + '<p class="wb-quiet wb-small">Marked: spans of four words or more that stand in the '
        f"training data word for word; they cover {found['covered']:.0%} of {found['words']} "
        f"words. Shuffled text matches by chance, and {len(shuffled)} shuffles say how long.</p>"
    )


def _marks(spans: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    return sorted((span["start"], span["end"]) for span in spans)


def _spans(found: Mapping[str, Any]) -> int:
    """The table; returns the span that is chosen, the URL's or the rarest."""
    spans = found["spans"]
    number = st.column_config.NumberColumn
    picked = st.dataframe(
        [
            {
                "span": span["text"],
                "words": span["words"],
                "rarity": span["rarity"],
                "rows here": span["documents"],
                **({"rows in reference": span["reference"]} if "reference" in span else {}),
            }
            for span in spans
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"spans {hash(tuple(s['text'] for s in spans))}",
        height=min(320, 38 + 35 * len(spans)),
        column_config={
            "span": st.column_config.TextColumn(width="large"),
            "rarity": number(
                format="%.0f bits", help="How unlikely its words are, drawn one by one."
            ),
            "rows here": number(help=f"Of {found['n']:,}."),
            "rows in reference": number(help=f"Of {found['reference_n'] or 0:,}."),
        },
    )["selection"]["rows"]
    if picked:
        remember(span=str(picked[0]))
        return int(picked[0])
    named = parameter("span")
    return min(int(named), len(spans) - 1) if named.isdecimal() else 0


def _rows(text: str, found: Mapping[str, Any], place: int) -> None:
    span = found["spans"][place]
    st.header("Where it stands")
    other = f", {span['reference']:,} in the reference's" if "reference" in span else ""
    put(
        f'<p class="wb-quiet wb-small">“{safe(span["text"])}”: {span["documents"]:,} of '
        f"{found['n']:,} rows here{other}.</p>"
    )
    evidence: list[Excerpt | Measurement] = []
    if "reference" in span:
        evidence.append(_measured(span, found))
    for at in span["places"]:
        row = _asked("document", suspect=chosen(), id=at["document"])
        message = row["messages"][at["turn"]]
        put(
            said(
                message["content"], role=f"{at['document']} · {message['role']}",
                marked=[(at["start"], at["end"])],
            )
        )  # fmt: skip
        evidence.append(
            Excerpt(at["document"], message["content"], at["start"], at["end"], message["role"])
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            go("data", "Open the row", key=at["document"], doc=at["document"])
            go("trace", "Trace this row instead", key=at["document"],
               traced=message["content"][:2_000])  # fmt: skip
    keep.button(
        "trace", evidence,
        claim=f"“{span['text'][:200]}” stands word for word in {span['documents']:,} training rows",
        metadata={"page": "trace", "text": text[:2_000], "longest": found["longest"],
                  "p": found["p"]},
    )  # fmt: skip


def _measured(span: Mapping[str, Any], found: Mapping[str, Any]) -> Measurement:
    here, there = span["documents"] / found["n"], span["reference"] / found["reference_n"]
    return Measurement(
        name=f"rows that hold “{span['text'][:60]}”",
        value=here,
        n=found["n"],
        interval=(here, here),
        control="rows of the reference's training data",
        control_value=there,
        control_n=found["reference_n"],
        control_interval=(there, there),
        unit="rate",
    )


@st.cache_data(show_spinner=False, max_entries=64)
def _asked(question: str, **arguments: Any) -> Any:
    return bench().library.ask(question, **arguments)
