"""Which technique and which auditor finds what, and what it costs: results of a benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.benchmark import figures, report
from workbench.benchmark.figures import Entrant
from workbench.benchmark.page import page
from workbench.errors import ConfigError
from workbench.ui import components, theme
from workbench.ui.components import put, safe
from workbench.ui.where import guarded, parameter, remember

PLACES = ("out", "benchmarks/results")
"""Where `benchmark run` is usually told to write, below the folder that the app was started in."""
MOST_BYTES = 32 << 20
UPLOADED = "A file of mine"


def draw() -> None:
    """Choice of a result, figures, tables, what they were made from, exports."""
    put(
        '<p class="wb-lede">Techniques and auditors over suites of organisms and clean suspects, '
        "graded against sealed truths.</p>"
    )
    found = {str(file): file for file in _results()}
    names = [*found, UPLOADED]
    asked = parameter("result")
    name = st.selectbox(
        "Result", names, index=names.index(asked) if asked in names else 0, key="which result"
    )
    with guarded():
        if name == UPLOADED:
            document = _uploaded()
        else:
            remember(result=name)
            document = report.read(found[name])
        if document is not None:
            _show(document)


def _results() -> list[Path]:
    """Results in the usual places, the newest first."""
    files = [file for place in PLACES for file in Path(place).glob("*.json")]
    kept = [file for file in files if file.stat().st_size <= MOST_BYTES and _is_result(file)]
    return sorted(kept, key=lambda file: -file.stat().st_mtime)


def _is_result(file: Path) -> bool:
    try:
        report.read(file)
    except ConfigError:
        return False
    return True


def _uploaded() -> dict[str, Any] | None:
    given = st.file_uploader("Result of a benchmark", ["json"], help="It stays on this machine.")
    if given is None:
        components.empty(
            "The board will be here.",
            "workbench benchmark run SUITE_DIR --vault DIR --out out/benchmark.json writes one.",
        )
        return None
    return report.parse(given.getvalue().decode("utf-8", "replace"), given.name)


def _show(document: Mapping[str, Any]) -> None:
    auditors, techniques = figures.auditors(document), figures.techniques(document)
    if auditors:
        _board(auditors, "solved", "median CPU seconds", "auditors")
        _sureness(document["auditors"])
    if techniques:
        _board(techniques, "hit", "median seconds", "techniques")
    for table in report.tables(document):
        st.subheader(table.title)
        put(components.table(table.columns, table.rows))
    with st.expander("What these figures were made from"):
        for note in report.notes(document):
            put(f'<p class="wb-small">{safe(note)}</p>')
    with st.container(horizontal=True):
        for label, made, file, kind in (
            ("Save as a page", partial(page, document), "benchmark.html", "text/html"),
            ("Save as Markdown", partial(report.markdown, document), "benchmark.md", "text/plain"),
            ("Save as JSON", partial(json.dumps, document, indent=1), "benchmark.json",
             "application/json"),
        ):  # fmt: skip
            st.download_button(
                label, made, file, kind, icon=":material/download:", on_click="ignore"
            )


def _board(entrants: Sequence[Entrant], found: str, seconds: str, key: str) -> None:
    spec = figures.costs(entrants, seconds, found)
    with st.container(border=True):
        theme.draw(
            spec,
            title=figures.told(entrants, found),
            key=f"costs {key}",
            read="Up is better, left is cheaper. Filled: share of organisms with a hit; open and "
            "grey: share of clean suspects accused, the control. Bars: 95 % intervals. On the "
            "dotted line nothing cheaper finds more; its members are named.",
        )


def _sureness(auditors: Mapping[str, Any]) -> None:
    shown = {name: s for name, s in auditors.items() if s["reliability"]["bins"]}
    for name, summary in shown.items():
        with st.container(border=True):
            theme.draw(
                figures.reliability(summary),
                title=f"How sure {name} was, and how often right",
                key=f"sure {name}",
                read="On the dashed line confidence is what it says; below it, too sure. "
                "Bars: 95 % intervals.",
            )
