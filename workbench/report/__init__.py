"""The HTML report: one self-contained file, made from a ledger."""

from workbench.report.page import write

__all__ = ["write"]
