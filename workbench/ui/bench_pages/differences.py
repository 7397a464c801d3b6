"""Suspect against reference, latent by latent: both tails, and which of them is a cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Evidence, Latent
from workbench.report.figures import CONTROL, SUSPECT, label
from workbench.ui import components, keep, running, theme
from workbench.ui.bench_pages import causes
from workbench.ui.jobs import Job
from workbench.ui.pickers import lines, may, no_sae, pick_sae, shelved
from workbench.ui.where import go

NEEDS = Access.ACTIVATIONS | Access.TRAINING_DATA | Access.REFERENCE
DRAWN = 10
"""Latents of each tail in the figure; the table below has all."""
LONGEST = 34


def draw() -> None:
    """The comparison, and below it the causal column."""
    if not may(NEEDS, "A difference runs suspect and reference over the suspect's rows."):
        return
    shelf = shelved()
    if not shelf["saes"]:
        no_sae()
        return
    sae = pick_sae(shelf["saes"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rows = st.number_input("Training rows to read", 20, 20_000, 400, 20, width=190)
        pressed = st.button(
            "Compare the two models", type="primary", icon=":material/compare_arrows:",
            disabled=running.current("compare") is not None,
        )  # fmt: skip
    with st.expander("Other checkpoints"):
        stages = st.text_area(
            "Names or directories, one a line", height=70,
            help="In the order of training: the same latents in each, to see where they came from.",
        )  # fmt: skip
    if pressed:
        running.begin(
            "compare", f"{int(rows)} rows through {sae[:6]}", sae=sae, rows=int(rows),
            checkpoints=lines(stages),
        )  # fmt: skip
    found = running.followed("compare", "Resume the last comparison")
    if found is None:
        if running.current("compare") is None:
            components.empty(
                "The latents that differ between suspect and reference will be here.",
                "Press “Compare the two models”. It runs both over the same rows.",
            )
        return
    job, made = found
    if not made["changes"]:
        components.empty("No latent differs.", "Both models compute the same on these rows.")
        return
    picked = _tails(job, made)
    causes.draw(job, made, picked)


def _tails(job: Job, made: Mapping[str, Any]) -> list[int]:
    changes = made["changes"]
    up = [c for c in changes if c["difference"] > 0]
    down = [c for c in changes if c["difference"] < 0]
    shown = [*reversed(down[:DRAWN]), *reversed(up[:DRAWN])]
    sure = sum(c["p"] < 0.05 for c in changes)
    st.header("Both tails")
    theme.draw(
        _figure(shown, made["usual"]),
        title=f"{sure} of the {len(changes)} latents shown differ between the models "
        f"(p < 0.05 after {made['live']:,} tried)",
        key=f"tails {job.id}",
        read=f"Mean activation in the suspect minus that in {made['reference']}, on the same "
        f"{made['texts']:,} rows; bars are 95 % intervals, rows drawn with replacement. The grey "
        "band holds 95 % of all live latents.",
    )
    number = st.column_config.NumberColumn
    picked = st.dataframe(
        [
            {
                "latent": c["latent"],
                "label": c["label"],
                "difference": c["difference"],
                "from": c["interval"][0],
                "to": c["interval"][1],
                "fires on": 100 * c["firing"],
                "in reference": 100 * c["reference_firing"],
                "p": c["p"],
                **{
                    name: stage[0]
                    for name, stage in zip(made["checkpoints"], c["stages"], strict=False)
                },
            }
            for c in changes
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"changes {job.id}",
        height=min(420, 38 + 35 * len(changes)),
        column_config={
            "latent": number(width="small"),
            "label": st.column_config.TextColumn(width="medium"),
            "difference": number(format="%.4f"),
            "from": number(format="%.4f", help="Lower end of the 95 % interval."),
            "to": number(format="%.4f", help="Upper end of the 95 % interval."),
            "fires on": number(format="%.3f %%", help="Share of the suspect's tokens."),
            "in reference": number(format="%.3f %%", help="Share of the reference's tokens."),
            "p": number(format="%.2g", help="After Holm for all live latents."),
        },
    )["selection"]["rows"]
    latents = [changes[row]["latent"] for row in picked]
    with st.container(horizontal=True, vertical_alignment="center"):
        for latent in latents[:6]:
            go("features", f"Read latent {latent}", key="picked", sae=job.arguments["sae"],
               latent=str(latent))  # fmt: skip
        keep.button(
            "difference", _kept(job, made, latents),
            claim=f"{sure} latents at {made['hook_name']} differ from {made['reference']}",
            metadata={"page": "differences", "sae": job.arguments["sae"],
                      "rows": job.arguments["rows"], "latents": latents},
        )  # fmt: skip
    return latents


def _figure(shown: Sequence[Mapping[str, Any]], usual: Sequence[float]) -> dict[str, Any]:
    names = [label(_cut(f"{c['latent']}  {c['label']}")) for c in shown]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [c["difference"] for c in shown],
                "y": list(range(len(shown))),
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [c["interval"][1] - c["difference"] for c in shown],
                    "arrayminus": [c["difference"] - c["interval"][0] for c in shown],
                    "color": SUSPECT,
                },
                "marker": {"color": SUSPECT, "size": 9},
                "text": names,
                "hovertemplate": "%{text}: %{x:.4f}<extra></extra>",
            }
        ],
        "layout": {
            "height": 60 + 24 * len(shown),
            "margin": {"l": 16, "r": 16, "t": 8, "b": 48},
            "showlegend": False,
            "shapes": [
                {
                    "type": "rect", "xref": "x", "yref": "paper", "x0": usual[0], "x1": usual[1],
                    "y0": 0, "y1": 1, "fillcolor": CONTROL, "opacity": 0.18, "line": {"width": 0},
                }
            ],
            "xaxis": {"title": {"text": "difference of mean activations"}, "zeroline": True},
            "yaxis": {
                "tickvals": list(range(len(shown))), "ticktext": names, "showgrid": False,
                "range": [-0.6, len(shown) - 0.4], "fixedrange": True, "zeroline": False,
            },
        },
    }  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _kept(job: Job, made: Mapping[str, Any], latents: Sequence[int]) -> list[Evidence]:
    changes = {c["latent"]: c for c in made["changes"]}
    wanted = list(latents) or list(changes)[:3]
    return [
        Latent(
            sae=job.arguments["sae"],
            index=latent,
            hook_name=made["hook_name"],
            contexts=(),
            documents=(),
            note="{label}; differs by {difference:+.4f}, 95 % interval {interval[0]:.4f} to "
            "{interval[1]:.4f}".format(**changes[latent]),
        )
        for latent in wanted
    ]
