"""The causal column of a difference: a behaviour before and after latents are taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Measurement
from workbench.report.figures import CONTROL, SUSPECT
from workbench.ui import components, keep, running, theme
from workbench.ui.components import put
from workbench.ui.jobs import Job
from workbench.ui.pickers import behaviour
from workbench.ui.where import go, room

KINDS = {
    "none": "nothing",
    "set": "all of them",
    "random set": "random ones like them",
    "mean difference": "the mean difference",
}


def draw(job: Job, made: Mapping[str, Any], picked: Sequence[int]) -> None:
    """The form, then what each subtraction did."""
    st.header("Which of them is a cause")
    put(
        '<p class="wb-quiet">That a latent stands out does not make it a cause. Take latents out, '
        "count the behaviour again, and see what random latents like them do.</p>"
    )
    lacking = (Access.CHAT | Access.LOGITS) & ~room().access
    if lacking:
        components.denied(lacking, "The behaviour is counted in replies, coherence in logits.")
        return
    changes = made["changes"]
    default = [c["latent"] for c in changes if c["difference"] > 0][:3]
    default += [c["latent"] for c in changes if c["difference"] < 0][:2]
    latents = list(picked) or default
    where = "chosen in the table" if picked else "the first of each tail; choose others above"
    put(f'<p class="wb-quiet wb-small">Latents {", ".join(map(str, latents))}: {where}.</p>')
    prompts, pattern = behaviour()
    with st.expander("Samples"), st.container(horizontal=True):
        n = st.number_input("Samples of each", 1, 32, 2, key="n", bind="query-params", width=150)
        longest = st.number_input(
            "Longest reply (tokens)", 1, 512, 48, key="longest", bind="query-params", width=170
        )
        seed = st.number_input("Seed", 0, 2**31, 0, key="seed", bind="query-params", width=130)
    ready = bool(prompts and pattern)
    if st.button(
        "Subtract them", icon=":material/science:",
        disabled=not ready or running.current("subtract") is not None,
        help=None if ready else "Give prompts, and what a reply must hold.",
    ):  # fmt: skip
        running.begin(
            "subtract", f"{len(latents)} latents, “{pattern[:40]}”", sae=job.arguments["sae"],
            latents=latents, rows=job.arguments["rows"], prompts=prompts, behaviour=pattern,
            n=int(n), longest=int(longest), seed=int(seed),
        )  # fmt: skip
    found = running.followed("subtract", "Resume the last subtraction")
    if found is None:
        if running.current("subtract") is None:
            components.empty(
                "The behaviour before and after will be here.",
                "Give prompts and what a reply must hold, and press “Subtract them”.",
            )
        return
    _effects(*found)


def _effects(job: Job, found: Mapping[str, Any]) -> None:
    effects = found["effects"]
    before = effects[0]
    halved = [
        e for e in effects
        if e["kind"] in ("latent", "set") and e["coherent"] and e["rate"] <= before["rate"] / 2
    ] if before["rate"] else []  # fmt: skip
    rest = [e for e in effects if e["kind"] == "random set"]
    said = (
        f"{_name(halved[0])} taken out halves it"
        if halved
        else "nothing that was taken out halves it"
        if before["rate"]
        else "the behaviour never shows: choose other prompts, or another pattern"
    )
    theme.draw(
        _bars(effects),
        title=f"“{job.arguments['behaviour'][:60]}” in {before['rate']:.0%} of replies: {said}",
        key=f"effects {job.id}",
        read=f"n = {before['n']} replies each; bars are 95 % intervals. Hollow: {len(rest)} sets "
        "of random latents of like density and norm, and the mean difference of the models. "
        "Crosses: ordinary text reads more than 1.2 times worse, so it is no evidence.",
    )
    put(
        components.table(
            ["taken out", ">rate", "interval", ">perplexity ratio", "reads text"],
            [
                [
                    _name(e), round(e["rate"], 3), "{:.2f} to {:.2f}".format(*e["interval"]),
                    round(e["perplexity_ratio"], 3), "yes" if e["coherent"] else "no",
                ]
                for e in effects
            ],
        )
    )  # fmt: skip
    best = min((e for e in effects if e["kind"] in ("latent", "set")), key=lambda e: e["rate"])
    control = max(rest, key=lambda e: e["rate"]) if rest else before
    evidence = [_measured(f"replies without {_name(best)}", best, "random latents", control)]
    evidence.append(_measured("replies of the suspect", before, f"without {_name(best)}", best))
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(
            "effects", evidence,
            claim=f"Without {_name(best)} “{job.arguments['behaviour'][:60]}” falls from "
            f"{before['rate']:.0%} to {best['rate']:.0%} of replies; random latents leave "
            f"{control['rate']:.0%}",
            metadata={"page": "differences", **dict(job.arguments)},
        )  # fmt: skip
        if len(best["latents"]) == 1:
            go("steer", "Steer with it", key="effects", sae=job.arguments["sae"],
               latent=str(best["latents"][0]), prompts="\n".join(job.arguments["prompts"]),
               behaviour=job.arguments["behaviour"])  # fmt: skip


def _measured(
    name: str, one: Mapping[str, Any], control: str, other: Mapping[str, Any]
) -> Measurement:
    return Measurement(
        name=name,
        value=one["rate"],
        n=one["n"],
        interval=(one["interval"][0], one["interval"][1]),
        control=control,
        control_value=other["rate"],
        control_n=other["n"],
        control_interval=(other["interval"][0], other["interval"][1]),
    )


def _bars(effects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown = list(reversed(effects))
    control = [e["kind"] in ("random set", "mean difference") for e in shown]
    colours = [CONTROL if c else SUSPECT for c in control]
    symbols = [
        "x-thin" if not e["coherent"] else "circle-open" if c else "circle"
        for e, c in zip(shown, control, strict=True)
    ]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [e["rate"] for e in shown],
                "y": list(range(len(shown))),
                "text": [_name(e) for e in shown],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [e["interval"][1] - e["rate"] for e in shown],
                    "arrayminus": [e["rate"] - e["interval"][0] for e in shown],
                    "color": CONTROL,
                },
                "marker": {
                    "color": colours, "size": 11, "symbol": symbols,
                    "line": {"width": 2, "color": colours},
                },
                "hovertemplate": "without %{text}: %{x:.2f}<extra></extra>",
            }
        ],
        "layout": {
            "height": 70 + 26 * len(shown),
            "margin": {"l": 16, "r": 16, "t": 8, "b": 48},
            "showlegend": False,
            "xaxis": {"title": {"text": "share of replies"}, "range": [-0.03, 1.03]},
            "yaxis": {
                "tickvals": list(range(len(shown))), "ticktext": [_name(e) for e in shown],
                "range": [-0.6, len(shown) - 0.4], "fixedrange": True, "zeroline": False,
                "showgrid": False,
            },
        },
    }  # fmt: skip


def _name(effect: Mapping[str, Any]) -> str:
    return KINDS.get(effect["kind"], "latent " + ", ".join(map(str, effect["latents"])))
