"""Tints of a reply's tokens: by what the models held of them, by a latent, by a probe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.suspects.scored import Scored
from workbench.ui.components import put
from workbench.ui.pickers import listed_probes, no_sae, pick_probe, pick_sae, shelved
from workbench.ui.room import Room
from workbench.ui.where import go, guarded, parameter, remember, room, there

TINTS = {
    "Nothing": "",
    "Surprise": "The stronger the tint, the less likely the model that said it held a token.",
    "Difference": "The stronger the tint, the likelier a token is to this model than to the other.",
    "Latent": "The stronger the tint, the more a token fires the latent.",
    "Probe": "The stronger the tint, the higher the probe scores a token.",
}
FULL_TINT = 5.0
"""Natural logarithms of surprise, or of difference, at which the tint is full."""

Lights = Mapping[str, Sequence[Sequence[float]]]
"""By speaker ("suspect", "reference") and reply, a value for each token."""


def offered(access: Access) -> list[str]:
    """The tints that the suspect's access allows; by a probe only where probes are trained."""
    needs = {
        "Surprise": Access.LOGITS,
        "Difference": Access.LOGITS | Access.REFERENCE,
        "Latent": Access.ACTIVATIONS,
        "Probe": Access.ACTIVATIONS,
    }
    names = [name for name in TINTS if not needs.get(name, Access(0)) & ~access]
    return names if there("probes") else [name for name in names if name != "Probe"]


def lights(tint: str, made: Mapping[str, Any]) -> Lights:
    """What lights the tokens of these replies; lets the latent or the probe be chosen."""
    by: dict[str, Any]
    if tint == "Latent":
        shelf = shelved()
        if not shelf["saes"]:
            no_sae()
            return {}
        left, right = st.columns([3, 1])
        with left:
            sae = pick_sae(shelf["saes"])
        size = next(s["d_sae"] for s in shelf["saes"] if s["name"] == sae)
        named = parameter("latent")
        st.session_state["_tint latent"] = min(int(named), size - 1) if named.isdecimal() else 0
        latent = right.number_input(
            "Latent", 0, size - 1, key="_tint latent",
            on_change=lambda: remember(latent=str(st.session_state["_tint latent"])),
        )  # fmt: skip
        by = {"sae": sae, "latent": int(latent)}
        go("features", "Read this latent", key="tint", sae=sae, latent=str(latent))
    elif tint == "Probe":
        probes = listed_probes()
        if not probes:
            put('<p class="wb-quiet wb-small">There is no probe of this suspect yet.</p>')
            go("probes", "Train a probe", icon=":material/straighten:")
            return {}
        by = {"probe": pick_probe(probes)["name"]}
    else:
        return {}
    entered = room()
    lit: Lights = {}
    with guarded(), st.spinner("Reading the tokens…"):  # replies stay where a budget ends here
        lit = {
            speaker: _lit(
                entered,
                entered.key,
                entered.name,
                of_reference=speaker == "reference",
                by=by,
                conversation=made["conversation"],
                prefill=made["prefill"],
                replies=[list(reply.token_ids) for reply in replies],
            )
            for speaker, replies in (("suspect", made["own"]), ("reference", made["theirs"]))
            if replies
        }
    return lit


def shade(read: Scored, place: int, tint: str, lit: Sequence[float], highest: float) -> float:
    """How strongly the token at `place` is tinted, 0 to 1; `lit` as in Lights."""
    if tint == "Surprise" and read.logprobs:
        return -read.logprobs[place] / FULL_TINT
    if tint == "Difference" and read.logprobs and read.beside:
        return (read.logprobs[place] - read.beside[place]) / FULL_TINT
    if place < len(lit):
        return max(0.0, lit[place]) / max(highest, 1e-9)
    return 0.0


def hover(read: Scored, place: int, speaker: str, tint: str, lit: Sequence[float]) -> str:
    """What is told of the token at `place`."""
    told = [f"{tint.lower()}: {lit[place]:.2f}"] if place < len(lit) else []
    if read.logprobs:
        other = "reference" if speaker == "suspect" else "suspect"
        told.append(f"{speaker}: {_probability(read.logprobs[place])}")
        told += [f"{other}: {_probability(read.beside[place])}"] if read.beside else []
    return "; ".join(told)


def _probability(logprob: float) -> str:
    return f"p = {math.exp(logprob):.3f} (ln p = {logprob:.2f})"


@st.cache_data(show_spinner=False, max_entries=32, scope="session")
def _lit(_room: Room, key: str, name: str, **arguments: Any) -> list[list[float]]:
    found: list[list[float]] = _room.latents("light_replies", **arguments)
    return found
