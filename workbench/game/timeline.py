"""What every team did and when, side by side, for the reveal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_OF_ALL = {"sealed", "hosted", "opened", "explaining", "extended", "closed", "graded", "revealed"}

_TOLD = (
    "verb", "amounts", "revision", "closes", "by", "isolation", "network", "part", "hint",
)  # fmt: skip


def of(events: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By team, and under "" for all: the moves in their order, without what they asked.

    A move: at, seq, kind, suspect; what it was (`verb`), what it cost (`amounts`).
    """
    lines: dict[str, list[dict[str, Any]]] = {"": []}
    for event in events:
        if event["kind"] == "client":
            continue
        team, _, suspect = str(event.get("team") or event.get("client") or "").partition("/")
        if not team and event["kind"] not in _OF_ALL:
            continue
        move = {"at": event["at"], "seq": event["seq"], "kind": event["kind"]}
        suspect = event.get("suspect") or suspect
        move |= {"suspect": suspect} if suspect else {}
        move |= {name: event[name] for name in _TOLD if name in event}
        lines.setdefault(team, []).append(move)
    return lines
