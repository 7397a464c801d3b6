"""Jobs on a page: the one that runs, with its progress; what stopped the last; what it gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.jobs import Job, Jobs
from workbench.ui.where import parameter, remember, room

STAGES = {
    "starting": "starting",
    "loading": "opening the suspect",
    "activations": "reading activations",
    "training": "training the SAE",
    "features": "indexing its latents",
    "reference": "reading the reference",
    "reading": "reading both models",
    "steering": "asking under each dose",
    "subtracting": "asking under each subtraction",
    "probing": "training probes layer by layer",
    "indexing": "sorting the training data",
    "drawing": "drawing what it learns, and writing its rows",
    "learning": "training it",
    "sealing": "writing it and sealing its truth",
    "done": "done",
}
SHOWN = 8
"""Earlier jobs that can be read again."""


class Works(Protocol):
    """Where jobs are kept, and what they are about: a room, or the organiser's console."""

    @property
    def jobs(self) -> Jobs: ...
    def source(self) -> str: ...


def current(kind: str, at: Works | None = None) -> Job | None:
    """The job of a kind that runs on the suspect, or at another place."""
    at = at or room()
    return next((job for job in at.jobs.listed(kind, at.source()) if not job.over), None)


@st.fragment(run_every=1.0)
def watched(id: str, at: Works | None = None) -> None:
    """Its progress, until it is over; a button that cancels it."""
    jobs = (at or room()).jobs
    job = jobs.get(id)
    if job.over:
        st.rerun()
    stage = STAGES.get(job.progress.get("stage", "starting"), "working")
    share = min(1.0, float(job.progress.get("share", 0.0)))
    left = job.progress.get("left")
    ending = "" if left is None else f", {_lasts(left)} left"
    with st.container(border=True):
        put(f'<p class="wb-claim">{safe(job.title)}</p>')
        st.progress(share, text=f"Now {stage}: {share:.0%}{ending}")
        if st.button("Cancel", key=f"cancel {job.id}", icon=":material/stop:"):
            jobs.cancel(job.id)
            st.toast("It ends at its next step.")


def stopped(kind: str, resume: str, at: Works | None = None) -> None:
    """Why the last job of a kind did not end well, and a button to take it up again."""
    at = at or room()
    for job in at.jobs.listed(kind, at.source())[:1]:
        if job.error is not None:
            components.failed(WorkbenchError(job.error[0], hint=job.error[1]))
        elif job.state in ("cancelled", "interrupted"):
            put(f'<p class="wb-quiet wb-small">{safe(job.title)} was {job.state}.</p>')
        if job.state in ("cancelled", "interrupted", "failed") and st.button(
            resume, key=f"resume {job.id}", icon=":material/play_arrow:"
        ):
            at.jobs.resume(job.id)
            st.rerun()


def _lasts(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else "about a minute"


def begin(
    kind: str, title: str, *, files: Mapping[str, bytes] | None = None, **arguments: Any
) -> None:
    """Starts a job whose result this page shows, `files` in its folder; draws the page anew."""
    job = room().jobs.start(kind, title, room().source(), files=files, **arguments)
    remember(job=job.id)
    st.rerun()


def followed(kind: str, resume: str) -> tuple[Job, dict[str, Any]] | None:
    """The job that the URL names, or the last one that is done, with what it gave.

    Where it still runs its progress is drawn, where it stopped the reason; then None.
    """
    running = current(kind)
    if running is not None:
        watched(running.id)
    else:
        stopped(kind, resume)
    done = [job for job in room().jobs.listed(kind, room().source()) if job.state == "done"][:SHOWN]
    named = parameter("job")
    job = next((j for j in done if j.id == named), None)
    if job is None and running is None and done:
        job = done[0]
    if job is None:
        return None
    if len(done) > 1:
        titles = {j.id: f"{j.title} · {j.made[:16].replace('T', ' ')} UTC" for j in done}
        key = f"_shown {kind}"
        st.session_state[key] = job.id
        st.selectbox(
            "Shown", list(titles), key=key, format_func=titles.__getitem__,
            on_change=lambda: remember(job=st.session_state[key]),
        )  # fmt: skip
    found = room().jobs.result(job.id)
    return (job, found) if found else None
