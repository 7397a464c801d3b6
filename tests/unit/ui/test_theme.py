"""The theme holds what it promises: contrast, known options, no colour that is not defined."""

from __future__ import annotations

import dataclasses
import re
from importlib.resources import files

import pytest

from workbench.findings import Figure, Measurement
from workbench.report import figures
from workbench.ui.theme import DARK, LIGHT, Palette, options, resolved, stylesheet, template

TEXTS = (
    "ink",
    "quiet",
    "link",
    "danger",
    "suspect",
    "reference",
    "third",
    "fourth",
    "fifth",
    "sixth",
)
LINES = ("suspect", "reference", "danger")


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_texts_can_be_read(palette: Palette) -> None:
    for ground in ("paper", "card", "tint"):
        for text in TEXTS:
            ratio = contrast(getattr(palette, text), getattr(palette, ground))
            assert ratio >= 4.5, f"{text} on {ground}: {ratio:.2f}"
    assert contrast(palette.mark_ink, palette.mark) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_a_tinted_token_can_be_read(palette: Palette) -> None:
    mixed = [
        round(0.4 * int(palette.suspect[i : i + 2], 16) + 0.6 * int(palette.tint[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    assert contrast("#{:02x}{:02x}{:02x}".format(*mixed), palette.ink) >= 4.5


def test_streamlit_knows_every_option() -> None:
    from streamlit import config

    assert set(options()) <= set(config._config_options_template)


def test_every_colour_of_the_css_is_defined() -> None:
    rules = files("workbench.ui").joinpath("theme.css").read_text()
    defined = {f.name.replace("_", "-") for f in dataclasses.fields(Palette)} | {"mono"}
    assert set(re.findall(r"var\(--wb-([\w-]+)\)", rules)) <= defined
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)
    for name in defined:
        assert f"--wb-{name}:" in stylesheet(DARK)


def test_figures_of_the_report_get_this_side_s_colours() -> None:
    measured = Measurement("rate", 0.5, 10, (0.3, 0.7), "reference", 0.1, 10, (0.0, 0.3))
    drawn = Figure("bar", "t", "x", "y", ("a",), {"suspect": (1.0,), "reference": (2.0,)})
    for spec in (figures.measurement(measured), figures.figure(drawn)):
        text = str(resolved(spec, DARK))
        assert "@" not in text and DARK.suspect in text and DARK.reference in text
    import plotly.graph_objects as go

    go.Figure(layout={"template": template(LIGHT)})
