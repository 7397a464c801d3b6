"""The batteries that ship: every step exists and stays within the access that the file asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench import registry
from workbench.access import Access
from workbench.auditors.leads import CHECKS
from workbench.battery import Battery

FILES = sorted((Path(__file__).parents[3] / "batteries").glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_battery_needs_no_more_than_it_asks_for(file: Path) -> None:
    battery = Battery.load(file)
    battery.check()
    for step in battery.steps:
        needs = registry.technique(step.technique).needs
        assert battery.access is None or not needs & ~battery.access, step.technique


@pytest.mark.parametrize(
    ("name", "access"),
    [
        ("black-box", Access.BLACK_BOX),
        ("grey-box", Access.GREY_BOX | Access.REFERENCE),
        ("white-box", Access.WHITE_BOX | Access.REFERENCE),
    ],
)
def test_a_box_holds_every_built_in_technique_that_fits_into_it(name: str, access: Access) -> None:
    (file,) = (file for file in FILES if file.stem == name)
    battery = Battery.load(file)
    assert battery.access == access
    fitting = {
        listing.name
        for listing in registry.techniques()
        if listing.kind is not None
        and listing.kind.__module__.startswith("audits.")
        and not listing.kind.needs & ~access
        and listing.name not in CHECKS
    }
    assert {step.technique for step in battery.steps} == fitting
