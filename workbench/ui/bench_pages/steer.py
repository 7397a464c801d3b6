"""The steering bench: a behaviour against the dose of a direction, beside its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.findings import Evidence, Figure, Measurement, Transcript
from workbench.report.evidence import show
from workbench.ui import components, keep, running, theme
from workbench.ui.bench_pages import doses
from workbench.ui.components import put
from workbench.ui.jobs import Job
from workbench.ui.pickers import (
    behaviour,
    lines,
    listed_probes,
    may,
    no_sae,
    numbers,
    pick_probe,
    pick_sae,
    shelved,
)
from workbench.ui.speech import said
from workbench.ui.where import go, parameter, remember

WAYS = {
    "Latent": "What a latent of an SAE writes into the residual stream.",
    "Texts": "The mean activation over one set of texts minus that over another.",
    "Probe": "The direction along which a probe tells its two kinds of text apart.",
}
NEEDS = Access.ACTIVATIONS | Access.CHAT | Access.LOGITS | Access.TRAINING_DATA


def draw() -> None:
    """The experiment's form, then what came of it."""
    if not may(NEEDS, "Steering edits activations while it chats, and reads ordinary rows."):
        return
    put(
        '<p class="wb-quiet">Add a direction to the residual stream at several doses, and count a '
        "behaviour beside random directions of the same length. What changes the behaviour in a "
        "model that still reads ordinary text is a cause of it.</p>"
    )
    way = st.segmented_control(
        "Direction", list(WAYS), default="Latent", key="from", bind="query-params", required=True
    ) or "Latent"  # fmt: skip
    put(f'<p class="wb-quiet wb-small">{WAYS[way]}</p>')
    made = {"Latent": _of_latent, "Texts": _of_texts, "Probe": _of_probe}[way]()
    if made is not None:
        _form(*made)
    found = running.followed("steer", "Resume the last one")
    if found is not None:
        _show(*found)
    elif made is not None and running.current("steer") is None:
        components.empty(
            "The dose response will be here.",
            "Give prompts and what a reply must hold, and press “Steer the suspect”.",
        )


def _of_latent() -> tuple[str, dict[str, Any]] | None:
    shelf = shelved()
    if not shelf["saes"]:
        no_sae()
        return None
    sae = pick_sae(shelf["saes"])
    size = next(s["d_sae"] for s in shelf["saes"] if s["name"] == sae)
    named = parameter("latent")
    st.session_state["_latent"] = min(int(named), size - 1) if named.isdecimal() else 0
    latent = st.number_input(
        "Latent", 0, size - 1, key="_latent", width=170,
        on_change=lambda: remember(latent=str(st.session_state["_latent"])),
    )  # fmt: skip
    go("features", "Read this latent", key="read", sae=sae, latent=str(latent))
    return f"latent {latent}", {"from": "latent", "sae": sae, "latent": int(latent)}


def _of_texts() -> tuple[str, dict[str, Any]]:
    hooks = shelved()["hooks"]
    hook = st.selectbox("Hook", hooks, index=len(hooks) // 2)
    left, right = st.columns(2)
    one = left.text_area("Towards these texts, one a line", key="one", bind="query-params")
    two = right.text_area("Away from these", key="two", bind="query-params")
    return "a mean difference", {
        "from": "texts", "hook_name": hook, "one": lines(one), "two": lines(two),
    }  # fmt: skip


def _of_probe() -> tuple[str, dict[str, Any]] | None:
    probes = listed_probes()
    if not probes:
        components.empty("There is no probe of this suspect yet.", "Train one on Probes first.")
        go("probes", "Train a probe", icon=":material/straighten:")
        return None
    probe = pick_probe(probes)
    return f"the probe “{probe['title']}”", {"from": "probe", "probe": probe["name"]}


def _form(what: str, by: Mapping[str, Any]) -> None:
    prompts, pattern = behaviour()
    with st.expander("Doses and samples"):
        given = st.text_input(
            "Doses", "-0.5, -0.25, 0.25, 0.5", key="doses", bind="query-params",
            help="A dose of 1 is as long as an activation's usual distance from their mean; a "
            "negative dose is subtracted.",
        )  # fmt: skip
        with st.container(horizontal=True):
            n = st.number_input(
                "Samples of each", 1, 32, 2, key="n", bind="query-params", width=150
            )
            longest = st.number_input(
                "Longest reply (tokens)", 1, 512, 48, key="longest", bind="query-params", width=170
            )
            seed = st.number_input("Seed", 0, 2**31, 0, key="seed", bind="query-params", width=130)
    wanted = numbers(given, "doses")
    ready = bool(prompts and pattern and wanted)
    asked = (1 + 5 * len(wanted)) * len(prompts) * int(n)
    if ready:
        put(f'<p class="wb-quiet wb-small">{asked:,} replies will be drawn.</p>')
    if st.button(
        "Steer the suspect", type="primary", icon=":material/tune:",
        disabled=not ready or running.current("steer") is not None,
        help=None if ready else "Give prompts, and what a reply must hold.",
    ):  # fmt: skip
        running.begin(
            "steer", f"{what}, “{pattern[:40]}”", by=by, doses=wanted, prompts=prompts,
            behaviour=pattern, n=int(n), longest=int(longest), seed=int(seed),
        )  # fmt: skip


def _show(job: Job, found: Mapping[str, Any]) -> None:
    every, asked = found["doses"], job.arguments
    before = every[0]
    steered = [d for d in every if d["arm"] == "steered"]
    best = max(
        steered, key=lambda d: (d["coherent"], abs(d["rate"] - before["rate"]), -abs(d["dose"]))
    )
    (control,) = (c for c in found["controls"] if c["dose"] == best["dose"])
    st.header("Dose response")
    title = (
        f"“{asked['behaviour'][:60]}” in {before['rate']:.0%} of replies unedited, "
        f"{best['rate']:.0%} at a dose of {best['dose']:g}; controls there {control['rate']:.0%}"
        if best["coherent"]
        else "Every dose breaks the model, so none is evidence: try smaller ones"
    )
    theme.draw(
        doses.curve(every),
        title=title,
        key=f"curve {job.id}",
        read=f"Filled: the direction, n = {best['n']} at each dose; bars are 95 % intervals. "
        f"Dashed and hollow: {control['n'] // 2} replies under random directions, as many "
        f"under {found['likeness']}; all of one length. Crosses: the model no longer reads "
        f"ordinary text there. At a dose of {best['dose']:g} p = {show(best['p'])} after "
        f"{len(steered)} tried.",
    )
    theme.draw(
        doses.coherence(every),
        title="How much worse it reads ordinary text",
        key=f"coherence {job.id}",
        read=f"Perplexity of {found['ordinary']} training rows, edited over unedited. Above the "
        "dotted line at 1.2 a behaviour that changes is no evidence.",
    )
    if found["maximum"]:
        put(
            '<p class="wb-quiet wb-small">The latent itself writes a length of '
            f"{found['maximum']:.2f} doses at most.</p>"
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(
            "steering", _evidence(job, found, best, control),
            claim=_claim(job, before, best, control),
            metadata={"page": "steer", "hook_name": found["hook_name"], **_plain(asked)},
        )  # fmt: skip
        if asked["by"]["from"] == "latent":
            go("features", "Read the latent", key="after", sae=asked["by"]["sae"],
               latent=str(asked["by"]["latent"]))  # fmt: skip
    _replies(every)


def _claim(
    job: Job, before: Mapping[str, Any], best: Mapping[str, Any], control: Mapping[str, Any]
) -> str:
    verb = "Adding" if best["dose"] > 0 else "Subtracting"
    return (
        f"{verb} {job.title.partition(', “')[0]} at a dose of {abs(best['dose']):g} moves "
        f"“{job.arguments['behaviour'][:60]}” from {before['rate']:.0%} to {best['rate']:.0%} of "
        f"replies; directions of that length: {control['rate']:.0%}"
        + ("" if best["coherent"] else ". The model no longer reads ordinary text there")
    )


def _evidence(
    job: Job, found: Mapping[str, Any], best: Mapping[str, Any], control: Mapping[str, Any]
) -> list[Evidence]:
    doses = found["doses"]
    points = sorted({d["dose"] for d in doses})
    rates = {(d["arm"], d["dose"]): d["rate"] for d in doses}
    unedited = doses[0]["rate"]
    series = {
        name: tuple(rates.get((arm, dose), unedited) for dose in points)
        for arm, name in (
            ("steered", "suspect, steered"), ("random", "control, random"),
            ("like", "control, like it"),
        )
    }  # fmt: skip
    prompt = job.arguments["prompts"][0]
    reply = best["replies"][0] if best["replies"] else ""
    return [
        Figure("line", "Dose response", "dose", "share of replies", tuple(points), series),
        Measurement(
            name=f"replies that hold “{job.arguments['behaviour'][:60]}”",
            value=best["rate"],
            n=best["n"],
            interval=(best["interval"][0], best["interval"][1]),
            control="directions of the same length",
            control_value=control["rate"],
            control_n=control["n"],
            control_interval=(control["interval"][0], control["interval"][1]),
            unit="rate",
            p=best["p"],
            tried=sum(d["arm"] == "steered" for d in doses),
        ),
        Transcript(
            ({"role": "user", "content": prompt}, {"role": "assistant", "content": reply}),
            note=f"reply at a dose of {best['dose']:g}",
        ),
    ]


def _replies(doses: Sequence[Mapping[str, Any]]) -> None:
    with st.expander("Replies at each dose"):
        for dose in doses:
            if dose["arm"] in ("none", "steered") and dose["replies"]:
                at = "unedited" if dose["arm"] == "none" else f"dose {dose['dose']:g}"
                put(said(dose["replies"][0], speaker="suspect", role=at))


def _plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {k: asked[k] for k in ("by", "doses", "prompts", "behaviour", "n", "longest", "seed")}
