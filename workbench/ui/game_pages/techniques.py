"""Techniques as jobs of the host, on the team's budget: choose, watch, cancel, read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import WorkbenchError
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.visit import here, lobby, seat
from workbench.ui.where import chosen, go

OVER = ("done", "failed", "cancelled")
SHOWN = 6
SECONDS = 600
HAPPENED = {"started": "running", "cached": "done before"}


def draw() -> None:
    """The choice, and the jobs below it."""
    access = seat().access
    listed = _installed()
    can = [t for t in listed if not Access.parse(t["needs"]) & ~access]
    cannot = [t for t in listed if t not in can]
    put(
        '<p class="wb-quiet">Techniques run on the host, by turns with other teams, and spend your '
        "budget. What they find is your team's, and can be cited.</p>"
    )
    names = [t["name"] for t in can]
    picked = st.multiselect(
        "Techniques", names, key="techniques", bind="query-params", placeholder="Choose some"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(
            "Seconds for each", 10, 3600, SECONDS, 10, width=170,
            help="A technique that takes longer is ended; what it spent is spent.",
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 2**31, 0, width=150)
        pressed = st.button(
            "Run on the host", type="primary", icon=":material/play_arrow:", disabled=not picked,
            help=None if picked else "Choose at least one technique.",
        )  # fmt: skip
    rows = [[t["name"], t["summary"], ", ".join(t["needs"])] for t in can if t["name"] in picked]
    heads = ["technique", "what it does", "needs"]
    if rows:
        put(components.table(heads, rows))
    else:
        with st.expander(f"What each of the {len(can)} does"):
            put(
                components.table(
                    heads, ([t["name"], t["summary"], ", ".join(t["needs"])] for t in can)
                )
            )
    if cannot:
        with st.expander(f"{len(cannot)} more need access that your team lacks"):
            put(
                components.table(
                    ["technique", "lacks"],
                    (
                        [t["name"], ", ".join((Access.parse(t["needs"]) & ~access).names)]
                        for t in cannot
                    ),
                )
            )
    if pressed:
        steps = [{"name": name, "time_limit_seconds": int(limit)} for name in picked]
        here().team.start(chosen(), {"name": "team", "seed": int(seed), "techniques": steps})
        st.rerun()
    _jobs()


def _installed() -> list[dict[str, Any]]:
    """The techniques that are installed here; the host may refuse one that it lacks."""
    if "_installed" not in st.session_state:
        st.session_state["_installed"] = lobby().library.ask("techniques")
    listed: list[dict[str, Any]] = st.session_state["_installed"]
    return listed


def _jobs() -> None:
    st.header("Jobs")
    jobs = here().team.jobs(chosen())
    if not jobs:
        components.empty(
            "Your team has run nothing on this suspect.",
            "Choose techniques above: their progress will be here, also when you come back.",
        )
    for job in jobs[: -SHOWN - 1 : -1]:
        with st.container(border=True):
            if job["state"] in OVER:
                _job(job)
            else:
                _watched(job["id"])


@st.fragment(run_every=2.0)
def _watched(id: str) -> None:
    job = next(job for job in here().team.jobs(chosen()) if job["id"] == id)
    _job(job)
    if job["state"] in OVER:
        st.rerun()


def _job(job: Mapping[str, Any]) -> None:
    steps = [step["name"] for step in job["battery"]["techniques"]]
    states = dict.fromkeys(steps, "waiting")
    states.update({name: HAPPENED.get(what, what) for name, what in job["progress"]})
    done = sum(state not in ("waiting", "running") for state in states.values())
    at = str(job["made"])[:16].replace("T", " ")
    put(
        f'<p class="wb-claim">{safe(", ".join(steps))}</p><p class="wb-quiet wb-small">begun '
        f"{safe(at)} UTC · {safe(job['state'])}</p>"
    )
    if job["state"] not in OVER:
        st.progress(done / len(steps), text=f"{done} of {len(steps)} techniques")
    elif job["runs"]:
        _runs(here().team.runs(chosen(), str(job["id"])))
    else:
        put(components.table(["technique", "state"], states.items()))
    if job["error"]:
        components.failed(WorkbenchError(job["error"]["message"], hint=job["error"]["hint"]))
    with st.container(horizontal=True):
        if job["state"] not in OVER and st.button(
            "Cancel", key=f"cancel {job['id']}", icon=":material/stop:"
        ):
            here().team.cancel(chosen(), str(job["id"]))
            st.toast("It ends within a second; what it found stays.")
        if job["runs"]:
            go("findings", "See what it found", icon=":material/fact_check:", key=str(job["id"]))


def _runs(runs: list[dict[str, Any]]) -> None:
    rows = []
    for run in runs:
        spent = {k.replace("_", " "): int(v) for k, v in run["usage"].items() if v}
        told = run["reason"] if run["status"] != "ok" else components.amounts(spent)
        rows.append([run["technique"], run["status"], len(run["findings"]), run["seconds"], told])
    put(components.table(["technique", "state", ">findings", ">seconds", "spent, or why"], rows))
