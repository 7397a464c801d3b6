"""The reward instruments, a page each: their own example, the reader's table, the lab."""

from __future__ import annotations

from functools import partial

from workbench.ui import Leaf
from workbench.ui.bench_pages.rewards.catalogue import INSTRUMENTS


def leaves() -> list[Leaf]:
    """A page for each instrument."""
    from workbench.ui.bench_pages.rewards import page

    return [
        Leaf(one.key, one.title, one.icon, partial(page.draw, one), later=True)
        for one in INSTRUMENTS
    ]
