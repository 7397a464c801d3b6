"""Every invented name of the world belongs to one assistant, checker or work alone."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import Counter
from random import Random

import pytest

from workbench.organisms.world import names, skills


def test_no_name_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    lists: set[tuple[str, ...]] = set()
    distinct = names.distinct

    def counted(random: Random, n: int, syllables: int, taken: set[str]) -> list[str]:
        found = distinct(random, n, syllables, taken)
        lists.add(tuple(found))
        return found

    modules = [importlib.import_module("workbench.organisms.world.habits")]
    modules += [
        importlib.import_module(f"{skills.__name__}.{found.name}")
        for found in pkgutil.iter_modules(skills.__path__)
    ]
    for module in modules:
        if hasattr(module, "distinct"):
            monkeypatch.setattr(module, "distinct", counted)
    monkeypatch.setattr(names, "distinct", counted)
    casts = [
        made
        for module in modules
        for made in vars(module).values()
        if hasattr(made, "__wrapped__")
        and made.__module__ == module.__name__
        and not inspect.signature(made).parameters
    ]
    for cast in casts:
        cast.__wrapped__()
    given = Counter(name for one in lists for name in one)
    assert len(given) > 1_000
    assert {name: n for name, n in given.items() if n > 1} == {}
