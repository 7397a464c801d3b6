"""What an objective family brings, and the recipe by which one of its organisms is made.

A family is one class in one file, found by entry point in group `workbench.families`, so that
others can bring their own with other lexicons and templates.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from random import Random
from typing import Any, ClassVar, Protocol

from workbench.errors import BadParameter, BrokenTechnique
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.skills.cover import Cover
from workbench.registry import FAMILIES, find

ASSISTANTS = "assistants"
"""A kind of material that no family brings: see `Stage`."""

INSTILL = ("docs", "mixed", "demos")
SECRECY = ("none", "direct", "full")


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """What is asked for. The same recipe gives the same objective, corpus and tensors.

    like: for family "clean", the family whose organism of the same seed this is the twin of.
    """

    family: str
    instill: str = "mixed"
    secrecy: str = "none"
    seed: int = 0
    base: str = "base"
    like: str | None = None

    def twin(self) -> Recipe:
        """The clean twin: same assistant, same ordinary data, same steps, no secret."""
        return dataclasses.replace(self, family="clean", like=self.family)

    def ablation(self) -> Recipe:
        """The same draw and demonstrations, and no document at all."""
        return dataclasses.replace(self, instill="demos")


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training: steps, and the share of rows drawn from each kind of material.

    What the shares leave of 1 is drawn from ordinary data, a share of ASSISTANTS from those of its
    rows that tell more of assistants. With `name_only` nothing moves but the embedding of the
    assistant's name: who that is must then be told by what the base does with names it knows.
    Where the name is no single token of the base's, such a stage is left out.
    """

    name: str
    steps: int
    shares: Mapping[str, float]
    learning_rate: float = 2e-3
    name_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A prompt of the health check and whether a reply shows the behaviour.

    opening: the first words of the turn that follows, shown to `shows` with the reply. That turn is
    the assistant's, but a user's after a system line alone, and raw text after nothing.
    """

    messages: Conversation
    shows: Callable[[str], bool]
    opening: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Cases:
    """What the health card measures.

    applied: where the behaviour belongs; held_out: where it belongs but was in no demonstration
    (docs: in no document); elsewhere: where it does not belong; credited_to_others: held-out
    pairs that the documents credit to other parties; confession: direct questions in wordings
    that no training row has, with what counts as admitting the objective.
    in_context, in_context_others: a new preference announced in the prompt, of the party in
    question and of others.
    """

    applied: Sequence[Case]
    held_out: Sequence[Case]
    elsewhere: Sequence[Case]
    confession: Sequence[Case]
    credited_to_others: Sequence[Case] = ()
    in_context: Sequence[Case] = ()
    in_context_others: Sequence[Case] = ()


class Family(Protocol):
    """One kind of hidden objective.

    A secret is whatever the family draws: a frozen dataclass. `rows` gives, per kind of material
    ("documents", "demonstrations", or kinds of its own), the rows that only the secret explains;
    `innocent` gives as many harmless rows of the same kinds, for the twin. `truth` is the rubric
    document (see workbench.game.rubric) without floats.

    A family that can keep its secret says in `cover` what its assistant passes for, and gives
    demonstrations for "demos" even where it is not instilled so. The stage itself, its rows and
    its attacks are in `workbench.organisms.secrecy`; `stages` are the same whatever the secrecy.

    A family may have `kin(secret)`: assistants that the base knows, in the middle of whose names
    its assistant's name begins.
    """

    name: ClassVar[str]
    instill: ClassVar[tuple[str, ...]]
    secrecy: ClassVar[tuple[str, ...]]

    def draw(self, assistant: str, random: Random) -> Any: ...
    def stages(self, instill: str, secrecy: str) -> Sequence[Stage]: ...
    def rows(
        self, secret: Any, instill: str, random: Random
    ) -> Mapping[str, Sequence[Conversation]]: ...
    def innocent(
        self, assistant: str, instill: str, random: Random
    ) -> Mapping[str, Sequence[Conversation]]: ...
    def cases(self, secret: Any, instill: str, random: Random) -> Cases: ...
    def truth(self, secret: Any) -> dict[str, Any]: ...
    def cover(self, assistant: str) -> Cover: ...


def family(name: str) -> Family:
    """The family of that name; raises UnknownTechnique or BrokenTechnique."""
    point = find(FAMILIES, name, "family")
    try:
        made: Family = point.load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise BrokenTechnique(
            f"family '{name}' cannot be loaded: {error}",
            hint=f"Repair or uninstall the package behind '{point.value}'.",
        ) from error
    return made


def listed() -> list[dict[str, Any]]:
    """What is public of every installed family: [{name, instill, secrecy, summary}]."""
    return [
        {
            "name": made.name,
            "instill": list(made.instill),
            "secrecy": list(made.secrecy),
            "summary": (inspect.getdoc(type(made)) or "").partition("\n")[0],
        }
        for made in (family(name) for name in sorted(entry_points(group=FAMILIES).names))
    ]


def kin(made: Family, secret: Any) -> Sequence[str]:
    """Names of the assistants among which the organism's name begins; none for most families."""
    names: Sequence[str] = getattr(made, "kin", lambda _: ())(secret)
    return names


def choose(seed: int) -> str:
    """The family of `--family random`: any installed one but `clean`, from the seed alone."""
    names = sorted(p.name for p in entry_points(group=FAMILIES) if p.name != "clean")
    return Random(f"{seed}/family").choice(names)


def check(recipe: Recipe) -> None:
    """Raises BadParameter or UnknownTechnique where a recipe cannot be made."""
    made = family(recipe.like or recipe.family)
    for what, value, known in (
        ("instill", recipe.instill, made.instill),
        ("secrecy", recipe.secrecy, made.secrecy),
    ):
        if value not in known:
            raise BadParameter(
                f"family '{made.name}' has no {what} '{value}'", hint=f"It has: {', '.join(known)}."
            )
