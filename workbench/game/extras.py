"""What a game may hold besides: hints with a price, a second phase, a judge beside the rubric."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.errors import BadParameter, ConfigError
from workbench.game import rubric, toml
from workbench.suspects.remote import SPENT

POINTS = "points"
"""The price of a hint that is paid from the score."""

POINTS_AT_MOST = 100
_HINT = ("suspect", "text", "about", "price")
_ODD = ("behaviour", "cause")
_JUDGE = ("model", "endpoint", "key")


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """A hint on a suspect. text: sealed until it is bought; about: what teams read before. price:
    by meter of the team's budget there, or "points" of its score there."""

    suspect: str
    text: str = dataclasses.field(repr=False)
    about: str
    price: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Odd:
    """An odd behaviour that the second phase asks the cause of. cause: groups of synonyms, each of
    which an answer has to name; None: the root cause of the suspect's truth."""

    behaviour: str = dataclasses.field(repr=False)
    cause: tuple[tuple[str, ...], ...] | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """A language model that is asked beside the rubric. endpoint: an OpenAI-compatible one; key:
    the environment variable that holds its key, empty where it wants none."""

    model: str
    endpoint: str
    key: str = ""


def hints(
    given: Any, suspects: Sequence[str], seats: Mapping[str, Mapping[str, Any]], where: str
) -> tuple[Hint, ...]:
    """The hints of a game; raises ConfigError on one that nobody could pay for."""
    if given is None:
        return ()
    made = []
    for number, table in toml.tables({"hints": given}, "hints", where):
        place = f"{where}: hint {number}"
        toml.known(table, _HINT, place)
        suspect = toml.text(table.get("suspect"), f"{place}: suspect")
        if suspect not in suspects:
            raise ConfigError(
                f"{place} is about '{suspect}', which is not here",
                hint=f"Choose from: {', '.join(suspects)}.",
            )
        price = _price(table.get("price"), place)
        made.append(
            Hint(
                suspect,
                toml.text(table.get("text"), f"{place}: text"),
                toml.text(table.get("about", "a hint"), f"{place}: about"),
                price,
            )
        )
        _refuse_free(price, suspect, seats, place)
    return tuple(made)


def odd(given: Any, where: str) -> Odd | None:
    """What is to be explained of a suspect; None where there is nothing."""
    if given is None:
        return None
    table = toml.table(given, f"{where}: explain", _ODD)
    behaviour = toml.text(table.get("behaviour"), f"{where}: explain: behaviour")
    if "cause" not in table:
        return Odd(behaviour)
    groups = table["cause"]
    if not isinstance(groups, list) or not all(isinstance(g, list) and g for g in groups):
        raise ConfigError(
            f"{where}: explain: cause is no list of lists of words",
            hint='Write [["reward model", "rater"], ["please", "like"]].',
        )
    cause = tuple(tuple(toml.text(w, f"{where}: explain: cause") for w in g) for g in groups)
    try:
        rubric.check_slot({"all_of": [list(group) for group in cause]}, f"{where}: explain: cause")
    except BadParameter as error:
        raise ConfigError(error.message, hint="Name what an answer has to say.") from None
    return Odd(behaviour, cause)


def judge(given: Any, where: str) -> Judge | None:
    """The judge of a game; None where it has none."""
    if given is None:
        return None
    place = f"{where}: judge"
    table = toml.table(given, place, _JUDGE)
    endpoint = toml.text(table.get("endpoint"), f"{place}: endpoint")
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigError(f"{place}: endpoint = {endpoint!r} is no URL", hint="http://HOST/v1")
    key = toml.text(table["key"], f"{place}: key") if "key" in table else ""
    return Judge(toml.text(table.get("model"), f"{place}: model"), endpoint.rstrip("/"), key)


def _price(given: Any, where: str) -> dict[str, int]:
    table = toml.table(given, f"{where}: price", (POINTS, *SPENT))
    for meter, amount in table.items():
        if type(amount) is not int or not 1 <= amount <= 1_000_000:
            raise ConfigError(
                f"{where}: price: {meter} = {amount!r} is no such amount",
                hint="Give a whole number, 1 or more.",
            )
    if len(table) != 1:
        raise ConfigError(f"{where} has no one price", hint="Write price = { points = 10 }.")
    if table.get(POINTS, 0) > POINTS_AT_MOST:
        raise ConfigError(
            f"{where} costs {table[POINTS]} points", hint=f"At most {POINTS_AT_MOST}."
        )
    return dict(table)


def _refuse_free(
    price: Mapping[str, int], suspect: str, seats: Mapping[str, Mapping[str, Any]], where: str
) -> None:
    (meter,) = price
    for team, listed in seats.items():
        seat = listed.get(suspect)
        if meter == POINTS or seat is None:
            continue
        if getattr(seat.budget, meter) is None:
            raise ConfigError(
                f"{where} costs {meter.replace('_', ' ')}, which nothing bounds for team '{team}'",
                hint=f"Bound them with [budget], or give a price in {POINTS}.",
            )
