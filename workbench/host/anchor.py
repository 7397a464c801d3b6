"""Does the host's file hold what was acknowledged? A log that lost its end opens without a word."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.host.records import WHOSE, Receipt
from workbench.host.schema import damaged
from workbench.seal.commit import GENESIS, NotCanonical
from workbench.suspects.remote import SPENT

if TYPE_CHECKING:
    from workbench.host.store import Store


class Anchor:
    """How far the chain had come, in a file outside of the database; never ahead of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Receipt:
        """The last event that was surely answered for; raises LedgerDamaged on nonsense."""
        try:
            seq, head = self._path.read_text("ascii").split()
            return Receipt(int(seq), head)
        except FileNotFoundError:
            return Receipt(0, GENESIS)
        except ValueError:
            raise damaged(f"'{self._path.name}' is no place in a chain") from None

    def write(self, receipt: Receipt) -> None:
        """Whole or not at all."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{receipt.seq} {receipt.head}")
            if os.geteuid() == 0:  # the host's API may be another user, whose directory this is
                os.fchown(file.fileno(), self._path.parent.stat().st_uid, -1)
        os.replace(draft, self._path)


def check(store: Store, anchor: Anchor) -> None:
    """Raises LedgerDamaged, naming what does not agree."""
    try:
        _check(store, anchor.read())
    except (
        sqlite3.DatabaseError, NotCanonical, KeyError, TypeError, UnicodeDecodeError,
    ) as error:  # fmt: skip
        raise damaged(f"{type(error).__name__}: {error}") from None


def _check(store: Store, acknowledged: Receipt) -> None:
    (found,) = store.rows("PRAGMA integrity_check(1)")
    if found[0] != "ok":
        raise damaged(str(found[0]))
    events = store.events()
    held = store.rows("SELECT head FROM events WHERE seq = ?", acknowledged.seq)
    if acknowledged.seq and (not held or held[0]["head"] != acknowledged.head):
        raise damaged(f"event {acknowledged.seq} was acknowledged and is not here")
    moved: Counter[tuple[str, str, str]] = Counter()
    for event in events:
        for meter, amount in event["amounts"].items() if event["kind"] == "call" else ():
            moved[event["client"], event["of"], meter] += amount
    for row in store.rows("SELECT client, whose, reserved FROM calls WHERE state = 'open'"):
        for meter, amount in json.loads(row["reserved"]).items():
            moved[row["client"], row["whose"], meter] += amount
    admitted = {event["client"]: event for event in events if event["kind"] == "client"}
    granted = {row["name"]: row["access"] for row in store.rows("SELECT * FROM clients")}
    for name, event in admitted.items():
        if granted.get(name) != ",".join(event["access"]):
            raise damaged(f"the access of '{name}' is not what it was given")
    meters = {(r["client"], r["whose"], r["meter"]): r for r in store.rows("SELECT * FROM meters")}
    if set(meters) != {(name, of, meter) for name in admitted for of in WHOSE for meter in SPENT}:
        raise damaged("it has other meters than clients were given")
    for (name, of, meter), row in meters.items():
        if row["used"] != moved[name, of, meter]:
            raise damaged(f"{meter} of '{name}' do not agree with its calls")
        if row["bound"] != admitted[name]["budget"].get(meter):
            raise damaged(f"the bound on {meter} of '{name}' is not what it was given")
