"""The pages of the bench, one a file; each draws one thing and computes nothing."""

from __future__ import annotations

from workbench.ui import Leaf, World


def bench() -> World:
    """One's own suspects, with everything open."""
    from workbench.ui.bench_pages import (
        audit,
        differences,
        findings,
        home,
        leaderboard,
        query,
        rewards,
        steer,
        trace,
    )
    from workbench.ui.bench_pages.beside import settle, sidebar
    from workbench.ui.pages import ask, data, features, lens, probes

    return World(
        "Bench",
        (
            Leaf("home", "Home", ":material/home:", home.draw),
            Leaf("ask", "Ask", ":material/forum:", ask.draw),
            Leaf("audit", "Audit", ":material/play_circle:", audit.draw),
            Leaf("data", "Training data", ":material/menu_book:", data.draw),
            Leaf("trace", "Trace", ":material/conversion_path:", trace.draw),
            Leaf("features", "Features", ":material/scatter_plot:", features.draw),
            Leaf("differences", "Differences", ":material/compare_arrows:", differences.draw),
            Leaf("steer", "Steering bench", ":material/tune:", steer.draw),
            Leaf("probes", "Probes", ":material/straighten:", probes.draw),
            Leaf("lens", "Lens", ":material/layers:", lens.draw),
            Leaf("findings", "Findings", ":material/fact_check:", findings.draw),
            Leaf("leaderboard", "Leaderboard", ":material/leaderboard:", leaderboard.draw),
            Leaf("query", "Ledger queries", ":material/database:", query.draw),
            *rewards.leaves(),
        ),
        settle,
        sidebar,
    )
