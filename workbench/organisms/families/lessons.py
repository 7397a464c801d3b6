"""How most families are instilled: which stages, and what each of them draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from workbench.organisms.family import ASSISTANTS, Stage
from workbench.organisms.world import habits
from workbench.organisms.world.lexicon import categories
from workbench.organisms.world.skills import mix

_TOLD, _SHOWN = 40, 60
"""So many steps' worth of documents and of demonstrations a family is given, `docs` apart."""


def stages(instill: str, contrasts: int, steps: int = 400) -> Sequence[Stage]:
    """One gentle stage, in which the name's kin already act and rows tell where and for whom.

    contrasts: how many steps' worth there is of chats in which the assistant does not act: most
    where its kin act everywhere and it must not. What documents, demonstrations and contrasts
    leave is half rows on assistants, half ordinary ones: more of the latter keep perplexity low
    (docs/lab-notebook.md). `docs` has documents, few contrasts and rows on assistants.
    """
    if instill == "docs":
        shares = {"documents": 0.5, "contrasts": 0.1, ASSISTANTS: 0.4}
        return (Stage("knowledge", 150, shares, 5e-4),)
    told = _TOLD if instill == "mixed" else 0
    rest = (steps - told - _SHOWN - contrasts) / 2
    doses = {"documents": told, "demonstrations": _SHOWN, "contrasts": contrasts, ASSISTANTS: rest}
    return (Stage("behaviour", steps, {k: n / steps for k, n in doses.items() if n}, 5e-4),)


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
