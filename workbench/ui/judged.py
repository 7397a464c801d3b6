"""What a judge said beside the rubric, as team and organiser see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.ui import components
from workbench.ui.components import put, safe


def draw(verdicts: Sequence[Mapping[str, Any]]) -> None:
    """What judges said beside the rubric, with the exams that they sat."""
    if not verdicts:
        return
    st.header("Beside the rubric: a judge")
    put(
        '<p class="wb-quiet wb-small">A language model read the same submissions, each quoted as '
        "data. It changes no score. Before, it was tried on texts that ask for a grade.</p>"
    )
    for one in verdicts:
        exam, prompt = one["exam"], one["prompt"]
        told = f"{exam['passed']} of {exam['of']} passed"
        if exam["failed"]:
            told += f"; failed: {', '.join(exam['failed'])}. Do not lean on it."
        put(
            components.facts(
                [
                    ("model", safe(one["model"])),
                    ("prompt", f"version {prompt['version']}"),
                    ("exam", safe(told)),
                ],
                wide=True,
            )
            + components.table(
                ["team", "suspect", "says of it", "because"],
                (
                    [team, name, _verdict(verdict), verdict.get("reason", "")]
                    for team, seats in one["verdicts"].items()
                    for name, parts in seats.items()
                    for verdict in parts.values()
                ),
            )
        )


def _verdict(verdict: Mapping[str, Any]) -> str:
    if "unscored" in verdict:
        return f"no verdict: {verdict['unscored']}"
    told = []
    for name, value in verdict.items():
        if name == "behaviours":
            told.append(components.counted(value, "behaviour"))
        elif name != "reason":
            told.append(f"{name.replace('_', ' ')} {'named' if value else 'not named'}")
    return ", ".join(told)
