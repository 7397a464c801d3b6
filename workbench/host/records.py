"""What the store hands out: clients, calls and receipts."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from workbench.access import Access

Whose: TypeAlias = Literal["suspect", "reference"]
WHOSE: tuple[Whose, ...] = ("suspect", "reference")

SEAT = "/"
"""Between a team and a suspect in the name of a seat; no client's own name holds it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Client:
    """Who a token speaks for, and with which access; its budget is shared by all its tokens.

    A team has one seat, "team/suspect", at each suspect that it may audit.
    """

    name: str
    access: Access

    @property
    def team(self) -> str:
        """Whom rates, turns and shares of work are counted for."""
        return self.name.partition(SEAT)[0]

    @property
    def suspect(self) -> str:
        """Which suspect of the host; empty where there is only one."""
        return self.name.partition(SEAT)[2]


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A metered call as stored.

    state: "open" (reserved, no answer yet), "settled", or "refunded". reserved: the most that it
    could cost; spent: what it did cost. reply: None where it was too long to keep. arguments: what
    the host itself decided about the call, the same whenever it is computed again.
    """

    id: int
    client: str
    verb: str
    whose: Whose
    body: str
    state: str
    reserved: Mapping[str, int]
    spent: Mapping[str, int]
    status: int
    reply: bytes | None
    arguments: Mapping[str, Any]


def call_of(row: sqlite3.Row) -> Call:
    """A row of the table of calls."""
    parts = {f.name: row[f.name] for f in dataclasses.fields(Call)}
    for name in ("reserved", "spent", "arguments"):
        parts[name] = json.loads(parts[name])
    return Call(**parts)


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """The chain after an event: its number and head."""

    seq: int
    head: str
