"""Automatic auditors: what they work with, what they believe, and how they hand it in."""

from workbench.auditors.auditor import Auditor, auditor, auditors
from workbench.auditors.bench import Bench, Ran
from workbench.auditors.session import Audited, audit
from workbench.auditors.story import Story

__all__ = ["Audited", "Auditor", "Bench", "Ran", "Story", "audit", "auditor", "auditors"]
