"""Which technique finds what, and which auditor solves it, over organisms, twins and decoys."""

from workbench.benchmark.report import markdown, read
from workbench.benchmark.runner import every_technique, run

__all__ = ["every_technique", "markdown", "read", "run"]
