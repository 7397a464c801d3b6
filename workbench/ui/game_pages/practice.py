"""After a practice game: what each technique would have shown, run on the same suspect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.report.evidence import show
from workbench.ui import components
from workbench.ui.components import put, safe
from workbench.ui.visit import seat

EXPLAINED = "explained.json"


def draw(folder: Path) -> None:
    """The explanation as far as it is written; it grows while techniques run."""
    st.header("What each technique would have shown")
    put(
        '<p class="wb-quiet wb-small">They run now on the suspect that you had, with everything '
        "open, and are scored as if each had handed in its best finding alone.</p>"
    )
    _grow(str(folder))


@st.fragment(run_every=2.0)
def _grow(folder: str) -> None:
    file = Path(folder) / EXPLAINED
    if not file.is_file():
        st.progress(0.0, text="Beginning…")
        return
    told = json.loads(file.read_text("utf-8"))
    rows = told["techniques"]
    done = sum(row["status"] not in ("waiting", "running") for row in rows)
    if done < len(rows):
        st.progress(done / len(rows), text=f"{done} of {len(rows)} techniques")
    for row in rows:
        with st.container(border=True):
            _technique(row)
    if told.get("archive"):
        put(
            f'<p class="wb-quiet wb-small">The archive of this game: {safe(told["archive"])}. '
            f"{'It verifies.' if told['verified'] else 'It does not verify.'}</p>"
        )


def _technique(row: dict[str, Any]) -> None:
    lacking = Access.parse(row["needs"]) & ~seat().access
    could = f"needs {', '.join(lacking.names)}, which you lacked" if lacking else "you could run it"
    put(
        f'<p class="wb-claim">{safe(row["name"])}</p>'
        f'<p class="wb-quiet wb-small">{safe(row["summary"])} · {safe(could)}</p>'
    )
    if row["status"] in ("waiting", "running"):
        put(f'<p class="wb-small">{safe(row["status"])}…</p>')
    elif row["status"] != "ok":
        put(f'<p class="wb-small">{safe(row["status"])}: {safe(row["reason"])}</p>')
    elif row["claim"] is None:
        put('<p class="wb-small">It found nothing.</p>')
    else:
        put(
            f"<p>{safe(row['claim'])}</p>{components.confidence(row['confidence'])}"
            f'<p class="wb-small"><b>{safe(row["verdict"])}</b> Handed in alone it is worth '
            f"{show(float(row['points']))} points.</p>"
        )
