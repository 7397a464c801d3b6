"""The card of a probe: what it reaches beside its controls, by layer, and on which tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.findings import Evidence, Figure, Measurement
from workbench.report.figures import CONTROL, SUSPECT, label
from workbench.ui import components, keep, theme
from workbench.ui.components import put, safe
from workbench.ui.where import go, there

KINDS = {
    "logistic": "logistic regression",
    "mass-mean": "mass-mean",
    "difference": "difference of means",
    "attention": "attention-pooled",
}


def card(one: Mapping[str, Any]) -> None:
    """Figures, facts and tokens of one, to be kept, steered with or tinted by."""
    told = one["card"]
    st.header("Its card")
    put(f'<p class="wb-claim">{safe(one["title"])}</p>')
    beats = told["beats_controls"]
    theme.draw(
        _against(told),
        title=f"AUROC {told['auroc']:.2f} on {told['held_out']} held-out texts: "
        + ("above" if beats else "not above")
        + f" its controls (bag of words {told['bag_of_words']:.2f})",
        key=f"auroc {one['name']}",
        read="Filled: the probe, with its 95 % interval over texts. Hollow: a bag of words on the "
        "same texts, probes trained on shuffled labels (two standard deviations)"
        + (", and the probe on a style that it was not shown" if told["transfer"] else "")
        + ". 0.5 is chance.",
    )
    put(
        components.facts(
            [
                ("kind", safe(KINDS.get(told["kind"], told["kind"]))),
                ("hook", safe(told["hook_name"])),
                ("trained on", f"{told['trained']:,} texts"),
                (
                    "recall at 1 % false positives",
                    f"{told['recall']:.2f} ({told['benign_n']:,} {safe(told['benign_source'])})",
                ),
                ("shuffled labels", f"{told['null'][0]:.2f} ± {told['null'][1]:.2f}"),
                ("verdict", "beats its controls" if beats else "has found the words, or nothing"),
            ],
            wide=True,
        )
    )
    left, right = st.columns([3, 2])
    with left:
        theme.draw(
            _sweep(told),
            title="By layer, on a split of the training texts",
            key=f"sweep {one['name']}",
            read="The best one is the probe. A layer that is not chosen here was not tried on the "
            "held-out texts.",
        )
    with right:
        put(
            '<p class="wb-figure">Tokens of the highest score</p>'
            + components.table(
                ["token", ">mean score"],
                [[repr(t["token"])[1:-1], round(t["score"], 3)] for t in told["tokens"]],
            )
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(
            "probe", _evidence(one), claim=f"A probe for {one['title']} reaches AUROC "
            f"{told['auroc']:.2f}; a bag of words {told['bag_of_words']:.2f}",
            metadata={"page": "probes", "probe": one["name"], "hook_name": told["hook_name"],
                      "kind": told["kind"]},
        )  # fmt: skip
        if there("steer"):
            go("steer", "Steer with it", icon=":material/tune:", **{"from": "Probe"},
               probe=one["name"])  # fmt: skip
        go("ask", "Tint replies by it", icon=":material/forum:", tint="Probe", probe=one["name"])


def _against(card: Mapping[str, Any]) -> dict[str, Any]:
    low, high = card["interval"]
    mean, deviation = card["null"]
    rows: list[tuple[str, float, tuple[float, float] | None, str, str]] = [
        ("the probe", card["auroc"], (low, high), SUSPECT, "circle")
    ]
    if card["transfer"] is not None:
        name = f"on style “{card['transfer_style']}”"
        rows.append((name, card["transfer"], None, SUSPECT, "circle-open"))
    rows.append(("bag of words", card["bag_of_words"], None, CONTROL, "circle-open"))
    null = (mean - 2 * deviation, mean + 2 * deviation)
    rows.append(("shuffled labels", mean, null, CONTROL, "circle-open"))
    rows.reverse()
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [value],
                "y": [label(name)],
                "name": label(name),
                "marker": {
                    "color": colour, "size": 12, "symbol": symbol,
                    "line": {"width": 2.5, "color": colour},
                },
                "hovertemplate": "%{y}: %{x:.3f}<extra></extra>",
                **_bar(value, ends, colour),
            }
            for name, value, ends, colour, symbol in rows
        ],
        "layout": {
            "height": 90 + 36 * len(rows),
            "showlegend": False,
            "margin": {"l": 16, "r": 16, "t": 8, "b": 44},
            "xaxis": {"title": {"text": "AUROC"}, "range": [min(0.28, null[0] - 0.02), 1.03]},
            "yaxis": {"type": "category", "fixedrange": True},
            "shapes": [
                {"type": "line", "xref": "x", "yref": "paper", "x0": 0.5, "x1": 0.5, "y0": 0,
                 "y1": 1, "line": {"color": CONTROL, "dash": "dot", "width": 1}}
            ],
        },
    }  # fmt: skip


def _bar(value: float, ends: tuple[float, float] | None, colour: str) -> dict[str, Any]:
    if ends is None:
        return {}
    return {
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [ends[1] - value],
            "arrayminus": [value - ends[0]],
            "color": colour,
            "thickness": 2.5,
        }
    }


def _sweep(card: Mapping[str, Any]) -> dict[str, Any]:
    hooks, values = list(card["sweep"]), list(card["sweep"].values())
    best = [hook == card["hook_name"] for hook in hooks]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [label(hook) for hook in hooks],
                "y": values,
                "line": {"color": SUSPECT},
                "marker": {"size": 10, "symbol": ["circle" if b else "circle-open" for b in best]},
                "hovertemplate": "%{x}: %{y:.3f}<extra></extra>",
            }
        ],
        "layout": {
            "height": 260,
            "showlegend": False,
            "margin": {"l": 56, "r": 16, "t": 8, "b": 60},
            "xaxis": {"title": {"text": "hook"}, "type": "category"},
            "yaxis": {"title": {"text": "AUROC"}, "range": [min(0.45, *values) - 0.02, 1.02]},
        },
    }


def _evidence(one: Mapping[str, Any]) -> list[Evidence]:
    card = one["card"]
    words = card["bag_of_words"]
    return [
        Measurement(
            name=f"AUROC of a probe for {one['title']}",
            value=card["auroc"],
            n=card["held_out"],
            interval=(card["interval"][0], card["interval"][1]),
            control="a bag of words on the same texts",
            control_value=words,
            control_n=card["held_out"],
            control_interval=(words, words),
            unit="AUROC",
        ),
        Figure(
            "line", "AUROC by layer", "hook", "AUROC", tuple(card["sweep"]),
            {"suspect": tuple(card["sweep"].values())},
        ),
    ]  # fmt: skip
