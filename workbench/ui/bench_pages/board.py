"""The hypothesis board: what findings point to, gathered, and how each stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.ui import components, keep
from workbench.ui.bench import bench
from workbench.ui.components import put, safe
from workbench.ui.where import go, guarded

STANDS = ("open", "supported", "ruled out")
CHANGE = "board"
"""The key under which an amendment says where a hypothesis stands."""
LISTED = 6


def draw(findings: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]) -> None:
    """Three columns of hypotheses, those with the strongest finding first."""
    put(
        '<p class="wb-quiet wb-small">Findings that point to the same are one card. Moving a card '
        "adds a word to its strongest finding; nothing is overwritten.</p>"
    )
    keep.button("board", [], label="Write a hypothesis", metadata={"page": "board"})
    cards = gathered(findings, runs)
    if not cards:
        components.empty(
            "No finding that passes these filters points to anything.",
            "Write a hypothesis, or name a trigger, a behaviour or a root cause when you keep one.",
        )
        return
    for column, stand in zip(st.columns(len(STANDS)), STANDS, strict=True):
        here = [card for card in cards if card["stand"] == stand]
        with column:
            st.subheader(f"{stand.capitalize()} ({len(here)})")
            if not here:
                put('<p class="wb-quiet wb-small">None.</p>')
            for card in here:
                with st.container(border=True):
                    _card(card, runs)


def gathered(
    findings: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Cards: suspect, what is pointed to, its findings (the strongest first), where it stands."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for finding in findings:
        guess = finding["points_to"]
        if guess is not None:
            words = (guess["trigger"], guess["root_cause"], *guess["behaviours"])
            alike = tuple(" ".join(word.casefold().split()) for word in words)
            key = (runs[finding["run"]]["suspect"], guess["family"] or "", *alike)
            groups.setdefault(key, []).append(finding)
    made = []
    for (suspect, *_), group in groups.items():
        group.sort(key=lambda f: -f["confidence"])
        moves = [
            (a["at"], a["changes"][CHANGE])
            for f in group
            for a in f["amendments"]
            if a["changes"].get(CHANGE) in STANDS
        ]
        made.append(
            {
                "suspect": suspect,
                "points_to": group[0]["points_to"],
                "findings": group,
                "stand": max(moves)[1] if moves else STANDS[0],
            }
        )
    return sorted(made, key=lambda card: -card["findings"][0]["confidence"])


def _card(card: Mapping[str, Any], runs: Mapping[str, Mapping[str, Any]]) -> None:
    guess, found = card["points_to"], card["findings"]
    best = found[0]
    named = (
        ("root cause", guess["root_cause"]),
        ("trigger", guess["trigger"]),
        ("behaviour", "; ".join(guess["behaviours"])),
        ("family", guess["family"] or ""),
    )
    techniques = {runs[f["run"]]["technique"] for f in found}
    put(
        components.facts([(k, safe(v)) for k, v in named if v] or [("points to", "nothing named")],
                         wide=True)
        + components.confidence(best["confidence"])
        + f'<p class="wb-quiet wb-small">{safe(card["suspect"])} · {len(found)} '
        f"finding{'s' if len(found) > 1 else ''} by {safe(', '.join(sorted(techniques)))}</p>"
    )  # fmt: skip
    for finding in found[:LISTED]:
        put(f'<p class="wb-small">{safe(_short(finding["claim"]))}</p>')
        go("findings", "See its evidence", key=finding["id"], show="Findings",
           finding=finding["id"])  # fmt: skip
    for word in best["amendments"][-1:]:
        if word["note"]:
            put(f'<p class="wb-quiet wb-small">Last word: {safe(word["note"])}</p>')
    with st.popover("Move it", icon=":material/swap_horiz:"):
        _move(best["id"], card["stand"])


def _move(target: str, stand: str) -> None:
    with st.form(f"move {target}", border=False):
        to = st.radio("It is", [s for s in STANDS if s != stand], key=f"to {target}")
        why = st.text_input("Why", key=f"why {target}", max_chars=500)
        if st.form_submit_button("Move", type="primary") and to:
            with guarded():
                bench().books.ask(
                    "amend", ledger=str(bench().ledger), target=target,
                    note=why.strip() or f"moved to {to}", changes={CHANGE: to},
                )  # fmt: skip
                st.rerun()


def _short(claim: str) -> str:
    return claim if len(claim) <= 160 else claim[:159] + "…"
