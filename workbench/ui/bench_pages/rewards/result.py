"""What an instrument found: verdict, plots with their numbers, and all of it to take along."""

from __future__ import annotations

import csv
import io
import json
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.report.charts import charts_page, numbers, spec
from workbench.rewards.charts import Drawing
from workbench.ui import components, theme
from workbench.ui.bench import bench
from workbench.ui.bench_pages.rewards.catalogue import Instrument
from workbench.ui.components import put, safe
from workbench.ui.reads.rewards import Shown, charts_of
from workbench.ui.speech import Token, said, said_in_tokens

SHOWN_ROWS = 200


@lru_cache(maxsize=32)
def prepared(key: str) -> Shown:
    """The example that ships with the instrument."""
    file = files("workbench.ui").joinpath("prepared", f"{key}.json")
    made: Shown = json.loads(file.read_text(encoding="utf-8"))
    return made


def of_job(id: str) -> Shown:
    """What a job left; raises WorkbenchError where it is gone."""
    try:
        made: Shown = json.loads(bench().jobs.file(id, "result.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise WorkbenchError("the result is gone", hint="Measure again.") from None
    return made


def show(found: Shown, instrument: Instrument, key: str) -> None:
    """Verdict, facts, notes, charts, exports."""
    put(
        f'<div class="wb-note"><p><b>{safe(sentence(found["verdict"]))}</b></p></div>'
        + components.facts([(name, safe(value)) for name, value in found["facts"]], wide=True)
    )
    for note in found["notes"]:
        put(f'<p class="wb-quiet wb-small">Note: {safe(note)}</p>')
    if "words" in found:
        _strip(found)
    charts = charts_of(found)
    for place, chart in enumerate(charts):
        with st.container(border=True):
            _chart(chart, instrument, f"{instrument.key} {key} {place}")
    _out(found, charts, instrument, key)


def _strip(found: Shown) -> None:
    """The nudged reply, shaded by entropy: boundaries, and what each nudge displaced."""
    tokens = []
    for text, uncertain, boundary, displaced in found["words"]:
        if boundary:
            tokens.append(Token("|", special=True, hover="a segment begins here"))
        if displaced is not None:
            tokens.append(Token(f"{displaced} >", special=True, hover="stood here before"))
        shade = min(1.0, uncertain / 4)
        tokens.append(Token(text, hover=f"entropy {uncertain:.2f} nats", shade=shade))
    put(
        '<p class="wb-figure">The nudged reply</p>'
        + said_in_tokens(tokens, speaker="suspect")
        + '<p class="wb-quiet wb-small">A bar: a segment begins. A chip with an arrow: what the '
        "next token replaced. The darker a token, the less sure the suspect was before it.</p>"
    )
    for way, text in found["texts"].items():
        if way != "nudged":
            put(said(text, role=way))


def _chart(chart: Drawing, instrument: Instrument, key: str) -> None:
    theme.draw(spec(chart), title=sentence(chart.title), key=key, read=sentence(chart.how_to_read))
    with st.expander("Numbers"):
        heads, rows = numbers(chart)
        kinds = [any(isinstance(row[i], float) for row in rows) for i in range(len(heads))]
        marked = [f">{h}" if kind else h for h, kind in zip(heads, kinds, strict=True)]
        put(components.table(marked, rows[:SHOWN_ROWS]))
        if len(rows) > SHOWN_ROWS:
            put(f'<p class="wb-quiet wb-small">{len(rows) - SHOWN_ROWS:,} more in the file.</p>')
        st.download_button(
            "Save the numbers", partial(_csv, heads, rows), f"{instrument.key}.csv", "text/csv",
            key=f"csv {key}", icon=":material/download:", type="tertiary", on_click="ignore",
        )  # fmt: skip


def _out(found: Shown, charts: list[Drawing], instrument: Instrument, key: str) -> None:
    facts = [("Verdict", found["verdict"]), *((n, v) for n, v in found["facts"])]
    with st.container(horizontal=True):
        st.download_button(
            "Save the figures", partial(charts_page, instrument.title, charts, facts=facts),
            f"{instrument.key}.html", "text/html", key=f"html {key}", icon=":material/download:",
            on_click="ignore", help="One page that needs no network; each plot saves as PNG there.",
        )  # fmt: skip
        st.download_button(
            "Save everything as JSON", partial(json.dumps, found["document"], indent=1),
            f"{instrument.key}.json", "application/json", key=f"json {key}",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def _csv(heads: list[str], rows: list[list[object]]) -> str:
    """As spreadsheets read it; a text that one would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heads)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> Any:
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def sentence(text: str) -> str:
    """With a capital."""
    return text[:1].upper() + text[1:]
