"""A team's pages in a game: they hold a URL and a token, and speak HTTP."""

from __future__ import annotations

from functools import partial

from workbench.ui import Leaf, World


def team() -> World:
    """What the rules grant, under a token."""
    from workbench.ui.game_pages import (
        board,
        brief,
        data,
        explain,
        features,
        findings,
        hints,
        results,
        submit,
        techniques,
    )
    from workbench.ui.game_pages.beside import door, settle, sidebar
    from workbench.ui.pages import ask, lens, probes

    return World(
        "Game",
        (
            Leaf("brief", "Brief", ":material/menu_book:", brief.draw),
            Leaf("ask", "Ask", ":material/forum:", ask.draw),
            Leaf("data", "Training data", ":material/library_books:", data.draw),
            Leaf("features", "Features", ":material/scatter_plot:", features.draw),
            Leaf("probes", "Probes", ":material/straighten:", partial(probes.draw, uploads=False)),
            Leaf("lens", "Lens", ":material/layers:", lens.draw),
            Leaf("techniques", "Techniques", ":material/play_circle:", techniques.draw),
            Leaf("findings", "Findings", ":material/fact_check:", findings.draw),
            Leaf("board", "Board", ":material/sticky_note_2:", board.draw),
            Leaf("hints", "Hints", ":material/lightbulb:", hints.draw),
            Leaf("submit", "Submit", ":material/outgoing_mail:", submit.draw),
            Leaf("explain", "Explain", ":material/psychology_alt:", explain.draw),
            Leaf("results", "Results", ":material/leaderboard:", results.draw),
        ),
        settle,
        sidebar,
        door,
    )
