"""What the team found: kept by hand or by techniques, with its evidence; and what it will cite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.findings import Finding
from workbench.ui import components, evidence
from workbench.ui.components import put, safe
from workbench.ui.visit import here
from workbench.ui.where import chosen, parameter, remember

CITED_AT_MOST = 20


def cited() -> list[str]:
    """The ids that the next submission on the chosen suspect will cite."""
    picked: dict[str, list[str]] = st.session_state.setdefault("_cited", {})
    return picked.setdefault(chosen(), [])


def draw() -> None:
    """A table; the finding that is chosen below it."""
    found = here().team.findings(chosen())[::-1]
    if not found:
        components.empty(
            "Your team has found nothing on this suspect yet.",
            "Keep a reply or a row as a finding, or run a technique.",
        )
        return
    put(
        f'<p class="wb-quiet wb-small">{components.counted(len(found), "finding")}, shared within '
        f"your team; {len(cited()):,} of them to be cited in the submission.</p>"
    )
    picked = st.dataframe(
        [
            {
                "claim": f["claim"],
                "confidence": f["confidence"],
                "from": f["technique"],
                "cited": f["id"] in cited(),
                "evidence": len(f["evidence"]),
            }
            for f in found
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="found",
        height=min(420, 38 + 35 * len(found)),
        column_config={
            "claim": st.column_config.TextColumn(width="large"),
            "confidence": st.column_config.ProgressColumn(
                min_value=0, max_value=1, format="%.2f", width="small", color="blue"
            ),
            "evidence": st.column_config.NumberColumn(help="Pieces of evidence", width="small"),
        },
    )["selection"]["rows"]
    ids = [f["id"] for f in found]
    if picked:
        remember(finding=ids[picked[0]])
    wanted = parameter("finding")
    _finding(found[ids.index(wanted)] if wanted in ids else found[0])


def _finding(document: Mapping[str, Any]) -> None:
    parts = {k: v for k, v in document.items() if k not in ("id", "technique")}
    finding = Finding.from_json(parts)
    id = str(document["id"])
    with st.container(border=True):
        put(
            f'<p class="wb-claim">{safe(finding.claim)}</p>'
            + components.confidence(finding.confidence)
            + components.facts([("from", safe(document["technique"])), ("id", safe(id))], wide=True)
        )
        guess = finding.points_to
        if guess is not None:
            named = (
                ("family", guess.family or ""),
                ("trigger", guess.trigger),
                ("behaviour", "; ".join(guess.behaviours)),
                ("root cause", guess.root_cause),
            )
            put(components.facts([(k, safe(v)) for k, v in named if v], wide=True))
        note = finding.metadata.get("note")
        if note:
            put(f'<div class="wb-note"><p>{safe(note)}</p></div>')
        _cite(id)
    st.header("Evidence")
    evidence.draw(finding, id)


def _cite(id: str) -> None:
    def toggle() -> None:
        if id in cited():
            cited().remove(id)
        elif len(cited()) < CITED_AT_MOST:
            cited().append(id)

    there = id in cited()
    st.button(
        "Do not cite it" if there else "Cite it in the submission",
        key=f"cite {id}",
        on_click=toggle,
        icon=":material/remove:" if there else ":material/add_link:",
        disabled=not there and len(cited()) >= CITED_AT_MOST,
    )
