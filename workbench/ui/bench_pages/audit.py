"""Choose a battery, run it as a job, see how far it is, cancel it, take it up again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.ui import components
from workbench.ui.bench import bench
from workbench.ui.bench_pages.beside import granted
from workbench.ui.components import put, safe
from workbench.ui.jobs import Job
from workbench.ui.where import chosen, go, guarded

FOLDER = Path("batteries")
SHOWN = 5
OVER = ("ok", "failed", "skipped", "cached")


def draw() -> None:
    """The battery, and the jobs below it."""
    if not chosen():
        components.empty("No suspect is chosen.", "Choose one on the left.")
        return
    files = sorted(str(path) for path in FOLDER.glob("*.toml"))
    path = st.selectbox(
        "Battery",
        files,
        index=files.index(str(FOLDER / "default.toml"))
        if str(FOLDER / "default.toml") in files
        else None,
        key="battery",
        bind="query-params",
        accept_new_options=True,
        placeholder="Choose one, or type the path of a TOML file",
        help="A TOML file that lists techniques with their parameters, access, budget and seed.",
    )
    if not path:
        components.empty(
            "No battery is chosen.",
            "Type the path of a TOML file; README shows how one is written.",
        )
        return
    with guarded():
        _battery(path, bench().library.ask("battery", path=path), granted(chosen()))
    _jobs()


def _battery(path: str, battery: dict[str, Any], access: Access) -> None:
    view = access if battery["access"] is None else Access.parse(battery["access"])
    rows = []
    for technique in battery["techniques"]:
        lacking = Access.parse(technique["needs"]) & ~view
        verdict = f"will be skipped: needs {', '.join(lacking.names)}" if lacking else "will run"
        needs, limit = ", ".join(technique["needs"]), f"{technique['seconds']:,.0f} s"
        rows.append([technique["name"], verdict, limit, needs, technique["summary"]])
    put(components.table(["technique", "here", ">time limit", "needs", "what it does"], rows))
    bounds = components.amounts(battery["budget"]) or "no bound"
    put(
        f'<p class="wb-quiet wb-small">Budget for each technique: {bounds}. Seed '
        f"{battery['seed']}. What the ledger holds already is not run again.</p>"
    )
    busy = any(not job.over for job in bench().jobs.listed("audit", chosen()))
    if st.button(
        "Run the battery", type="primary", icon=":material/play_arrow:", disabled=busy,
        help="One audit of a suspect runs at a time." if busy else None,
    ):  # fmt: skip
        bench().jobs.start(
            "audit", Path(path).name, chosen(),
            battery=str(Path(path).resolve()), ledger=str(bench().ledger),
        )  # fmt: skip
        st.rerun()


def _jobs() -> None:
    jobs = bench().jobs.listed("audit", chosen())
    st.header("Audits")
    if not jobs:
        components.empty(
            "No battery was run on this suspect from here.",
            "Run one: its progress will be here, also when you come back to this page.",
        )
    for job in jobs[:SHOWN]:
        with st.container(border=True):
            if job.over:
                _job(job)
            else:
                _watched(job.id)


@st.fragment(run_every=1.0)
def _watched(id: str) -> None:
    job = bench().jobs.get(id)
    _job(job)
    if job.over:
        st.rerun()


def _job(job: Job) -> None:
    steps = job.progress.get("steps", [])
    done = sum(step["state"] in OVER for step in steps)
    at = job.made[:16].replace("T", " ")
    put(
        f'<p class="wb-claim">{safe(job.title)}</p><p class="wb-quiet wb-small">begun '
        f"{safe(at)} UTC · {safe(job.state)}</p>"
    )
    if not job.over:
        st.progress(
            done / max(1, len(steps)),
            text=f"{done} of {len(steps)} techniques" if steps else "Opening the suspect…",
        )
    if steps:
        put(components.table(["technique", "state", ">seconds"], map(_step, steps)))
    if job.error is not None:
        from workbench.errors import WorkbenchError

        components.failed(WorkbenchError(job.error[0], hint=job.error[1]))
    with st.container(horizontal=True):
        if not job.over and st.button("Cancel", key=f"cancel {job.id}", icon=":material/stop:"):
            bench().jobs.cancel(job.id)
            st.toast("It ends within a second; what it found stays.")
        if job.state in ("cancelled", "interrupted", "failed") and st.button(
            "Resume", key=f"resume {job.id}", icon=":material/play_arrow:",
            help="Takes from the ledger what was done, and runs the rest.",
        ):  # fmt: skip
            bench().jobs.resume(job.id)
            st.rerun()
        if job.progress.get("group"):
            go("findings", "See what it found", icon=":material/fact_check:",
               group=job.progress["group"])  # fmt: skip


def _step(step: dict[str, Any]) -> list[object]:
    seconds = step.get("seconds")
    if seconds is None and "began" in step and step["state"] == "started":
        seconds = time.time() - step["began"]
    state = {"started": "running", "cached": "from the ledger"}.get(step["state"], step["state"])
    return [step["technique"], state, "" if seconds is None else round(seconds, 1)]
