"""The file beside a ledger that says how far it was acknowledged.

DuckDB opens a truncated write-ahead log without a word and with a shorter history. The anchor is
written and synced after each commit, so a ledger that ends before it has lost something.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from workbench.errors import LedgerDamaged, LedgerError
from workbench.ledger.schema import sync_directory
from workbench.seal.commit import GENESIS


@dataclasses.dataclass(frozen=True, slots=True)
class Anchor:
    """Number and chain head of the last acknowledged event, with the runs and findings so far."""

    seq: int = 0
    head: str = GENESIS
    runs: int = 0
    findings: int = 0


def anchor_path(ledger: Path) -> Path:
    """`ledger.duckdb.head` beside `ledger.duckdb`."""
    return ledger.with_name(ledger.name + ".head")


def read_anchor(ledger: Path) -> Anchor | None:
    """None where there is no such file; raises LedgerDamaged where it cannot be understood,
    LedgerError where it cannot be read."""
    try:
        document = json.loads(anchor_path(ledger).read_bytes())
        anchor = Anchor(**document)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(
            f"the ledger's .head file cannot be read: {error.strerror}", hint="Try again."
        ) from None
    except (ValueError, TypeError):
        raise unreadable() from None
    if not all(type(n) is int for n in (anchor.seq, anchor.runs, anchor.findings)):
        raise unreadable()
    return anchor


def write_anchor(ledger: Path, anchor: Anchor) -> None:
    """Replaces the file at once and durably."""
    target = anchor_path(ledger)
    draft = target.with_name(f".{target.name}.draft")
    with open(draft, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(anchor), file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)
    sync_directory(target.parent)


def unreadable() -> LedgerDamaged:
    """The error for an anchor that is no anchor."""
    return LedgerDamaged(
        "the ledger's .head file is damaged",
        hint="Run `workbench ledger verify`; delete the .head file to accept the ledger as it is.",
    )
