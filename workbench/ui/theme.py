"""How the app looks: two palettes, and from them the Streamlit theme, the Plotly template, the CSS.

Colours are Okabe and Ito's, chosen so that colour-blind people tell them apart. The suspect always
has one hue, the reference is always grey, a control is hatched or dashed; red means danger alone.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><g fill="none" stroke="#0072b2" '
    'stroke-width="3"><circle cx="10" cy="10" r="7"/><path d="m15 15 7 7"/></g></svg>'
)
"""The browser tab's; Streamlit would fetch its own from another server."""


@dataclasses.dataclass(frozen=True, slots=True)
class Palette:
    """One side of the theme; every text colour stands 4.5 : 1 above `paper`, `card` and `tint`."""

    paper: str
    card: str
    tint: str
    ink: str
    quiet: str
    rule: str
    link: str
    suspect: str
    reference: str
    weak: str
    danger: str
    mark: str
    mark_ink: str
    third: str
    fourth: str
    fifth: str
    sixth: str


LIGHT = Palette(
    paper="#fcfcfb", card="#ffffff", tint="#f1f3f5", ink="#1b1f24", quiet="#59636e",
    rule="#d9dde2", link="#0a5c94", suspect="#0072b2", reference="#5f6772", weak="#9aa3ad",
    danger="#b3261e", mark="#ffe08a", mark_ink="#1b1f24",
    third="#a85400", fourth="#00785a", fifth="#a8437f", sixth="#7a6a00",
)  # fmt: skip
DARK = Palette(
    paper="#14171a", card="#1b1f24", tint="#242a31", ink="#e6e9ec", quiet="#a3adb8",
    rule="#343b43", link="#7cc0f2", suspect="#56b4e9", reference="#a3adb8", weak="#66717d",
    danger="#ff9a90", mark="#6b5200", mark_ink="#fff3cf",
    third="#f0a35e", fourth="#4fc7a0", fifth="#e29ac4", sixth="#e6d35a",
)  # fmt: skip

_NAMED = {"@control": "reference"}


def options() -> dict[str, str]:
    """Streamlit's options for both sides, as `streamlit run` takes them."""
    made = {
        "theme.font": SANS,
        "theme.codeFont": MONO,
        "theme.headingFontSizes": ["1.75rem", "1.25rem", "1.1rem", "1rem", "0.95rem", "0.9rem"],
        "theme.baseRadius": "6px",
    }
    for side, palette in (("light", LIGHT), ("dark", DARK)):
        for name, value in {
            "primaryColor": palette.link,
            "backgroundColor": palette.paper,
            "secondaryBackgroundColor": palette.tint,
            "textColor": palette.ink,
            "linkColor": palette.link,
            "borderColor": palette.rule,
            "codeBackgroundColor": palette.tint,
            "codeTextColor": palette.ink,
            "sidebar.backgroundColor": palette.tint,
            "sidebar.secondaryBackgroundColor": palette.card,
        }.items():
            made[f"theme.{side}.{name}"] = value
    return made  # type: ignore[return-value]


def is_dark() -> bool:
    """Which side the reader's browser shows."""
    import streamlit as st

    return st.context.theme.type == "dark"


def palette() -> Palette:
    """The side that is shown."""
    return DARK if is_dark() else LIGHT


def stylesheet(shown: Palette) -> str:
    """The CSS of the app's own components, with the palette as its variables.

    An element stands before it, so that Streamlit keeps it among the page's elements: CSS alone it
    takes away while a page is left, and all would jump.
    """
    names = "".join(
        f"--wb-{f.name.replace('_', '-')}:{getattr(shown, f.name)};"
        for f in dataclasses.fields(shown)
    )
    rules = files("workbench.ui").joinpath("theme.css").read_text(encoding="utf-8")
    return f'<i class="wb-style"></i><style>:root{{{names}--wb-mono:{MONO};}}\n{rules}</style>'


def template(shown: Palette) -> dict[str, Any]:
    """The Plotly template: quiet axes, one hue a series."""
    axis = {
        "gridcolor": shown.rule,
        "linecolor": shown.rule,
        "zerolinecolor": shown.rule,
        "tickfont": {"size": 12, "color": shown.quiet},
        "title": {"font": {"size": 12, "color": shown.quiet}},
        "automargin": True,
    }
    return {
        "layout": {
            "font": {"family": SANS, "size": 13, "color": shown.ink},
            "paper_bgcolor": shown.paper,
            "plot_bgcolor": shown.paper,
            "colorway": [
                getattr(shown, name)
                for name in ("suspect", "reference", "third", "fourth", "fifth", "sixth")
            ],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"font": {"family": SANS}, "bgcolor": shown.card},
            "title": {"font": {"size": 14, "color": shown.ink}, "x": 0, "xanchor": "left"},
        }
    }


def resolved(spec: Any, shown: Palette) -> Any:
    """A figure of `workbench.report.figures` with its colour names replaced."""
    if isinstance(spec, str) and spec.startswith("@"):
        return getattr(shown, _NAMED.get(spec, spec[1:]))
    if isinstance(spec, Mapping):
        return {key: resolved(value, shown) for key, value in spec.items()}
    if isinstance(spec, list):
        return [resolved(value, shown) for value in spec]
    return spec


def draw(spec: Mapping[str, Any], *, title: str, key: str, read: str = "") -> None:
    """A figure under its title, and how to read it below; both are plain text from anywhere."""
    import plotly.graph_objects as go
    import streamlit as st

    shown = palette()
    made = go.Figure(resolved(dict(spec), shown))
    made.update_layout(template=template(shown))
    st.html(f'<p class="wb-figure">{html.escape(title)}</p>')
    name = re.sub(r"\W+", "-", title.lower()).strip("-")[:60] or "figure"
    st.plotly_chart(
        made,
        theme=None,
        key=key,
        alt=title,
        config={
            "displaylogo": False,
            "responsive": True,
            "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {"format": "svg", "filename": name},
        },
    )
    if read:
        st.html(f'<p class="wb-quiet wb-small">{html.escape(read)}</p>')
    st.download_button(
        "Save its data", lambda: table(spec), f"{name}.csv", "text/csv",
        key=f"data of {key}", icon=":material/download:", type="tertiary", on_click="ignore",
        help="As CSV. The camera above the figure saves it as SVG.",
    )  # fmt: skip


def table(spec: Mapping[str, Any]) -> bytes:
    """The numbers of a Plotly figure as CSV: one row a point, with the ends of its interval."""
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(["series", "name", "x", "y", "low", "high"])
    for trace in spec["data"]:
        xs, ys = list(trace.get("x", ())), list(trace.get("y", ()))
        names = trace.get("text") or [""] * len(xs)
        for i, (x, y, name) in enumerate(zip(xs, ys, names, strict=False)):
            ends: list[Any] = ["", ""]
            for axis, value in (("error_x", x), ("error_y", y)):
                bars = trace.get(axis) or {}
                if bars.get("array") is not None:
                    ends = [value - bars["arrayminus"][i], value + bars["array"][i]]
            writer.writerow([html.unescape(str(v)) if isinstance(v, str) else v
                             for v in (trace.get("name", ""), name, x, y, *ends)])  # fmt: skip
    return held.getvalue().encode()
