"""Linear probes: train one from texts, read its card beside its controls, see it on each token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.errors import BadParameter
from workbench.findings import Evidence, Figure, Measurement
from workbench.report.evidence import show
from workbench.report.figures import CONTROL, SUSPECT, label
from workbench.ui import components, keep, running, theme
from workbench.ui.components import put, safe
from workbench.ui.pickers import lines, listed_probes, may, pick_probe
from workbench.ui.room import Room
from workbench.ui.speech import Token, said_in_tokens
from workbench.ui.where import chosen, go, room, there

KINDS = {
    "logistic": "logistic regression",
    "mass-mean": "mass-mean",
    "difference": "difference of means",
    "attention": "attention-pooled",
}
PARQUET_MEGABYTES = 50
BENIGN = 300
"""Rows of training data on which the rate of false positives is measured."""
FEWEST = 12
"""Texts of each kind: four to learn from, four to choose the layer on, four to be judged on."""
NEEDS = Access.ACTIVATIONS


def draw(*, uploads: bool = True) -> None:
    """Training where there is no probe, else the card of one, its tokens, and training below.
    uploads: whether a file may be given."""
    if not may(NEEDS, "A probe reads the suspect's activations."):
        return
    put(
        '<p class="wb-quiet">A probe is a direction in the activations that tells two kinds of '
        "text apart. It has found something when it beats a bag of words on texts that it has not "
        "seen, and shuffled labels give 0.5.</p>"
    )
    probes = listed_probes()
    busy = running.current("probe")
    if busy is not None:
        running.watched(busy.id)
    if not probes:
        if busy is None:
            components.empty(
                "There is no probe of this suspect yet.",
                "Give texts that hold what you look for, and texts that do not.",
            )
        _train(uploads)
        return
    one = pick_probe(probes)
    _card(one)
    _tokens(one)
    st.header("Train another")
    _train(uploads)


def _train(uploads: bool) -> None:
    running.stopped("probe", "Resume the last training")
    how = st.segmented_control(
        "Texts from", ["Pasted texts", "Parquet file"], default="Pasted texts", key="texts",
        bind="query-params", required=True,
    ) if uploads else "Pasted texts"  # fmt: skip
    one, two, table = [], [], None
    if how == "Parquet file":
        table = st.file_uploader(
            "Labelled texts", type=["parquet"], max_upload_size=PARQUET_MEGABYTES,
            help="Columns text, label (0 or 1) and, if there, style.",
        )  # fmt: skip
    else:
        left, right = st.columns(2)
        one = lines(
            left.text_area(
                "With what is looked for, one a line", key="one", bind="query-params", height=150
            )
        )
        two = lines(
            right.text_area("Without it, one a line", key="two", bind="query-params", height=150)
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.text_input("What it looks for", key="title", width=260, max_chars=80)
        kind = st.selectbox("Kind", list(KINDS), format_func=KINDS.__getitem__, width=220)
        style = st.text_input(
            "Style left out", width=170, help="A value of the column style that training does not "
            "see, for transfer.",
        ) if how == "Parquet file" else ""  # fmt: skip
    bounded, enough = _price(len(one) + len(two))
    ready = (
        enough
        and bool(title.strip())
        and (table is not None or (min(len(one), len(two)) >= FEWEST))
    )
    why = "Name what it looks for, and give at least 12 texts of each kind"
    why += " or a Parquet file." if uploads else "."
    if not st.button(
        "Train the probe", type="primary", icon=":material/straighten:",
        disabled=not ready or running.current("probe") is not None, help=None if ready else why,
    ):  # fmt: skip
        if not ready:
            put(f'<p class="wb-quiet wb-small">{why}</p>')
        return
    if table is not None and table.size > PARQUET_MEGABYTES << 20:
        raise BadParameter(
            f"a file of {table.size:,} bytes", hint=f"Give at most {PARQUET_MEGABYTES} MB."
        )
    running.begin(
        "probe", f"probe for {title.strip()}",
        files={} if table is None else {"texts.parquet": table.getvalue()},
        looks_for=title.strip(), one=one, two=two, table="" if table is None else "texts.parquet",
        probe_kind=kind, style=style.strip(), seed=0,
        benign=0 if bounded else BENIGN,
    )  # fmt: skip


def _price(texts: int) -> tuple[bool, bool]:
    """(whether anything is bounded, whether it reaches for so many texts), said where it is."""
    left = {meter: room().left(meter) for meter in ("forward_passes", "tokens", "documents")}
    if all(amount is None for amount in left.values()):
        return False, True
    passes = left["forward_passes"]
    enough = passes is None or 2 * texts <= passes
    prices = filter(None, (room().price(meter) for meter in left))
    put(
        f'<p class="wb-quiet wb-small">It reads every text twice, {2 * texts:,} forward passes at '
        "most, and, since a budget is bounded, no row of the training data beside them: "
        f"{safe(', '.join(prices))}.{'' if enough else ' That is not enough: give fewer texts.'}"
        "</p>"
    )
    return True, enough


def _card(one: Mapping[str, Any]) -> None:
    card = one["card"]
    st.header("Its card")
    put(f'<p class="wb-claim">{safe(one["title"])}</p>')
    beats = card["beats_controls"]
    theme.draw(
        _against(card),
        title=f"AUROC {card['auroc']:.2f} on {card['held_out']} held-out texts: "
        + ("above" if beats else "not above")
        + f" its controls (bag of words {card['bag_of_words']:.2f})",
        key=f"auroc {one['name']}",
        read="Filled: the probe, with its 95 % interval over texts. Hollow: a bag of words on the "
        "same texts, probes trained on shuffled labels (two standard deviations)"
        + (", and the probe on a style that it was not shown" if card["transfer"] else "")
        + ". 0.5 is chance.",
    )
    put(
        components.facts(
            [
                ("kind", safe(KINDS.get(card["kind"], card["kind"]))),
                ("hook", safe(card["hook_name"])),
                ("trained on", f"{card['trained']:,} texts"),
                (
                    "recall at 1 % false positives",
                    f"{card['recall']:.2f} ({card['benign_n']:,} {safe(card['benign_source'])})",
                ),
                ("shuffled labels", f"{card['null'][0]:.2f} ± {card['null'][1]:.2f}"),
                ("verdict", "beats its controls" if beats else "has found the words, or nothing"),
            ],
            wide=True,
        )
    )
    left, right = st.columns([3, 2])
    with left:
        theme.draw(
            _sweep(card),
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
                [[repr(t["token"])[1:-1], round(t["score"], 3)] for t in card["tokens"]],
            )
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        keep.button(
            "probe", _evidence(one), claim=f"A probe for {one['title']} reaches AUROC "
            f"{card['auroc']:.2f}; a bag of words {card['bag_of_words']:.2f}",
            metadata={"page": "probes", "probe": one["name"], "hook_name": card["hook_name"],
                      "kind": card["kind"]},
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


def _tokens(one: Mapping[str, Any]) -> None:
    st.header("On each token")
    text = st.text_area(
        "A text", key="text", bind="query-params", height=90,
        placeholder="Paste a reply, a row or anything else.",
    )  # fmt: skip
    if not text.strip():
        components.empty("Its tokens will be here, tinted by their score.", "Paste a text.")
        return
    with st.spinner("Reading the tokens…"):
        lit = _lit(room(), room().key, chosen(), one["name"], text)
    highest = max(max(lit["values"], default=0.0), 1e-9)
    tokens = [
        Token(token, special, "" if special else f"score {value:.2f}", max(0.0, value) / highest)
        for token, special, value in zip(lit["tokens"], lit["special"], lit["values"], strict=True)
    ]
    read = [v for v, special in zip(lit["values"], lit["special"], strict=True) if not special]
    mean = sum(read) / max(1, len(read))
    side = "with what it looks for" if mean > 0 else "without it"
    put(said_in_tokens(tokens, role=f"mean score {show(mean)}: on the side of the texts {side}"))
    put(
        '<p class="wb-quiet wb-small">The stronger the tint, the higher a token scores; scores '
        "below 0 are not tinted. Hover a token for its score.</p>"
    )


@st.cache_data(show_spinner=False, max_entries=32, scope="session")
def _lit(_room: Room, key: str, name: str, probe: str, text: str) -> dict[str, Any]:
    """A text is read once, however often the page is drawn."""
    (lit,) = _room.latents("light_texts", by={"probe": probe}, texts=[text])
    return dict(lit)
