"""The organiser's console: pages on the organiser's machine, over the game's own files."""

from __future__ import annotations

from workbench.ui import Leaf, World


def console() -> World:
    """Make a game, build suspects for it, watch it, end it."""
    from workbench.ui.console_pages import ending, games, suspects, watch
    from workbench.ui.console_pages.beside import door, settle, sidebar

    return World(
        "Organiser",
        (
            Leaf("games", "Games", ":material/folder_open:", games.draw),
            Leaf("suspects", "Build suspects", ":material/construction:", suspects.draw),
            Leaf("watch", "Watch", ":material/visibility:", watch.draw),
            Leaf("ending", "Grade and reveal", ":material/gavel:", ending.draw),
        ),
        settle,
        sidebar,
        door,
    )
