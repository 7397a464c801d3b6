"""One page for every reward instrument: its question, where numbers come from, what they say."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.ui import components
from workbench.ui.bench import bench
from workbench.ui.bench_pages.rewards import result
from workbench.ui.bench_pages.rewards.catalogue import INSTRUMENTS, Instrument, Option, Way
from workbench.ui.components import put, safe
from workbench.ui.jobs import Job
from workbench.ui.where import chosen, go, guarded, parameter, remember

PREPARED = "Prepared example"
NONE = "none"
EARLIER = 6
SUFFIXES = ("csv", "tsv", "parquet")


def draw(instrument: Instrument) -> None:
    """Question, source of the numbers, result, and what stands behind it."""
    put(f'<p class="wb-lede">{safe(instrument.question)}</p>')
    ways = {PREPARED: None, **{way.label: way for way in instrument.ways}}
    asked = _job(instrument)
    first = PREPARED
    if asked is not None:
        first = next(
            (w.label for w in instrument.ways if w.key == asked.arguments["way"]), PREPARED
        )
    label = st.segmented_control(
        "Numbers from", list(ways), default=first, key=f"from {instrument.key}", required=True
    )
    way = ways[label or PREPARED]
    with guarded():
        if way is None:
            put(f'<p class="wb-quiet wb-small">{safe(result.sentence(instrument.prepared))}</p>')
            result.show(result.prepared(instrument.key), instrument, "prepared")
        else:
            _measure(instrument, way)
            _jobs(instrument, way, asked)
    _behind(instrument)


def _measure(instrument: Instrument, way: Way) -> None:
    if way.suspect and not chosen():
        components.empty("No suspect is chosen.", "Choose one on the left.")
        return
    file, title = "", way.label
    called: dict[str, str] = {}
    if way.columns:
        given = st.file_uploader(
            "Table",
            SUFFIXES,
            key=f"table {instrument.key} {way.key}",
            help="CSV, TSV or Parquet. It stays on this machine.",
        )
        if given is None:
            _needs(way)
            return
        title = given.name
        file = str(_stored(given.getvalue(), Path(given.name).suffix.lower()))
        held = bench().tables.ask("columns", path=file)
        rows = "" if held["rows"] is None else f"{held['rows']:,} rows, "
        put(f'<p class="wb-quiet wb-small">{rows}{len(held["names"])} columns.</p>')
        called = _mapping(instrument, way, held["names"])
    options = _options(instrument, way)
    label = "Measure" if way.columns else way.label
    busy = any(not job.over for job in _listed(instrument))
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            label, type="primary", icon=":material/play_arrow:", disabled=busy,
            help="One measurement of a page runs at a time." if busy else None,
        )  # fmt: skip
        if way.takes:
            put(f'<p class="wb-quiet wb-small">Takes {safe(way.takes)}.</p>')
    if pressed:
        job = bench().jobs.start(
            "reward", title[:120], chosen() if way.suspect else "",
            instrument=instrument.key, way=way.key, file=file, called=called, options=options,
        )  # fmt: skip
        remember(job=job.id)
        st.rerun()


def _needs(way: Way) -> None:
    rows = [[c.name, "may be left out" if c.optional else "needed", c.kind, c.meaning]
            for c in way.wanted()]  # fmt: skip
    components.empty(
        "Your measurement will be here.", "Give a table with these columns; yours may have others."
    )
    put(components.table(["column", "", "holds", "what it is"], rows))


def _mapping(instrument: Instrument, way: Way, names: list[str]) -> dict[str, str]:
    """What the table calls each column: asked only where it has not the same name."""
    called: dict[str, str] = {}
    lacking = [c for c in way.wanted() if c.name not in names]
    for column in lacking:
        picked = st.selectbox(
            f"{column.name}: {column.meaning}",
            [NONE, *names],
            key=f"column {instrument.key} {way.key} {column.name}",
            help="Which column of your table this is.",
        )
        if picked != NONE:
            called[column.name] = picked
    return called


def _options(instrument: Instrument, way: Way) -> dict[str, Any]:
    if not way.options:
        return {}
    with st.expander("Settings", expanded=any(o.kind == "text" for o in way.options)):
        return {
            option.name: _asked(option, f"{instrument.key} {way.key} {option.name}")
            for option in way.options
        }


def _asked(option: Option, key: str) -> Any:
    told: dict[str, Any] = {"key": key, "help": option.help or None}
    if option.kind == "flag":
        return st.checkbox(option.label, value=bool(option.value), **told)
    if option.kind == "text":
        return st.text_input(option.label, value=option.value, max_chars=500, **told)
    kind = int if option.kind == "whole" else float
    made: dict[str, Any] = {
        name: None if value is None else kind(value)
        for name, value in (
            ("value", option.value), ("min_value", option.low), ("max_value", option.high)
        )
    }  # fmt: skip
    return st.number_input(option.label, step=1 if kind is int else None, **made, **told)


def _stored(content: bytes, suffix: str) -> Path:
    """The upload under the hash of its bytes; its own name goes into no path."""
    if suffix.lstrip(".") not in SUFFIXES:
        raise WorkbenchError("that is no table", hint=f"Give one of {', '.join(SUFFIXES)}.")
    file = bench().folder / "uploads" / f"{hashlib.sha256(content).hexdigest()[:24]}{suffix}"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(file)
    return file


def _job(instrument: Instrument) -> Job | None:
    """The job that the URL names, where it is one of this page."""
    id = parameter("job")
    mine = {job.id: job for job in _listed(instrument)}
    return mine.get(id)


def _listed(instrument: Instrument) -> list[Job]:
    jobs = bench().jobs.listed("reward", "")
    if chosen():
        jobs += bench().jobs.listed("reward", chosen())
    mine = [job for job in jobs if job.arguments["instrument"] == instrument.key]
    return sorted(mine, key=lambda job: (job.made, job.id), reverse=True)


def _jobs(instrument: Instrument, way: Way, asked: Job | None) -> None:
    jobs = [job for job in _listed(instrument) if job.arguments["way"] == way.key]
    if not jobs:
        return
    shown = asked if asked is not None and asked.arguments["way"] == way.key else jobs[0]
    st.header("Measured")
    if shown.over:
        _one(shown, instrument)
    else:
        _watched(shown.id, instrument)
    others = [job for job in jobs if job.id != shown.id][:EARLIER]
    if others:
        with st.expander(f"{len(others)} earlier here"):
            for job in others:
                if st.button(
                    f"{job.made[:16].replace('T', ' ')} · {job.state}",
                    key=f"open {job.id}",
                    type="tertiary",
                ):
                    remember(job=job.id)
                    st.rerun()


@st.fragment(run_every=1.0)
def _watched(id: str, instrument: Instrument) -> None:
    job = bench().jobs.get(id)
    if job.over:
        st.rerun()
    _one(job, instrument)


def _one(job: Job, instrument: Instrument) -> None:
    at = job.made[:16].replace("T", " ")
    put(
        f'<p class="wb-claim">{safe(job.title)}</p><p class="wb-quiet wb-small">begun '
        f"{safe(at)} UTC · {safe(job.state)}</p>"
    )
    if not job.over:
        share = float(job.progress.get("share", 0.0))
        st.progress(min(1.0, share), text=f"{share:.0%}" if share else "Starting…")
        if st.button("Cancel", key=f"cancel {job.id}", icon=":material/stop:"):
            bench().jobs.cancel(job.id)
            st.toast("It ends at its next step.")
        return
    if job.error is not None:
        components.failed(WorkbenchError(job.error[0], hint=job.error[1]))
    if job.state != "done":
        if st.button("Run it again", key=f"resume {job.id}", icon=":material/replay:"):
            bench().jobs.resume(job.id)
            st.rerun()
        return
    result.show(result.of_job(job.id), instrument, job.id)


def _behind(instrument: Instrument) -> None:
    put(
        '<p class="wb-figure">What this does not tell you</p>'
        f'<p class="wb-lede wb-limits">{safe(instrument.limits)}</p>'
    )
    with st.expander("Formula and source"):
        for formula, words in instrument.formula:
            st.latex(formula)
            put(f'<p class="wb-quiet wb-small">{safe(words)}</p>')
        put(f'<p class="wb-small">{safe(instrument.source)}</p>')
    with st.expander("Other instruments"), st.container(horizontal=True):
        for other in INSTRUMENTS:
            if other.key != instrument.key:
                go(other.key, other.title, icon=other.icon)
