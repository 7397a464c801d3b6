"""`--budget-*` options of the commands that serve a suspect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from workbench.access import METERS, Budget

BUDGETED = tuple(meter for meter in METERS if meter != "seconds")


def budget_options(function: Any) -> Any:
    """Adds one option per meter that a host keeps, passed on as `budget_METER`."""
    for meter in reversed(BUDGETED):
        name = f"--budget-{meter.replace('_', '-')}"
        option = click.option(name, f"budget_{meter}", type=click.IntRange(0), metavar="N")
        function = option(function)
    return function


def given_budget(bounds: Mapping[str, int | None]) -> Budget:
    """The budget of those options."""
    given = {meter: bounds[f"budget_{meter}"] for meter in BUDGETED}
    return Budget(**{meter: bound for meter, bound in given.items() if bound is not None})
