"""The ledger: findings with their evidence, runs, filters, export and the report."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import streamlit as st

from workbench.errors import WorkbenchError
from workbench.findings import Finding
from workbench.report.evidence import show
from workbench.ui import components, evidence
from workbench.ui.bench import bench, overview
from workbench.ui.bench_pages import board
from workbench.ui.components import put, safe
from workbench.ui.where import guarded, parameter, remember

FORMS = {
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/jsonl",
    "csv": "text/csv",
}


def draw() -> None:
    """What the ledger holds, as far as the filters let it through."""
    held = overview()
    if not held["runs"]:
        components.empty(
            "The ledger holds nothing yet.",
            "Run a battery on the Audit page, or keep a reply, a row or a latent as a finding.",
        )
        return
    _verdict(len(held["runs"]), len(held["findings"]))
    if parameter("group"):
        held = held | bench().books.ask(
            "group", ledger=str(bench().ledger), group=parameter("group")
        )
    shown = st.segmented_control(
        "Show", ["Findings", "Board", "Runs"], default="Findings", key="show",
        bind="query-params", required=True, label_visibility="collapsed",
    )  # fmt: skip
    runs = {run["id"]: run for run in held["runs"]}
    kept_by, techniques, statuses = _filters(runs, shown != "Runs")
    wanted = {
        id: run
        for id, run in runs.items()
        if (not kept_by or run["suspect"] in kept_by)
        and (not techniques or run["technique"] in techniques)
        and (not statuses or run["status"] in statuses)
    }
    found = [f for f in held["findings"] if f["run"] in wanted]
    if shown == "Runs":
        _runs(list(wanted.values()), held["findings"])
    elif shown == "Board":
        board.draw([f for f in found if f["confidence"] >= _least()], wanted)
    else:
        _findings(found, wanted)
    _out(held)


def _verdict(runs: int, findings: int) -> None:
    with guarded():
        file = bench().ledger
        verdict = _verified(str(file), file.stat().st_mtime_ns)
        whole = verdict["status"] == "complete"
        put(
            '<div class="wb-chips">'
            f'<span class="wb-chip {"status" if whole else "failed"}" title="hash chain, anchor '
            f'and manifests">ledger: {safe(verdict["status"])}</span>'
            f'<span class="wb-chip status">{runs:,} runs</span>'
            f'<span class="wb-chip status">{findings:,} findings</span></div>'
        )
        for problem in verdict["problems"]:
            put(f'<p class="wb-quiet wb-small">{safe(problem)}</p>')


@st.cache_data(show_spinner=False, max_entries=4)
def _verified(ledger: str, stamp: int) -> dict[str, Any]:
    found: dict[str, Any] = bench().books.ask("verdict", ledger=ledger)
    return found


def _filters(
    runs: dict[str, dict[str, Any]], with_confidence: bool
) -> tuple[list[str], list[str], list[str]]:
    def values(name: str) -> list[str]:
        return sorted({run[name] for run in runs.values()})

    if parameter("group"):
        with st.container(horizontal=True, vertical_alignment="center"):
            put(f'<p class="wb-small">Only the audit {safe(parameter("group"))}</p>')
            st.button("Show all", on_click=lambda: remember(group=""), type="tertiary")
    one, two, three, four = st.columns([2, 2, 1.4, 1.6])
    suspects = one.multiselect(
        "Suspect", values("suspect"), key="of", bind="query-params", placeholder="All"
    )
    techniques = two.multiselect(
        "Technique", values("technique"), key="technique", bind="query-params", placeholder="All"
    )
    statuses = three.multiselect(
        "Status", values("status"), key="status", bind="query-params", placeholder="All"
    )
    if with_confidence:
        four.slider("Confidence at least", 0.0, 1.0, 0.0, 0.05, key="least", bind="query-params")
    return suspects, techniques, statuses


def _least() -> float:
    return float(st.session_state.get("least", 0.0))


def _findings(findings: list[dict[str, Any]], runs: dict[str, dict[str, Any]]) -> None:
    rows = sorted(
        (f for f in findings if f["confidence"] >= _least()), key=lambda f: -f["confidence"]
    )
    if not rows:
        components.empty("No finding passes these filters.", "Loosen them above.")
        return
    picked = st.dataframe(
        [
            {
                "claim": f["claim"],
                "confidence": f["confidence"],
                "verdict": _says(f),
                "technique": runs[f["run"]]["technique"],
                "suspect": runs[f["run"]]["suspect"],
                "evidence": len(f["evidence"]),
            }
            for f in rows
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="findings",
        height=min(420, 38 + 35 * len(rows)),
        column_config={
            "claim": st.column_config.TextColumn(width="large"),
            "confidence": st.column_config.ProgressColumn(
                min_value=0, max_value=1, format="%.2f", width="small", color="blue"
            ),
            "evidence": st.column_config.NumberColumn(help="Pieces of evidence", width="small"),
        },
    )["selection"]["rows"]
    ids = [f["id"] for f in rows]
    if picked:
        remember(finding=ids[picked[0]])
    wanted = parameter("finding")
    _finding(rows[ids.index(wanted)] if wanted in ids else rows[0], runs)


def _says(finding: dict[str, Any]) -> str:
    named = finding["points_to"] is not None
    return "accuses" if named and finding["confidence"] > 0.5 else "suspects" if named else "notes"


def _finding(document: dict[str, Any], runs: dict[str, dict[str, Any]]) -> None:
    run = runs[document["run"]]
    parts = {k: v for k, v in document.items() if k not in ("id", "run", "amendments")}
    finding = Finding.from_json(parts)
    with st.container(border=True):
        put(
            f'<p class="wb-claim">{safe(finding.claim)}</p>'
            + components.confidence(finding.confidence)
            + components.facts(
                [
                    ("verdict", _says(document)),
                    ("suspect", safe(run["suspect"])),
                    ("technique", safe(run["technique"])),
                    ("run", safe(run["id"])),
                    ("finding", safe(document["id"])),
                    ("when (UTC)", safe(run["finished"][:16].replace("T", " "))),
                ],
                wide=True,
            )
        )
        if finding.points_to is not None:
            guess = finding.points_to
            named = (
                ("family", guess.family or ""),
                ("trigger", guess.trigger),
                ("behaviour", "; ".join(guess.behaviours)),
                ("root cause", guess.root_cause),
            )
            put(components.facts([(k, safe(v)) for k, v in named if v], wide=True))
        told = [(key, safe(value)) for key, value in sorted(finding.metadata.items())]
        if told:
            with st.expander("How it was made"):
                put(components.facts(told, wide=True))
        for amendment in document["amendments"]:
            put(
                f'<div class="wb-note"><p>{safe(amendment["note"])}</p><p class="wb-quiet '
                f'wb-small">{safe(amendment["author"])}, {safe(amendment["at"][:16])}</p></div>'
            )
        _amend(document["id"])
    st.header("Evidence")
    evidence.draw(finding, document["id"])


def _amend(id: str) -> None:
    with st.expander("Add a word to it"), st.form(f"amend {id}", border=False):
        note = st.text_area(
            "What is to be added", height=70,
            help="A finding is never overwritten: the word stands beside it from then on.",
        )  # fmt: skip
        if st.form_submit_button("Add") and note.strip():
            with guarded():
                bench().books.ask("amend", ledger=str(bench().ledger), target=id, note=note)
                st.rerun()


def _runs(runs: list[dict[str, Any]], findings: list[dict[str, Any]]) -> None:
    if not runs:
        components.empty("No run passes these filters.", "Loosen them above.")
        return
    counted: dict[str, int] = {}
    for finding in findings:
        counted[finding["run"]] = counted.get(finding["run"], 0) + 1
    picked = st.dataframe(
        [
            {
                "technique": run["technique"],
                "suspect": run["suspect"],
                "status": run["status"],
                "findings": counted.get(run["id"], 0),
                "ran": f"{run['ran']:,} of {run['planned']:,}",
                "seconds": run["seconds"],
                "started": run["started"][:16].replace("T", " "),
                "reason": run["reason"],
            }
            for run in reversed(runs)
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs",
        column_config={
            "seconds": st.column_config.NumberColumn(format="%.1f"),
            "started": st.column_config.TextColumn("started (UTC)"),
        },
    )["selection"]["rows"]
    if not picked:
        return
    run = list(reversed(runs))[picked[0]]
    spent = {k.replace("_", " "): int(v) for k, v in run["usage"].items() if v}
    put(
        components.facts(
            [
                ("run", safe(run["id"])),
                ("access", safe(", ".join(run["access"]))),
                ("seed", safe(run["seed"])),
                ("spent", components.amounts(spent) or "nothing"),
                ("errored", f"{run['errored']:,}"),
                ("refused", f"{run['refused']:,}"),
                ("key", components.short_hash(run["key"])),
                ("parameters", safe(", ".join(f"{k} = {v}" for k, v in run["parameters"].items()))),
            ],
            wide=True,
        )
    )


def _out(held: dict[str, Any]) -> None:
    st.header("Take it along")
    file = bench().ledger
    left, right = st.columns(2)
    with left:
        put('<p class="wb-figure">Export</p>')
        form = st.selectbox("Format", list(FORMS), key="form", label_visibility="collapsed")
        st.download_button(
            "Export all findings",
            lambda: base64.b64decode(
                bench().books.ask("export", ledger=str(file), form=form)["content"]
            ),
            f"findings.{form}",
            FORMS[form],
            icon=":material/download:",
            on_click="ignore",
        )
    with right:
        _report(held, file)


def _report(held: dict[str, Any], file: Path) -> None:
    put('<p class="wb-figure">Report</p>')
    if not held["groups"]:
        put('<p class="wb-quiet wb-small">A report is of a battery run; none was made yet.</p>')
        return
    asked = parameter("group")
    groups = [g["id"] for g in reversed(held["groups"])]
    named = {
        g["id"]: f"{g['battery']} on {g['suspect']}, {g['at'][:16].replace('T', ' ')}"
        for g in held["groups"]
    }
    group = st.selectbox(
        "Audit", groups, index=groups.index(asked) if asked in groups else 0,
        format_func=lambda id: named[id], label_visibility="collapsed",
    )  # fmt: skip
    if st.button("Write the report", icon=":material/description:"):
        with guarded(), st.spinner("Writing it…"):
            out = str(file.with_name("report.html"))
            st.session_state["_report"] = bench().books.ask(
                "report", ledger=str(file), out=out, group=group
            )
    written = Path(st.session_state.get("_report", ""))
    if not st.session_state.get("_report"):
        return
    if not written.is_file():
        raise WorkbenchError("the report is gone", hint="Write it again.")
    put(
        f'<p class="wb-quiet wb-small">{safe(written)}, {show(written.stat().st_size / 1e6)} MB</p>'
    )
    st.download_button(
        "Save the report", written.read_bytes, "report.html", "text/html",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    if st.toggle("Read it here"):
        st.iframe(written, height=900)
