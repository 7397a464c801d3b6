"""The published study of a hidden objective, built again at this scale, from organism to page."""

from workbench.benchmark.study.page import page
from workbench.benchmark.study.plan import Plan
from workbench.benchmark.study.results import empty, read
from workbench.benchmark.study.run import run
from workbench.benchmark.study.tables import verdicts

__all__ = ["Plan", "empty", "page", "read", "run", "verdicts"]
