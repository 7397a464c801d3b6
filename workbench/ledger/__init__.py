"""The findings database: append-only, hash-chained, one short transaction per run."""

from workbench.ledger.ledger import Ledger
from workbench.ledger.records import Amendment, Entry, Group, Planned, Run

__all__ = ["Amendment", "Entry", "Group", "Ledger", "Planned", "Run"]
