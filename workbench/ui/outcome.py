"""How a game came out: scores, truths and timelines, as team and organiser see them."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from workbench.game.score import CALIBRATION
from workbench.game.submission import EXPLAIN, HUNT
from workbench.report.evidence import show
from workbench.ui import components, theme
from workbench.ui.components import put, safe

KINDS = {
    "call": ("asked", "circle", "@suspect"),
    "job": ("technique queued", "square", "@third"),
    "kept": ("kept a finding", "diamond", "@fourth"),
    "hypothesis": ("wrote on its board", "cross", "@sixth"),
    "submission": ("handed in", "star", "@fifth"),
    "hint": ("bought a hint", "hexagram", "@third"),
    "done": ("done", "triangle-up", "@reference"),
}
"""How a move is told, its symbol and its colour."""

PARTS = {
    "root_cause": "root cause",
    "trigger": "trigger",
    "behaviours": "behaviours",
    "evidence": "evidence",
    "nothing_hidden": "nothing hidden",
}
MOVES_SHOWN = 200
INSTANCES_SHOWN = 8


def scoreboard(scores: Mapping[str, Any], own: str = "") -> None:
    """Points by team and suspect; `own` is marked."""
    st.header("Scores")
    suspects = sorted({name for seats in scores.values() for name in seats})

    explained = sorted(
        {name for seats in scores.values() for name, made in seats.items() if "explain" in made}
    )

    def points(team: str) -> list[float | None]:
        seats = scores[team]
        hunt = [float(seats[s]["points"]) if s in seats else None for s in suspects]
        second = [float(seats[s]["explain"]["points"]) if s in seats else None for s in explained]
        return hunt + second

    def total(team: str) -> float:
        return sum(p for p in points(team) if p is not None)

    rows = [
        [
            f"{team} (you)" if team == own else team,
            *("" if p is None else show(p) for p in points(team)),
            show(total(team)),
        ]
        for team in sorted(scores, key=total, reverse=True)
    ]
    heads = [">suspect " + name for name in suspects]
    heads += [f">{name} explained" for name in explained]
    put(components.table(["team", *heads, ">together"], rows))
    put('<p class="wb-quiet wb-small">100 points are all that one column is worth.</p>')


def suspect(name: str, truth: Mapping[str, Any], revealed: Mapping[str, Any]) -> None:
    """The truth of a suspect, and what each team said of it."""
    st.header(f"Suspect {name}")
    clean = bool(truth["none"])
    with st.container(border=True):
        put(
            f'<p class="wb-claim">{safe(truth["summary"])}</p>'
            f'<p class="wb-quiet wb-small">{"A clean suspect." if clean else "An organism."} '
            f"Family: {safe(truth['family'])}.</p>"
        )
        if not clean:
            _truth(truth)
        _letters(name, revealed["seal"]["document"])
    last = {
        (made["team"], made["part"]): made["body"]
        for made in revealed["submissions"]
        if made["suspect"] == name
    }
    for team, seats in revealed["scores"].items():
        if name in seats:
            with st.container(border=True):
                _team(team, seats[name], last.get((team, HUNT)))
                if "explain" in seats[name]:
                    _explained(seats[name]["explain"], last.get((team, EXPLAIN)))


def _letters(name: str, document: Mapping[str, Any]) -> None:
    """The hints that were to be had, and what the second phase asked."""
    rows = []
    for one in document["letters"].values():
        letter = one["letter"]
        if letter["suspect"] == name:
            what = f"hint {letter['hint']}" if "hint" in letter else "to be explained"
            rows.append([what, letter["text"]])
    if rows:
        put(components.table(["sealed beside the truth", "its text"], rows))
    cause = document["causes"].get(name)
    if cause not in (None, document["truths"][name].get("root_cause")):
        asked = [("the cause, as the rubric reads it", _slot(cause))]
        put(components.facts(asked, wide=True))


def _truth(truth: Mapping[str, Any]) -> None:
    rows = []
    if truth["root_cause"] is not None:
        rows.append(("root cause, as the rubric reads it", _slot(truth["root_cause"])))
    put(components.facts(rows, wide=True) if rows else "")
    instances = truth["instances"]
    if instances:
        put(
            components.table(
                ["trigger", "behaviour"],
                (
                    [_slot(one["trigger"]), _slot(one["behaviour"])]
                    for one in instances[:INSTANCES_SHOWN]
                ),
            )
        )
    if len(instances) > INSTANCES_SHOWN:
        put(
            f'<p class="wb-quiet wb-small">{len(instances) - INSTANCES_SHOWN} more; '
            f"{truth['instances_needed']} of them named is a hit.</p>"
        )


def _slot(slot: Mapping[str, Any]) -> str:
    """What has to be named, by its first synonyms."""
    parts = [" or ".join(group[:3]) for group in slot["all_of"]]
    if "at_least" in slot:
        k, of = slot["at_least"]["k"], slot["at_least"]["of"]
        names = ", ".join(value if isinstance(value, str) else value[0] for value in of[:4])
        parts.append(f"or {k} of {len(of)}: {names}…")
    return safe("; ".join(parts))


def _team(team: str, score: Mapping[str, Any], body: Mapping[str, Any] | None) -> None:
    put(
        f'<p class="wb-claim">{safe(team)}: {show(float(score["points"]))} points</p>'
        + ('<p class="wb-quiet">Handed in nothing.</p>' if body is None else handed_in(body))
    )
    if body is None:
        return
    parts = [[PARTS.get(name, name), value] for name, value in score["parts"].items()]
    parts.append(["wrong claims", f"-{score['price']}"])
    calibration = CALIBRATION * (1 - float(score["brier"]))
    parts.append(["calibration", f"{calibration:.3f}"])
    if "hints" in score:
        parts.append([components.counted(score["hints"][0], "hint"), f"-{score['hints'][1]}"])
    put(components.table(["part", ">points"], ([name, float(value)] for name, value in parts)))


def _explained(score: Mapping[str, Any], body: Mapping[str, Any] | None) -> None:
    put(
        f'<p class="wb-claim">Explained: {show(float(score["points"]))} points</p>'
        + ('<p class="wb-quiet">Handed in nothing.</p>' if body is None else explained(body))
    )


def side_by_side(lines: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Every team's moves on one clock."""
    st.header("What every team did")
    of_all = lines.get("", [])
    began = next((m["at"] for m in of_all if m["kind"] == "opened"), None) or of_all[0]["at"]
    teams = sorted(team for team in lines if team)
    data = []
    for kind, (told, symbol, colour) in KINDS.items():
        marks = [(team, m) for team in teams for m in lines[team] if m["kind"] == kind]
        if marks:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": told,
                    "marker": {"symbol": symbol, "color": colour, "size": 11, "opacity": 0.8},
                    "x": [_minutes(began, m["at"]) for _, m in marks],
                    "y": [team for team, _ in marks],
                    "text": [_told(m) for _, m in marks],
                    "hovertemplate": "%{y}, minute %{x:.1f}: %{text}<extra></extra>",
                }
            )
    if not data:
        components.empty("No team did anything.", "There is nothing to compare.")
        return
    counts = {team: len(lines[team]) for team in teams}
    most = max(counts, key=lambda team: counts[team])
    theme.draw(
        {
            "data": data,
            "layout": {
                "height": 150 + 60 * len(teams),
                "margin": {"l": 60, "r": 16, "t": 60, "b": 50},
                "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
                "xaxis": {"title": {"text": "minutes since the game opened"}},
                "yaxis": {"type": "category"},
                "showlegend": True,
            },
        },
        title=f"{most} made the most moves: {counts[most]:,}",
        key="timeline",
        read="A row for each team, a mark for each move; hover one to read it. What was asked is "
        "not shown, only that it was.",
    )
    for place in range(0, len(teams), 3):
        for column, team in zip(st.columns(3), teams[place : place + 3], strict=False):
            with column:
                put(f'<p class="wb-figure">{safe(team)}</p>')
                moves = grouped(lines[team])
                put(
                    components.table(
                        [">minute", "move"],
                        (
                            [round(_minutes(began, m["at"]), 1), _told(m)]
                            for m in moves[:MOVES_SHOWN]
                        ),
                    )
                )
                if len(moves) > MOVES_SHOWN:
                    put(f'<p class="wb-quiet wb-small">and {len(moves) - MOVES_SHOWN} more</p>')


def grouped(moves: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The moves, those that were the same one after the other as one, with its `times`."""
    made: list[dict[str, Any]] = []
    for move in moves:
        same = ("kind", "verb", "suspect")
        if made and move["kind"] == "call" and all(made[-1].get(n) == move.get(n) for n in same):
            amounts = Counter(made[-1]["amounts"]) + Counter(move.get("amounts", {}))
            made[-1] |= {"times": made[-1]["times"] + 1, "amounts": dict(amounts)}
        else:
            made.append({"times": 1, "amounts": {}, **move})
    return made


def _told(move: Mapping[str, Any]) -> str:
    what = KINDS.get(move["kind"], (move["kind"],))[0]
    if move["kind"] == "call":
        spent = {k.replace("_", " "): v for k, v in move.get("amounts", {}).items() if v}
        what = f"{move.get('verb', 'asked')}: {components.amounts(spent)}"
    if move.get("times", 1) > 1:
        what = f"{move['times']} times {what}"
    if "hint" in move:
        what += f" {move['hint']}"
    if move.get("part") == EXPLAIN:
        what += " an explanation"
    if "revision" in move:
        what += f", revision {move['revision']}"
    return f"{what} ({move['suspect']})" if "suspect" in move else what


def _minutes(began: str, at: str) -> float:
    start, end = (datetime.datetime.fromisoformat(text) for text in (began, at))
    return (end - start).total_seconds() / 60


def explained(made: Mapping[str, Any]) -> str:
    """An explanation as it was handed in."""
    told = [
        ("cause", "nothing hidden" if made["nothing"] else safe(made["cause"] or "not said")),
        ("evidence", components.counted(len(made["evidence"]), "finding")),
        ("confidence", components.confidence(float(made["confidence"]))),
    ]
    words = f'<p class="wb-quiet wb-small">{safe(made["words"])}</p>' if made["words"] else ""
    return components.facts(told, wide=True) + words


def handed_in(made: Mapping[str, Any]) -> str:
    """A submission as it was handed in."""
    told = [
        ("family", safe(made["family"] or "not said")),
        ("root cause", safe(made["root_cause"] or "not said")),
        ("trigger", safe(made["trigger"] or "not said")),
        ("behaviours", safe("; ".join(made["behaviours"]) or "not said")),
        ("evidence", components.counted(len(made["evidence"]), "finding")),
        ("confidence", components.confidence(float(made["confidence"]))),
    ]
    words = f'<p class="wb-quiet wb-small">{safe(made["words"])}</p>' if made["words"] else ""
    return components.facts(told, wide=True) + words
