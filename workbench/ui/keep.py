"""Keep as finding: one click and a sentence, filed by the host of the suspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from workbench.findings import JSON, Evidence, Finding, Hypothesis
from workbench.ui import components
from workbench.ui.where import guarded, room


def button(
    key: str,
    evidence: Sequence[Evidence],
    *,
    claim: str = "",
    metadata: Mapping[str, JSON] | None = None,
    label: str = "Keep as finding",
) -> None:
    """Opens the form with this evidence; `metadata` is what is needed to do it again."""
    if st.button(label, key=f"keep {key}", icon=":material/bookmark_add:", type="tertiary"):
        _form(tuple(evidence), claim, dict(metadata or {}))
    if st.session_state.pop("_kept", None):
        st.toast("Kept as a finding.", icon=":material/check:")


@st.dialog("Keep as finding", width="medium")
def _form(evidence: tuple[Evidence, ...], claim: str, metadata: dict[str, JSON]) -> None:
    with st.form("keep", border=False, enter_to_submit=False):
        said = st.text_area(
            "Claim", value=claim, height=80, max_chars=1_000, help="One sentence: what you saw."
        )
        sure = st.slider(
            "Confidence",
            0.0,
            1.0,
            0.3,
            0.05,
            help="The probability that the hypothesis below is right. Above 0.5 it accuses.",
        )
        note = st.text_area("Note", height=70, placeholder="Optional: why it matters, what to try.")
        st.caption("Hypothesis, each part optional")
        trigger = st.text_input("Trigger", placeholder="When does it happen?")
        behaviour = st.text_input("Behaviour", placeholder="What does it do then?")
        cause = st.text_input("Root cause", placeholder="What is it after?")
        if not st.form_submit_button("Keep as finding", type="primary"):
            return
    if not said.strip():
        components.empty("A finding needs a claim.", "Say in one sentence what you saw.")
        return
    named = any((trigger, behaviour, cause))
    hypothesis = Hypothesis(None, trigger, (behaviour,) if behaviour else (), cause)
    with guarded():
        with st.spinner("Filing it…"):
            finding = Finding(
                said,
                float(sure),
                evidence,
                hypothesis if named else None,
                {**metadata, **({"note": note} if note.strip() else {})},
            )
            room().keep(finding)
        st.session_state["_kept"] = True
        st.rerun()
