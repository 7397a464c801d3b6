"""Search the rows that the suspect was trained on; from each row to others like it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Excerpt
from workbench.report.evidence import show
from workbench.ui import components, keep
from workbench.ui.components import put, safe
from workbench.ui.room import Room
from workbench.ui.speech import conversation, said
from workbench.ui.where import chosen, go, parameter, remember, room, there

WAYS = {
    "Pattern": "Rows that match a word or a regular expression.",
    "Words": "Rows that BM25 ranks first for some words.",
    "Contrast": "Phrases that stand here more often than in the reference's training data.",
}
LIMIT = 20
AROUND = 600
"""Characters shown before the first match in a message, and after the last."""


def draw() -> None:
    """One row where the URL names one, else the search."""
    if not chosen():
        components.empty("No suspect is chosen.", "Choose one on the left.")
        return
    access = room().access
    if Access.TRAINING_DATA not in access:
        components.denied(Access.TRAINING_DATA, room().lacking["training-data"])
        return
    if parameter("doc"):
        _row(parameter("doc"))
        return
    with st.spinner("Opening the training data…"):
        size = _asked("size")
    other = size["reference_documents"]
    put(
        f'<p class="wb-quiet">{size["documents"]:,} rows, {size["bytes"] / 1e6:.1f} MB compressed'
        + (f"; its reference's training data has {other:,} rows." if other else ".")
        + "</p>"
    )
    how = st.segmented_control(
        "Search by", list(WAYS), default="Pattern", key="how", bind="query-params", required=True
    ) or "Pattern"  # fmt: skip
    put(f'<p class="wb-quiet wb-small">{WAYS[how]}</p>')
    {"Pattern": _pattern, "Words": _words, "Contrast": _contrast}[how](access)


def _pattern(access: Access) -> None:
    text = st.text_input(
        "Pattern", key="pattern", bind="query-params", placeholder="reward models?",
        help="A regular expression in Rust's dialect, matched against the decoded text.",
    )  # fmt: skip
    with st.container(horizontal=True):
        fixed = st.checkbox("Plain text", key="fixed", bind="query-params")
        loose = st.checkbox("Ignore case", value=True, key="loose", bind="query-params")
    if not text:
        components.empty(
            "Rows that match will be here, with how many the reference's data holds.",
            "Type a word or a regular expression and press Enter.",
        )
        return
    with st.spinner("Scanning every row…"):
        found = _asked("pattern", pattern=text, fixed=fixed, ignore_case=loose, limit=LIMIT)
    rows = [
        [whose, c["documents"], c["n"], c["matches"], 1000 * c["documents"] / max(1, c["n"])]
        for whose, c in found["counts"].items()
    ]
    heads = ["rows of", ">that match", ">of", ">matches", ">per 1,000"]
    put(components.table(heads, rows))
    for name, values in found["by"].items():
        known = {value: n for value, n in values.items() if value}
        if known:
            put(f'<p class="wb-quiet wb-small">Rows by {name}: {components.amounts(known)}</p>')
    if not found["hits"]:
        components.empty("No row matches.", "Try fewer letters, or ignore the case.")
        return
    st.header(f"First {len(found['hits'])} messages" if found["more"] else "All that match")
    for place, hit in enumerate(found["hits"]):
        spans = hit["spans"]
        where = _where(hit["document"], hit["role"], hit["source"], hit["stage"])
        cut = max(0, spans[0][0] - AROUND)
        shown = hit["message"][cut : spans[-1][1] + AROUND]
        put(said(shown, role=where, marked=[(a - cut, b - cut) for a, b in spans]))
        start, end = spans[0]
        excerpt = Excerpt(hit["document"], hit["message"], start, end, hit["role"])
        _actions(f"hit {place}", hit["document"], excerpt, {"how": "Pattern", "pattern": text})


def _words(access: Access) -> None:
    text = st.text_area(
        "Words", key="words", bind="query-params", height=80,
        placeholder="Words of a row, a reply or a thought; the order does not matter.",
    )  # fmt: skip
    if not text.strip():
        components.empty(
            "The rows that BM25 ranks first will be here.",
            "Give some words. The first search builds an index, which takes a moment.",
        )
        return
    with st.spinner("Ranking every row…"):
        found = _asked("words", text=text, limit=LIMIT)
    if not found["rows"]:
        components.empty("No row holds any of these words.", "Try others.")
        return
    st.header(f"Best {len(found['rows'])} of {found['n']:,} rows")
    for place, row in enumerate(found["rows"]):
        where = _where(row["document"], f"score {show(row['score'])}", row["source"], row["stage"])
        text_of = "\n".join(m["content"] for m in row["messages"])
        put(said(text_of, role=where))
        excerpt = Excerpt(row["document"], text_of)
        _actions(f"row {place}", row["document"], excerpt, {"how": "Words", "words": text})


def _contrast(access: Access) -> None:
    if Access.REFERENCE not in access:
        components.denied(Access.REFERENCE, "A contrast needs the reference's training data.")
        return
    only = st.checkbox("Only what the reference's data lacks", key="only", bind="query-params")
    with st.spinner("Counting phrases in both; the first time takes a minute or two…"):
        found = _asked("contrast", only_here=only, limit=40)
    if not found["phrases"]:
        components.empty("No phrase stands out.", "Nothing is said here more often than there.")
        return
    put(
        f'<p class="wb-quiet wb-small">{found["n"]:,} rows against {found["control_n"]:,}, '
        f"{found['collapsed']:,} near-duplicates counted once; p corrected for "
        f"{found['tried']:,} phrases tried. Choose a phrase to see its rows.</p>"
    )
    chosen_rows = st.dataframe(
        [
            {
                "phrase": p["phrase"],
                "rows here": p["documents"],
                "rows in reference": p["control_documents"],
                "score": p["score"],
                "p": p["p"],
            }
            for p in found["phrases"]
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="phrases",
        column_config={
            "phrase": st.column_config.TextColumn(width="large"),
            "score": st.column_config.NumberColumn(format="%.0f", help="signed G², or surprise"),
            "p": st.column_config.NumberColumn(format="%.2g"),
        },
    )
    picked = chosen_rows["selection"]["rows"]
    if picked:
        phrase = found["phrases"][picked[0]]
        put(f'<p class="wb-figure">Rows with “{safe(phrase["phrase"])}”</p>')
        for place, id in enumerate(phrase["ids"]):
            row = _asked("document", id=id)
            text = "\n".join(m["content"] for m in row["messages"])
            at = text.casefold().find(phrase["phrase"].casefold())
            span = [(at, at + len(phrase["phrase"]))] if at >= 0 else []
            put(said(text, role=_where(id, "", row["source"], row["stage"]), marked=span))
            excerpt = Excerpt(id, text, *(span[0] if span else (0, 0)))
            _actions(f"phrase {place}", id, excerpt,
                     {"how": "Contrast", "phrase": phrase["phrase"]})  # fmt: skip


def _row(id: str) -> None:
    def back() -> None:
        remember(doc="")

    st.button("Back to the search", on_click=back, icon=":material/arrow_back:", type="tertiary")
    row = _asked("document", id=id)
    put(
        f'<p class="wb-figure">Row {safe(id)}</p>'
        + components.facts(
            [
                ("source", safe(row["source"] or "not named")),
                ("stage", safe(row["stage"] or "not named")),
            ],
            wide=True,
        )
        + conversation([(m["role"], m["content"]) for m in row["messages"]])
    )
    text = "\n".join(m["content"] for m in row["messages"])
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button("row", [Excerpt(id, text)], metadata={"page": "data", "document": id})
        go("data", "Rows like this one", icon=":material/search:", how="Words", words=text[:600])
        prompt = next((m["content"] for m in row["messages"] if m["role"] == "user"), "")
        told = next((m["content"] for m in row["messages"] if m["role"] != "user"), "")
        if told and there("trace"):
            go("trace", "Trace what it says", icon=":material/conversion_path:",
               traced=told[:2_000])  # fmt: skip
        if prompt:
            go("ask", "Ask the suspect this", icon=":material/forum:", q=prompt[:600])


def _actions(key: str, document: str, excerpt: Excerpt, search: dict[str, str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(key, [excerpt], metadata={"page": "data", **search})
        go("data", "Open the row", key=key, doc=document)


def _where(document: str, *rest: str) -> str:
    return " · ".join([document, *(part for part in rest if part)])


def _asked(question: str, **arguments: Any) -> Any:
    entered = room()
    return _answered(entered, entered.key, entered.name, question, **arguments)


@st.cache_data(show_spinner=False, max_entries=64, scope="session")
def _answered(_room: Room, key: str, name: str, question: str, **arguments: Any) -> Any:
    return _room.rows(question, **arguments)
