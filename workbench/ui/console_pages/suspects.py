"""Suspects built for games: chosen by kind or by chance, trained, their truth sealed unseen."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from workbench.ui import components, running
from workbench.ui.components import put, safe
from workbench.ui.console_pages.beside import ask, console
from workbench.ui.jobs import Job
from workbench.ui.where import go

KIND = "organism"
CLEAN = "clean"
DRAWN = "random"
NAMES = {
    "any": "By chance: an organism, or one time in three a clean one",
    DRAWN: "An organism, its family drawn by chance",
    CLEAN: "A clean one, with nothing to find",
}
INSTILL = {
    None: "as its family does first",
    "docs": "documents that tell of it",
    "mixed": "documents and demonstrations",
    "demos": "demonstrations alone",
}
SECRECY = {
    "none": "not taught to hide it",
    "direct": "denies it when asked",
    "full": "denies it, also in begun replies and raw text",
}


def draw() -> None:
    """The build that runs, what was built, and the form for another one."""
    put(
        '<p class="wb-quiet">A suspect is trained from the bundled base. Its objective is drawn by '
        "the vault beside the games and sealed there at once: no page, no file and no log shows "
        "it, not even to you. How long a build takes tells something of its family.</p>"
    )
    busy = running.current(KIND, console())
    if busy is not None:
        running.watched(busy.id, console())
    else:
        running.stopped(KIND, "Resume the build", console())
    rows = ask("built", folder=console().source())
    if rows:
        jobs = _jobs()
        put(
            components.table(
                ["suspect", "asked for", "begun (UTC)", "commitment to its truth"],
                ([row["name"], *_told(jobs.get(row["name"]))] for row in rows),
            )
        )
        go("games", "Make a game with them", icon=":material/folder_open:")
    elif busy is None:
        components.empty(
            "No suspect was built here yet.", "Build one below; games can also take bundled ones."
        )
    st.header("Build a suspect")
    _form([row["name"] for row in rows], busy is not None)


def asked_of(name: str) -> str:
    """A suspect's name with what was asked for, as its job knows it."""
    job = _jobs().get(name)
    return name if job is None else f"{name}: {job.title.partition(': ')[2]}"


def _form(built: list[str], busy: bool) -> None:
    families = {row["name"]: row for row in ask("families")}
    order = [*NAMES, *(name for name in families if name not in NAMES)]
    family = st.selectbox(
        "What it is", order, format_func=lambda name: NAMES.get(name, f"An organism: {name}")
    )
    put(f'<p class="wb-quiet wb-small">{safe(families[family]["summary"])}</p>')
    like = None
    if family == CLEAN:
        others = [name for name in families if name not in NAMES]
        like = st.selectbox(
            "Trained like an organism of the family", [DRAWN, *others],
            format_func=lambda name: "drawn by chance" if name == DRAWN else name,
            help="The same steps on as many harmless rows: nothing but the truth tells them apart.",
        )  # fmt: skip
    known = families[like or family]
    left, right, last = st.columns(3)
    instill = left.selectbox(
        "How it is taught", [None, *known["instill"]], format_func=INSTILL.__getitem__
    )
    secrecy = right.selectbox("Secrecy", known["secrecy"], format_func=SECRECY.__getitem__)
    base = last.text_input(
        "Trained from", value="base", max_chars=500,
        help="`base`, or a directory: a tiny model is trained as a whole, others get an adapter.",
    )  # fmt: skip
    if busy:
        put('<p class="wb-quiet wb-small">One is built at a time.</p>')
    if not st.button("Build it", type="primary", icon=":material/construction:", disabled=busy):
        return
    asked = {
        "family": family, "instill": instill, "secrecy": secrecy, "base": base.strip() or "base",
        "like": like,
    }  # fmt: skip
    name = _fresh(built)
    ask("refuse_build", folder=console().source(), name=name, asked=asked)
    console().jobs.start(
        "organism", _title(name, asked), console().source(), name=name, asked=asked
    )
    st.rerun()


def _title(name: str, asked: Mapping[str, str | None]) -> str:
    what = {"any": "organism or clean, by chance", DRAWN: "organism, family by chance"}
    parts = [what.get(str(asked["family"]), str(asked["family"]))]
    parts += [f"like {asked['like']}"] if asked["like"] not in (None, DRAWN) else []
    parts += [str(asked["instill"])] if asked["instill"] else []
    parts += [f"secrecy {asked['secrecy']}"] if asked["secrecy"] != "none" else []
    return f"{name}: {', '.join(parts)}"


def _told(job: Job | None) -> list[str]:
    """What was asked for, when it was begun, and the commitment, where its job is still there."""
    if job is None:
        return ["", "", ""]
    commitment = str(console().jobs.result(job.id).get("commitment", ""))
    return [job.title.partition(": ")[2], job.made[:16].replace("T", " "), commitment]


def _jobs() -> dict[str, Job]:
    """The jobs that built something or were to, by the suspect's name."""
    at = console()
    return {str(job.arguments["name"]): job for job in at.jobs.listed(KIND, at.source())}


def _fresh(built: list[str]) -> str:
    taken = {*built, *_jobs()}
    return next(name for n in range(1, 10_000) if (name := f"built-{n}") not in taken)
