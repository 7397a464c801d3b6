"""The bench's page of features, where the budget reaches what an SAE is trained on."""

from __future__ import annotations

from workbench.access import Access
from workbench.ui import components
from workbench.ui.pages import features
from workbench.ui.visit import seat


def draw() -> None:
    """The page, or why no SAE can be trained."""
    left = seat().left("documents") if Access.TRAINING_DATA in seat().access else None
    if left is not None and left < (rows := seat().size("suspect")):
        components.empty(
            f"An SAE is trained on all {rows:,} rows; your budget reaches {left:,} more.",
            "Nothing is begun that would end in the middle: what it had read would be spent.",
        )
        return
    features.draw()
