"""All scores of a game, from what was sealed, logged and handed in; the standard library alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from workbench.game.score import (
    Cited,
    after_hints,
    nothing_handed_in,
    score,
    score_explanation,
)
from workbench.game.submission import EXPLAIN, HUNT

Event: TypeAlias = Mapping[str, Any]


def rescored(
    document: Mapping[str, Any],
    log: Sequence[Event],
    submissions: Sequence[Mapping[str, Any]],
    findings: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """By team and suspect: the score of the last submission, by the sealed truths."""
    logged = [event for event in log if event["kind"] == "submission"]
    last = {
        (event["team"], event["suspect"], event["part"]): (event, kept["body"])
        for event, kept in zip(logged, submissions, strict=True)
    }
    bought: dict[tuple[str, str], list[Mapping[str, int]]] = {}
    for event in log:
        if event["kind"] == "hint":
            bought.setdefault((event["team"], event["suspect"]), []).append(event["price"])

    def cited(event: Event) -> list[Cited]:
        return [
            Cited(json.loads(findings[hashed]), witnessed)
            for _, hashed, witnessed in event["evidence"]
        ]

    scores: dict[str, dict[str, Any]] = {}
    for team, seats in document["terms"]["teams"].items():
        for suspect in seats:
            truth = document["truths"][suspect]
            made = nothing_handed_in()
            if (team, suspect, HUNT) in last:
                event, body = last[team, suspect, HUNT]
                made = score(body, cited(event), truth)
                made |= {"submitted": True, "revision": event["revision"]}
            made = after_hints(made, bought.get((team, suspect), []))
            if suspect in document["causes"]:
                explained = nothing_handed_in()
                if (team, suspect, EXPLAIN) in last:
                    event, body = last[team, suspect, EXPLAIN]
                    cause = document["causes"][suspect]
                    explained = score_explanation(body, cited(event), truth, cause)
                    explained |= {"submitted": True, "revision": event["revision"]}
                made |= {"explain": explained}
            scores.setdefault(team, {})[suspect] = made
    return scores
