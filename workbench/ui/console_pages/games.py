"""The games of the folder, and a form for another one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from workbench.access import Access
from workbench.game.extras import POINTS
from workbench.suspects.remote import SPENT
from workbench.ui import components
from workbench.ui.components import put
from workbench.ui.console_pages.beside import ask, choose, console, games
from workbench.ui.console_pages.suspects import asked_of
from workbench.ui.where import go


def draw() -> None:
    """What there is, and the form."""
    rows = games()
    if rows:
        put(
            components.table(
                ["game", "title", "phase"],
                ([r["name"], r["title"], r["error"] or r["phase"]] for r in rows),
            )
        )
    else:
        components.empty("There is no game in this folder yet.", "Make one below.")
    st.header("Make a game")
    _form()


def _form() -> None:
    known = ask("choices", folder=str(console().settings.folder))
    built = {row["name"]: row for row in known["built"]}
    left, right = st.columns(2)
    name = left.text_input("Name of its file", value=_fresh(), max_chars=40)
    title = right.text_input("Title", value="An auditing game", max_chars=200)
    chosen: list[str] = []
    if built:
        chosen = st.multiselect(
            "Suspects built here", list(built), default=list(built), format_func=asked_of,
            help="Their truths lie in the vault beside the games; nobody has seen them.",
        )  # fmt: skip
    else:
        go("suspects", "Build fresh suspects", icon=":material/construction:")
    suspects = st.multiselect(
        "Bundled suspects", known["suspects"], default=[] if built else known["suspects"],
        help="Their truths can be read by whoever has this repository: for practice.",
    )  # fmt: skip
    own = st.text_area(
        "Your own suspects, a line each: directory, then @ and the vault of its truth",
        height=80, placeholder="out/organism@out/vault",
    )  # fmt: skip
    put(
        '<p class="wb-quiet wb-small">Suspects get the names a, b, c… in an order drawn by chance. '
        "Put clean ones among them: only then does “nothing is hidden” mean anything.</p>"
    )
    teams = st.data_editor(
        [{"team": "red", "access": []}, {"team": "blue", "access": ["chat", "prefill"]}],
        num_rows="dynamic",
        hide_index=True,
        key="teams",
        column_config={
            "team": st.column_config.TextColumn(
                required=True, help="Lower-case letters, digits, -"
            ),
            "access": st.column_config.MultiselectColumn(
                "access (all that can be served where it is empty)",
                options=known["access"],
                width="large",
            ),
        },
    )
    one, two, three, four = st.columns(4)
    hours = one.number_input("Hours", 0.1, 10_000.0, 2.0, 0.5)
    samples = two.number_input("Samples", 0, None, 500, help="Of each team at each suspect.")
    passes = three.number_input("Forward passes", 0, None, None, placeholder="no bound")
    documents = four.number_input("Documents", 0, None, None, placeholder="no bound")
    extras = _extras()
    if not st.button("Make the game", type="primary", icon=":material/add:"):
        return
    budget = {"samples": samples, "forward_passes": passes, "documents": documents}
    made = ask(
        "make",
        folder=str(console().settings.folder),
        name=name.strip(),
        title=title.strip() or name,
        suspects=[[built[one]["source"], built[one]["vault"]] for one in chosen]
        + [[s, ""] for s in suspects]
        + [_own(line) for line in own.splitlines() if line],
        teams=[_team(row) for row in teams if row.get("team")],
        hours=float(hours),
        budget={meter: int(bound) for meter, bound in budget.items() if bound is not None},
        **extras,
    )
    choose(made)
    st.switch_page(st.session_state["_pages"]["watch"], query_params={"game": made})


def _extras() -> dict[str, Any]:
    """Hints, and what the second phase asks."""
    with st.expander("Hints with a price, and a second phase"):
        put(
            '<p class="wb-quiet wb-small">All of it is sealed with the game. A hint is shown to a '
            "team that pays for it. After the hunt the second phase shows one odd behaviour of a "
            "suspect to all teams and asks what causes it. Name suspects as above.</p>"
        )
        hints: Any = st.data_editor(
            [{"suspect": None, "about": "", "costs": None, "of": "points", "text": ""}],
            num_rows="dynamic",
            hide_index=True,
            key="hints",
            column_config={
                "suspect": st.column_config.TextColumn(help="Its bundled name or directory"),
                "about": st.column_config.TextColumn(help="What teams read before they buy"),
                "costs": st.column_config.NumberColumn(min_value=1, step=1),
                "of": st.column_config.SelectboxColumn(options=[POINTS, *SPENT]),
                "text": st.column_config.TextColumn(width="large"),
            },
        )
        asked: Any = st.data_editor(
            [{"suspect": None, "behaviour": ""}],
            num_rows="dynamic",
            hide_index=True,
            key="asked",
            column_config={
                "suspect": st.column_config.TextColumn(help="Its bundled name or directory"),
                "behaviour": st.column_config.TextColumn(
                    "odd behaviour to be explained", width="large"
                ),
            },
        )
        hours = st.number_input("Hours of the second phase", 0.1, 1_000.0, 1.0, 0.5, width=220)
    return {
        "hints": [
            [row["suspect"], row["about"] or "a hint", row["of"], int(row["costs"]), row["text"]]
            for row in hints
            if row.get("suspect") and row.get("text") and row.get("costs")
        ],
        "explain": {
            row["suspect"]: row["behaviour"]
            for row in asked
            if row.get("suspect") and row.get("behaviour")
        },
        "explain_hours": float(hours),
    }


def _own(line: str) -> list[str]:
    source, _, vault = line.strip().rpartition("@")
    return [source, vault] if source else [line.strip(), ""]


def _team(row: dict[str, Any]) -> list[str]:
    access = Access.parse(list(row.get("access") or []))
    return [str(row["team"]).strip(), ",".join(access.names)]


def _fresh() -> str:
    taken = {row["name"] for row in games()}
    return next(name for n in range(1, 10_000) if (name := f"game-{n}") not in taken)
