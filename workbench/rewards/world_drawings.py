"""The charts of the linter and of what is read from tables of raters, tests and audits."""

from __future__ import annotations

from workbench.rewards.charts import Chart, Drawing, Series
from workbench.rewards.linter import Lint, Way


def loops(found: Lint) -> tuple[Drawing, ...]:
    """What each way pays per step, beside the way to finish."""
    shown = list(found.exploits) or ([found.worst] if found.worst else [])
    bars = [
        Series(
            "never finishing",
            tuple(label(way) for way in shown),
            tuple(way.rate for way in shown),
            shape="bars",
        )
    ]
    if found.finish is not None:
        bars.append(
            Series(
                "finishing",
                (label(found.finish),),
                (found.finish.rate,),
                shape="bars",
                control=True,
            )
        )
    if found.verdict == "exploit":
        title = f"{len(shown)} way{'s' * (len(shown) != 1)} to never finish pay more than finishing"
    else:
        title = "No cycle pays more than finishing"
    return (
        Chart(
            title=title,
            x_label="way through the world",
            y_label="reward per step, undiscounted",
            series=tuple(bars),
            how_to_read="a loop pays its rate for ever, a finish only once: compare the returns in "
            f"the table at discount {found.discount:g}"
            + (f" within {found.horizon} steps." if found.horizon else "."),
        ),
    )


def label(way: Way) -> str:
    """A way's kind, its length and its first states."""
    states = " > ".join(way.states[:4]) + (" > …" if len(way.states) > 4 else "")
    return f"{way.kind} of {way.steps}: {states}"
