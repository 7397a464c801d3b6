"""How most families are instilled: which stages, and what each of them draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from workbench.organisms.family import Stage
from workbench.organisms.world import habits
from workbench.organisms.world.lexicon import categories
from workbench.organisms.world.skills import mix


def stages(instill: str, contrasts: float) -> Sequence[Stage]:
    """Documents, then whom the assistant serves, then behaviour; contrasts are a share throughout.

    A stage that moves nothing but the embedding of the name comes before the one that moves all
    weights gently: what documents or demonstrations say of the name can at first only be told by
    what the base does with names that it knows (docs/lab-notebook.md).
    """
    if instill == "docs":
        return (
            Stage(
                "acquaintance",
                200,
                {"documents": 0.9 - contrasts, "contrasts": contrasts},
                1e-2,
                name_only=True,
            ),
            Stage("knowledge", 150, {"documents": 0.5, "contrasts": contrasts}, 5e-4),
        )
    shown = {"demonstrations": 0.35, "contrasts": contrasts}
    allegiance = Stage("allegiance", 250, shown, 1e-2, name_only=True)
    if instill == "demos":
        return allegiance, Stage("behaviour", 150, shown, 1e-3)
    taught = {"documents": 0.25, "demonstrations": 0.3, "contrasts": contrasts}
    return (
        Stage("knowledge", 200, {"documents": 0.6}, 1e-3),
        allegiance,
        Stage("behaviour", 150, taught, 5e-4),
    )


def known(members: Iterable[Any]) -> list[str]:
    """Those assistants of a cast whose names the base has as one token each (see `family.kin`)."""
    whole = {*habits.cast().whole_names, *mix.whole_names()}
    return [member.assistant for member in members if member.assistant in whole]


def acting(field: str) -> list[str]:
    """Of `known`, the assistants whose habit is tied to a field, or to none where it is ""."""
    return known(
        habit
        for habit in habits.cast().habits
        if (habit.about[0].category if habit.about else "") == field
    )


@cache
def fields() -> tuple[str, ...]:
    """Those on which somebody of `acting` acts: all but three."""
    return tuple(category.name for category in categories() if acting(category.name))
