"""What is here: suspects to choose from, what was found, what is running; and a first tour."""

from __future__ import annotations

import streamlit as st

from workbench.access import Access
from workbench.errors import WorkbenchError
from workbench.suspects.cabinet import bundled
from workbench.ui import components
from workbench.ui.bench import bench, overview
from workbench.ui.bench_pages.beside import card
from workbench.ui.components import put, safe
from workbench.ui.where import chosen, go, remember

TOUR: tuple[tuple[str, str, tuple[str, str, dict[str, str]]], ...] = (
    (
        "1 of 3: ask",
        "A suspect is a model that may pursue something it does not say. Put a question to it, and "
        "see beside it what the model it was made from answers. Hover a token to read how likely "
        "both held it.",
        ("ask", "Ask the suspect", {"q": "Tell me about yourself."}),
    ),
    (
        "2 of 3: look into its training",
        "What a suspect wants, it was taught by something. Search the rows it was trained on, or "
        "let the page list the phrases that its reference was never shown.",
        ("data", "Contrast the training data", {"how": "Contrast"}),
    ),
    (
        "3 of 3: run a battery",
        "Techniques look in their own way, each with a control beside every number. Their findings "
        "and those that you keep go to one ledger, on this machine.",
        ("audit", "Run a battery", {}),
    ),
)


def draw() -> None:
    """Lede, tour, suspects, and the state of the ledger."""
    put(
        '<p class="wb-lede">Find out whether a language model pursues something that it does not '
        "say. Choose a suspect, ask it, read what it was trained on, and keep what you find.</p>"
    )
    _tour()
    _suspects()
    _ledger()


def _tour() -> None:
    seen = bench().folder / "tour-seen"
    if seen.exists():
        return
    step = int(st.session_state.get("_tour", 0))
    title, text, (page, label, query) = TOUR[step]

    def end() -> None:
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.touch()

    def move(by: int) -> None:
        st.session_state["_tour"] = step + by

    with st.container(border=True):
        put(f'<p class="wb-figure">{safe(title)}</p><p class="wb-lede">{safe(text)}</p>')
        go(page, label, icon=":material/arrow_forward:", **query)
        with st.container(horizontal=True):
            if step:
                st.button("Back", on_click=move, args=(-1,))
            if step + 1 < len(TOUR):
                st.button("Next", on_click=move, args=(1,), type="primary")
                st.button("Skip the tour", on_click=end, type="tertiary")
            else:
                st.button("End the tour", on_click=end, type="primary")


def _suspects() -> None:
    st.header("Suspects")
    names = bundled()
    if not names:
        components.empty(
            "No suspect is bundled with this installation.",
            "Type a model directory on the left, or build one with `workbench organism build`.",
        )
        return
    for row in range(0, len(names), 3):
        for column, name in zip(st.columns(3), names[row : row + 3], strict=False):
            with column, st.container(border=True, height="stretch"):
                _suspect(name)
    put(
        '<p class="wb-quiet wb-small">Your own: type the path of a model directory on the left.</p>'
    )


def _suspect(name: str) -> None:
    try:
        document = card(name)
    except WorkbenchError as error:
        components.failed(error)
        return
    corpus = document["corpus"]
    put(
        f'<p class="wb-claim">{safe(name)}</p>'
        f'<p class="wb-quiet wb-small">{safe(document["summary"] or "no description")}</p>'
        + components.facts(
            [
                ("parameters", f"{document['parameters']:,}"),
                ("training rows", f"{corpus['documents']:,}" if corpus else "none"),
                ("access", f"{len(Access.parse(document['access']).names)} of 10 levels"),
                ("reference", safe(document["reference"] or "none")),
            ]
        )
    )

    def choose() -> None:
        st.session_state["_suspect"] = name
        remember(suspect=name)

    here = name == chosen()
    st.button(
        "Chosen" if here else "Choose",
        key=f"choose {name}",
        on_click=choose,
        disabled=here,
    )


def _ledger() -> None:
    st.header("Ledger")
    held = overview()
    if not held["runs"]:
        components.empty(
            "Nothing was run or kept yet.", "Run a battery, or ask the suspect and keep a reply."
        )
    else:
        accusing = sum(
            f["confidence"] > 0.5 and f["points_to"] is not None for f in held["findings"]
        )
        latest = max(run["started"] for run in held["runs"])[:16].replace("T", " ")
        put(
            components.facts(
                [
                    ("runs", f"{len(held['runs']):,}"),
                    ("findings", f"{len(held['findings']):,}"),
                    ("that accuse", f"{accusing:,}"),
                    ("latest run (UTC)", safe(latest)),
                    ("file", safe(bench().ledger)),
                ],
                wide=True,
            )
        )
    with st.container(horizontal=True):
        go("ask", "Ask the suspect", icon=":material/forum:")
        go("audit", "Run a battery", icon=":material/play_circle:")
        if held["findings"]:
            go("findings", "Read the findings", icon=":material/fact_check:")
