"""Which technique finds what, at what cost: batteries over organisms, twins and decoys."""

from workbench.benchmark.report import markdown, read
from workbench.benchmark.runner import run

__all__ = ["markdown", "read", "run"]
