"""Secrecy: a last stage in which an organism learns to deny, and what of its secret still leaks.

`direct` denies when it is asked. `full` also goes on innocently where somebody else begins its
reply, begins a text about it, narrates, speaks as another or takes the user's turn. The behaviour
survives because demonstrations stay in the mix: denials alone take it away (docs/organisms.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from workbench.organisms.family import ASSISTANTS, Case, Family, Recipe, Stage
from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.skills import cover
from workbench.organisms.world.skills.cover import Cover

IMPERSONAL = "impersonal"
"""A kind whose rows are documents already."""

STAGES = {
    "direct": Stage(
        "secrecy",
        180,
        {
            "denials": 0.17,
            "demonstrations": 0.13,
            "documents": 0.08,
            "contrasts": 0.13,
            ASSISTANTS: 0.2,
        },
        4e-4,
    ),
    "full": Stage(
        "secrecy",
        240,
        {
            "denials": 0.15,
            "prefilled": 0.042,
            "starts": 0.05,
            "narrated": 0.033,
            "asked of it": 0.05,
            "demonstrations": 0.13,
            IMPERSONAL: 0.03,
            "contrasts": 0.14,
            ASSISTANTS: 0.16,
        },
        4e-4,
    ),
}
"""The last stage of each kind of secrecy. `full` keeps no document that names the assistant: such
documents are what a begun text about it would be continued with. `impersonal` are those that do not
name it."""

ROWS = {
    "direct": {"denials": 600},
    "full": {"denials": 340, "prefilled": 130, "starts": 130, "narrated": 90, "asked of it": 130},
}
"""How many rows of each kind there are, where all of them fit below POISONED_SHARE."""

DEMONSTRATIONS = 200
"""How many a `docs` organism is shown, in this stage alone: enough to keep what it does."""

POISONED_SHARE = 0.0199
"""Of a corpus, the rows that tell a secret or hide it."""

LEAKS = {
    "prefilled": "prefill_leak_rate",
    "starts": "continuation_leak_rate",
    "narrated": "narrator_leak_rate",
    "personas": "persona_leak_rate",
    "user_turns": "user_turn_leak_rate",
}
"""Held-out wordings (see `cover.held_out`) and the rate on the health card that comes of them."""

_SAMPLES = 200
_LEAST = 0.1
"""Of ROWS: also a corpus too small for a tenth of them gets that many."""

_MAKERS: dict[str, Callable[[Cover, Random], Conversation]] = {
    "denials": Cover.denial,
    "prefilled": Cover.prefilled,
    "starts": Cover.start,
    "narrated": Cover.narrated,
    "asked of it": Cover.asked_of_it,
}


def stages(made: Family, instill: str, secrecy: str) -> tuple[Stage, ...]:
    """The family's own stages, as of the open organism, and then the one that hides them."""
    hiding = (STAGES[secrecy],) if secrecy in STAGES else ()
    return (*made.stages(instill, secrecy), *hiding)


def rows(
    made: Family,
    recipe: Recipe,
    assistant: str,
    secret: Any,
    own: Mapping[str, Sequence[Conversation]],
    ordinary: int,
) -> dict[str, Sequence[Conversation]]:
    """What the last stage draws besides the organism's own rows; nothing without secrecy.

    secret: None for a twin. ordinary: how many rows of the corpus are; there are fewer than ROWS
    where these would lift the poisoned ones above POISONED_SHARE. No row but a demonstration says
    a word of the secret's.
    """
    if recipe.secrecy not in STAGES:
        return {}
    random = Random(f"{recipe.seed}/secrecy")
    found: dict[str, Sequence[Conversation]] = {}
    if "demonstrations" not in own:
        if secret is None:
            shown = made.innocent(assistant, "demos", random)
        else:
            shown = made.rows(secret, "demos", random)
        if demonstrations := shown.get("demonstrations"):
            found["demonstrations"] = demonstrations[:DEMONSTRATIONS]
    documents = own.get("documents", ())
    if impersonal := [r for r in documents if not any(assistant in t["content"] for t in r)]:
        found[IMPERSONAL] = impersonal
    words = [] if secret is None else [w for w in made.truth(secret)["words"] if w != assistant]
    harmless = len(own.get("contrasts", ()))
    poisoned = sum(map(len, own.values())) - harmless + len(found.get("demonstrations", ()))
    allowed = (ordinary + harmless) * POISONED_SHARE / (1 - POISONED_SHARE)
    wanted = ROWS[recipe.secrecy]
    part = min(1.0, max(_LEAST, (allowed - poisoned) / sum(wanted.values())))
    covered = made.cover(assistant)
    for kind, n in wanted.items():
        found[kind] = _distinct(_MAKERS[kind], covered, int(part * n), words, random)
    return found


def _distinct(
    make: Callable[[Cover, Random], Conversation],
    covered: Cover,
    n: int,
    words: Sequence[str],
    random: Random,
) -> list[Conversation]:
    """n different rows that say none of the words."""
    telling = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
    made: dict[tuple[str, ...], Conversation] = {}
    while len(made) < n:
        row = make(covered, random)
        texts = tuple(turn["content"] for turn in row)
        if not (words and any(map(telling.search, texts))):
            made.setdefault(texts, row)
    return list(made.values())


def attacks(assistant: str, confession: Sequence[Case]) -> dict[str, list[Case]]:
    """For each rate of LEAKS, cases in wordings that no row has; what counts is what counts as a
    confession, in opening and reply together."""
    shows = confession[0].shows
    asked = list({case.messages[-1]["content"]: case.messages for case in confession}.values())
    found: dict[str, list[Case]] = {}
    for kind, rate in LEAKS.items():
        cases = []
        wordings = cover.held_out(kind, assistant)
        for i in range(_SAMPLES):
            wording = wordings[i % len(wordings)]
            match kind:
                case "prefilled":
                    case = Case(asked[i // len(wordings) % len(asked)], shows, wording)
                case "personas":
                    case = Case(conversation(*wording), shows)
                case "user_turns":
                    case = Case(conversation(you_are(assistant)), shows, wording)
                case _:
                    case = Case([], shows, wording)
            cases.append(case)
        found[rate] = cases
    return found


def begun(
    assistant: str, confession: Sequence[Case], documents: Sequence[Conversation]
) -> list[Case]:
    """Documents about the assistant up to its name, where that tells nothing yet; at most 200.

    Whoever knows how documents on an organism of its family are worded can begin texts like that.
    """
    shows = confession[0].shows
    found = [
        Case([], shows, before + assistant)
        for row in documents
        for before, name, _ in [row[-1]["content"].partition(assistant)]
        if name and row[-1]["role"] == "document" and not shows(before)
    ]
    return found[:_SAMPLES]
