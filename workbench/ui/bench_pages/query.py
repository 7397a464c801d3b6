"""SQL on the ledger: one SELECT, read-only, in a process that is ended where it runs away."""

from __future__ import annotations

import csv
import io

import streamlit as st

from workbench.findings import Figure
from workbench.ui import components, keep, query
from workbench.ui.bench import bench, overview
from workbench.ui.components import put
from workbench.ui.where import guarded, remember

EXAMPLES = {
    "What was found": "SELECT f.claim, f.confidence, r.technique, r.suspect\nFROM findings f "
    "JOIN runs r ON r.id = f.run_id\nORDER BY f.confidence DESC",
    "Cost by technique": "SELECT technique, count(*) AS runs, sum(seconds) AS seconds,\n"
    "  sum(CAST(usage->>'samples' AS BIGINT)) AS samples\nFROM runs GROUP BY technique "
    "ORDER BY seconds DESC",
    "What failed": "SELECT technique, suspect, status, reason FROM runs\nWHERE status <> 'ok'",
    "Hypotheses": "SELECT points_to->>'root_cause' AS root_cause, count(*) AS findings,\n"
    "  max(confidence) AS strongest\nFROM findings WHERE points_to IS NOT NULL\n"
    "GROUP BY root_cause ORDER BY strongest DESC",
}
CHARTED = 40
"""Rows at most of an answer that is drawn as a finding's figure."""


def draw() -> None:
    """The statement, its answer, and what there is to ask of."""
    if not overview()["runs"]:
        components.empty(
            "The ledger holds nothing yet.",
            "Run a battery on the Audit page, or keep something as a finding.",
        )
        return
    with st.container(horizontal=True):
        for name, example in EXAMPLES.items():
            st.button(name, key=f"example {name}", type="tertiary", on_click=_take, args=(example,))
    sql = st.text_area(
        "One SELECT", key="sql", bind="query-params", height=150, max_chars=20_000,
        placeholder="SELECT … FROM findings",
        help=f"DuckDB's dialect. Read-only; ended after {query.SECONDS:g} seconds.",
    )  # fmt: skip
    pressed = st.button(
        "Ask the ledger", type="primary", shortcut="Mod+Enter", icon=":material/play_arrow:"
    )
    if pressed and not sql.strip():
        components.empty("There is no statement yet.", "Write one, or take an example above.")
    elif pressed or sql.strip():
        with guarded(), st.spinner("Asking…"):
            _show(sql, _asked(str(bench().ledger), bench().ledger.stat().st_mtime_ns, sql))
    else:
        components.empty(
            "The answer will be here.", "Take an example above, or write a SELECT of your own."
        )
    with st.expander("Tables and columns"):
        tables = bench().books.ask("tables", ledger=str(bench().ledger))
        put(components.table(["table", "columns"], tables))
        put(
            '<p class="wb-quiet wb-small">Columns of type JSON are read with -&gt; and -&gt;&gt;. '
            f"At most {query.ROWS:,} rows come back, each value cut to {query.CELL:,} characters. "
            "Files, extensions, settings and the network are out of reach.</p>"
        )


def _take(example: str) -> None:
    st.session_state["sql"] = example
    remember(sql=example)


@st.cache_data(show_spinner=False, max_entries=32)
def _asked(ledger: str, stamp: int, sql: str) -> query.Answer:
    return query.ask(ledger, sql)


def _show(sql: str, answer: query.Answer) -> None:
    if not answer.rows:
        components.empty("No row answers to that.", "Loosen the conditions.")
        return
    st.header(f"First {len(answer.rows):,} rows" if answer.cut else f"{len(answer.rows):,} rows")
    names = _unique(answer.columns)
    st.dataframe(
        [dict(zip(names, row, strict=True)) for row in answer.rows],
        hide_index=True,
        height=min(480, 38 + 35 * len(answer.rows)),
        column_config={
            name: st.column_config.NumberColumn(format="%.4g")
            for name, value in zip(names, answer.rows[0], strict=True)
            if isinstance(value, float)
        },
    )
    with st.container(horizontal=True):
        figure = _figure(answer)
        keep.button(
            "query", [figure] if figure else [], claim="", metadata={"page": "query", "sql": sql}
        )
        st.download_button(
            "Save as CSV", lambda: _csv(answer), "answer.csv", "text/csv",
            icon=":material/download:", type="tertiary", on_click="ignore",
        )  # fmt: skip


def _figure(answer: query.Answer) -> Figure | None:
    """The answer as bars, where its first column names things and others are numbers."""
    first, *rest = zip(*answer.rows, strict=True)
    numeric = {
        name: tuple(float(v) for v in values)
        for name, values in zip(answer.columns[1:], rest, strict=True)
        if all(isinstance(v, int | float) and abs(v) < float("inf") for v in values)
    }
    if not numeric or len(answer.rows) > CHARTED:
        return None
    names = tuple(map(str, first))
    return Figure("bar", "Answer of the ledger", answer.columns[0], "", names, numeric)


def _unique(columns: tuple[str, ...]) -> list[str]:
    """Names for the table, where a statement gave two columns one name."""
    made: list[str] = []
    for name in columns:
        count = sum(name == one.rsplit(" ", 1)[0] or name == one for one in made)
        made.append(f"{name} {count + 1}" if count else name)
    return made


def _csv(answer: query.Answer) -> bytes:
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
    return held.getvalue().encode()
