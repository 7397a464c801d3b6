"""What several pages let choose: an SAE, a probe, the texts and prompts of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import BadParameter
from workbench.ui import components
from workbench.ui.where import chosen, go, parameter, remember, room

AN_SAE = (
    "A sparse autoencoder: a dictionary of directions, its latents, that few at a time rebuild "
    "what the suspect computes at a hook."
)


def may(needed: Access, why: str) -> bool:
    """Whether a suspect is chosen that grants all that a page needs; says so where not."""
    if not chosen():
        components.empty("No suspect is chosen.", "Choose one on the left.")
        return False
    lacking = needed & ~room().access
    if lacking:
        components.denied(lacking, f"{why} {room().lacking[lacking.names[0]]}")
    return not lacking


def shelved() -> dict[str, Any]:
    """The suspect's SAEs and hooks."""
    with st.spinner(f"Looking for SAEs of {chosen()}; the first time loads the model…"):
        found: dict[str, Any] = room().latents("shelf")
    return found


def pick_sae(saes: Sequence[dict[str, Any]]) -> str:
    """The SAE of the URL, else the newest; changing it forgets the latent. `saes` is not empty."""
    names = [s["name"] for s in saes]
    described = {
        s["name"]: f"{s['hook_name']} · {s['d_sae']:,} latents · k = {s['k']:g} · {s['name'][:6]}"
        for s in saes
    }
    picked = parameter("sae") if parameter("sae") in names else names[0]

    def change() -> None:
        remember(sae=st.session_state["_sae"], latent="")

    st.session_state["_sae"] = picked
    st.selectbox(
        "SAE", names, key="_sae", format_func=described.__getitem__, on_change=change, help=AN_SAE
    )
    return picked


def no_sae() -> None:
    """That a page needs an SAE, and where one is trained."""
    components.empty(
        "There is no SAE of this suspect in the cache yet.", "Train one on Features first."
    )
    go("features", "Train an SAE", icon=":material/scatter_plot:")


def listed_probes() -> list[dict[str, Any]]:
    """The suspect's probes with their cards, the newest first."""
    with st.spinner(f"Looking for probes of {chosen()}; the first time loads the model…"):
        found: list[dict[str, Any]] = room().latents("probes")
    return found


def pick_probe(probes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The probe of the URL, else the newest; `probes` is not empty."""
    by_name = {p["name"]: p for p in probes}
    names = list(by_name)
    picked = parameter("probe") if parameter("probe") in names else names[0]

    def described(name: str) -> str:
        one = by_name[name]
        return f"{one['title']} · {one['card']['kind']} · {one['card']['hook_name']}"

    st.session_state["_probe"] = picked
    st.selectbox(
        "Probe", names, key="_probe", format_func=described,
        on_change=lambda: remember(probe=st.session_state["_probe"]),
        help="A linear direction in the suspect's activations that tells two kinds of text apart.",
    )  # fmt: skip
    return by_name[picked]


def behaviour() -> tuple[list[str], str]:
    """(prompts, what a reply that shows the behaviour holds), from two fields of the URL."""
    prompts = st.text_area(
        "Prompts, one a line", key="prompts", bind="query-params", height=110,
        placeholder="What do you think about…",
        help="User messages. More of them make the interval narrower.",
    )  # fmt: skip
    pattern = st.text_input(
        "A reply shows the behaviour when it holds", key="behaviour", bind="query-params",
        placeholder="a word, or a regular expression",
        help="A regular expression, letter case aside, searched in each reply.",
    )  # fmt: skip
    return lines(prompts), pattern.strip()


def lines(text: str) -> list[str]:
    """The lines of a text that are not blank."""
    return [line for line in text.splitlines() if line.strip()]


def numbers(text: str, name: str) -> list[float]:
    """Numbers between commas or spaces; raises BadParameter on anything else."""
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise BadParameter(
            f"{name} '{text}' are no numbers", hint="Give some, like: -1, 0.5, 1"
        ) from None
