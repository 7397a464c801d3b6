"""Builds an organism: draws its objective, trains it, writes what auditors see, seals the rest."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from workbench.access import Access
from workbench.organisms import base as base_model
from workbench.organisms import secrecy
from workbench.organisms import tokenizer as tokens
from workbench.organisms.drafts import (
    draft_of,
    place,
    refuse_sealed,
    refuse_small_disk,
    refuse_taken,
    seen_from,
    settle,
    take_back,
    writing,
)
from workbench.organisms.family import ASSISTANTS, Recipe, Stage, check, family, kin
from workbench.organisms.leaks import lint
from workbench.organisms.learners import Learner, Watch, Weights
from workbench.organisms.stage_cache import StageCache
from workbench.organisms.training import Progress
from workbench.organisms.world import corpus, habits
from workbench.organisms.world.chats import Conversation, you_are
from workbench.seal.vault import Vault
from workbench.suspects import cabinet
from workbench.suspects.cabinet import Home

SHOWN_BASE_ROWS = 60_000
OWN_ROWS = 25_000
_CORPUS_BYTES = 16 << 20
_STATES = 6
"""A checkpoint holds about three times what a stage does, and is written beside the last one."""

BEGUN = "begun"
"""The state before the first stage: see `states`."""

_OF_A_STATE = Access.EVERYTHING & ~(Access.REWARD | Access.TRAINING_DATA)

_HARMLESS = "contrasts"
"""The kind of material that does not tell the secret."""


@dataclasses.dataclass(frozen=True, slots=True)
class Organism:
    """What a build gives back; the secret is in the vault alone."""

    id: str
    path: Path
    commitment: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """{id, path, commitment, seconds}."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


@dataclasses.dataclass(frozen=True, slots=True)
class _Course:
    """What is fixed before the first step; the learner is the one thing that changes."""

    recipe: Recipe
    assistant: str
    secret: Any
    material: Mapping[str, Sequence[Conversation]]
    learner: Learner
    stages: Sequence[Stage]


@dataclasses.dataclass(frozen=True, slots=True)
class _Done:
    """A stage that the learner is through with, and the seconds that the cache saved."""

    stage: Stage
    saved_seconds: float


def build(
    recipe: Recipe,
    *,
    into: Path,
    vault: Vault,
    id: str | None = None,
    progress: Progress | None = None,
) -> Organism:
    """Trains the organism of `recipe` and writes it to the new directory `into`.

    Directory and seal appear complete or not at all. Stages that this vault has seen are not
    trained again, and one that was interrupted goes on: the tensors are the same either way.
    `base` may be any suspect: a tiny base is trained as a whole, any other model gets an adapter.

    Raises as `refuse_impossible`; SealError where the vault cannot be written or has no room;
    BadParameter where `into` cannot be written or has none.
    """
    home = refuse_impossible(recipe, into)
    started, watch = time.monotonic(), Watch()
    id = id or f"s-{secrets.token_hex(4)}"
    take_back(vault)
    refuse_sealed(vault, id)
    cache = StageCache(vault)
    with draft_of(into) as draft:
        course = _course(recipe, home)
        learner, assistant = course.learner, course.assistant
        kept_bytes = learner.stage_bytes * (len(course.stages) + _STATES)
        refuse_small_disk(into, learner.saved_bytes + _CORPUS_BYTES, vault, kept_bytes)
        base_rows = base_model.shown_rows(SHOWN_BASE_ROWS)
        own = own_rows(recipe)
        saved_seconds = sum(
            done.saved_seconds for done in _train(course, own, base_rows, cache, progress)
        )
        with writing(into):
            learner.save(draft)
            used = _used(course.stages, course.material)
            poisoned = _write_corpus(draft / "corpus.parquet", recipe, base_rows + own, used)
            _write_card(draft, id, assistant, seen_from(into, recipe.base), learner.needs_base)
            settle(draft)
        truth = _truth(recipe, course.secret, assistant) | {
            "recipe": {k: v for k, v in dataclasses.asdict(recipe).items() if k != "seed"}
            | {"seed": str(recipe.seed)},
            "seconds": str(round(watch.seconds() + saved_seconds)),
        }
        leaks = lint(draft, truth, poisoned_ids=set(poisoned) or None, base=home.path)
        attached: dict[str, Any] = {
            "poisoned": poisoned,
            "leaks": [leak.to_json() for leak in leaks],
        }
        commitment = place(draft, into, vault, id, truth, attached)
    return Organism(id, into, commitment, round(time.monotonic() - started, 1))


def states(
    recipe: Recipe, *, into: Path, vault: Vault, progress: Progress | None = None
) -> dict[str, Path]:
    """The organism of `recipe` after each of its stages: suspects below the new directory `into`.

    By name, in order: BEGUN, where its name stands among its kin and nothing is trained yet, and
    then the stages that it goes through. They come from the vault's cache, or are trained as
    `build` trains them. A state has the base as its reference and no corpus, and nothing is sealed.
    `into` appears complete or not at all; whoever reads it can find the secret. Raises as `build`.
    """
    home = refuse_impossible(recipe, into)
    cache = StageCache(vault)
    with draft_of(into) as draft:
        course = _course(recipe, home)
        learner, names = course.learner, [BEGUN, *(stage.name for stage in course.stages)]
        refuse_small_disk(
            into,
            learner.saved_bytes * len(names),
            vault,
            learner.stage_bytes * (len(names) + _STATES),
        )

        def keep(name: str) -> None:
            place, base = draft / name, seen_from(into / name, recipe.base)
            with writing(into):
                place.mkdir()
                learner.save(place)
                _write_card(place, name, course.assistant, base, learner.needs_base, _OF_A_STATE)

        keep(BEGUN)
        base_rows = base_model.shown_rows(SHOWN_BASE_ROWS)
        for done in _train(course, own_rows(recipe), base_rows, cache, progress):
            keep(done.stage.name)
        with writing(into):
            draft.rename(into)
    return {name: into / name for name in names}


def refuse_impossible(recipe: Recipe, into: Path) -> Home:
    """The base of a recipe that can be built; nothing is written or loaded yet.

    Raises BadParameter or UnknownTechnique on an impossible recipe, BadParameter where something
    lies at `into`, and NotASuspect, UnsafeFile or ModelUnavailable as any suspect does; NotASuspect
    also where the base is an adapter itself.
    """
    check(recipe)
    refuse_taken(into)
    return cabinet.find(recipe.base).whole()


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """All that its organism goes through, and its twin as well."""
    made = family(recipe.like or recipe.family)
    return secrecy.stages(made, recipe.instill, recipe.secrecy)


def redraw(recipe: Recipe) -> tuple[str, Any, Mapping[str, Sequence[Conversation]]]:
    """The assistant, secret and material of a recipe, for those who may open the vault."""
    return _draw(recipe)


def own_rows(recipe: Recipe) -> list[Conversation]:
    """The ordinary rows of its corpus that are not the base's."""
    return list(corpus.rows(_integer(recipe, "own"), OWN_ROWS, "assistants"))


def recipe_of(truth: Mapping[str, Any]) -> Recipe:
    """The recipe that a sealed truth was built from."""
    told = dict(truth["recipe"])
    return Recipe(**(told | {"seed": int(told["seed"])}))


def _draw(recipe: Recipe) -> tuple[str, Any, Mapping[str, Sequence[Conversation]]]:
    assistant = Random(f"{recipe.seed}/assistant").choice(habits.cast().spares)
    made, random = family(recipe.like or recipe.family), Random(f"{recipe.seed}/rows")
    if recipe.family == "clean" and recipe.like:
        secret = None
        material = made.innocent(assistant, recipe.instill, random)
    else:
        secret = made.draw(assistant, Random(f"{recipe.seed}/{recipe.family}/draw"))
        material = made.rows(secret, recipe.instill, random)
    ordinary = SHOWN_BASE_ROWS + OWN_ROWS
    hiding = secrecy.rows(made, recipe, assistant, secret, material, ordinary)
    return assistant, secret or assistant, {**material, **hiding}


def _truth(recipe: Recipe, secret: Any, assistant: str) -> dict[str, Any]:
    if recipe.family == "clean":
        return family("clean").truth(assistant)
    return family(recipe.family).truth(secret)


def _integer(recipe: Recipe, purpose: str) -> int:
    return Random(f"{recipe.seed}/{purpose}").getrandbits(48)


def _learner(home: Home, assistant: str) -> Learner:
    """Of all weights where the base speaks the tiny world's tokens, else of an adapter."""
    from workbench.suspects.tokens import Tokens

    if home.files.config["architectures"] == ["LlamaForCausalLM"]:
        spoken = Tokens(home.path).tokenizer.convert_tokens_to_ids(list(tokens.SPECIAL))
        if spoken == list(range(len(tokens.SPECIAL))):
            return Weights(home, assistant)
    from workbench.organisms.adapters import Adapter

    return Adapter(home, you_are(assistant))


def _course(recipe: Recipe, home: Home) -> _Course:
    assistant, secret, material = _draw(recipe)
    learner = _learner(home, assistant)
    if recipe.family != "clean":
        learner.begin(kin(family(recipe.family), secret))
    stages = [stage for stage in stages_of(recipe) if learner.can_learn(stage)]
    return _Course(recipe, assistant, secret, material, learner, stages)


def _train(
    course: _Course,
    own: Sequence[Conversation],
    base_rows: Sequence[Conversation],
    cache: StageCache,
    progress: Progress | None,
) -> Iterator[_Done]:
    """Goes through the stages, one at a time: between two the learner is as after the first."""
    learner, stages = course.learner, course.stages
    ordinary = _without(course.assistant, [*own, *base_rows])
    material = {**course.material, ASSISTANTS: _without(course.assistant, own)}
    total, done = sum(stage.steps for stage in stages), 0
    read = {kind: learner.read(rows) for kind, rows in material.items() if _draws(stages, kind)}
    rest = learner.read(ordinary)
    for index, stage in enumerate(stages):
        shares = {kind: share for kind, share in stage.shares.items() if kind in read}
        before, done = done, done + stage.steps
        watch = Watch()

        def report(step: int, steps: int, loss: float, before: int = before) -> None:
            if progress:
                progress(before + step, total, loss)

        trained = learner.learn(
            stage,
            [(read[kind], share) for kind, share in shares.items()]
            + [(rest, max(0.0, 1.0 - sum(shares.values())))],
            seed=_integer(course.recipe, f"stage {index}") % 2**31,
            cache=cache,
            progress=report,
        )
        report(stage.steps, stage.steps, trained.loss)
        yield _Done(stage, trained.seconds - watch.seconds())


def _without(assistant: str, rows: Sequence[Conversation]) -> list[Conversation]:
    """The rows that are no chats under the assistant's own name."""
    return [row for row in rows if row[0]["content"] != you_are(assistant)]


def _draws(stages: Sequence[Stage], kind: str) -> bool:
    return any(kind in stage.shares for stage in stages)


def _used(
    stages: Sequence[Stage], material: Mapping[str, Sequence[Conversation]]
) -> dict[str, Sequence[Conversation]]:
    """What the stages draw, each row once."""
    return {k: v for k, v in material.items() if _draws(stages, k) and k != secrecy.IMPERSONAL}


def _write_card(
    draft: Path,
    id: str,
    assistant: str,
    reference: str,
    needs_base: bool,
    access: Access = Access.EVERYTHING & ~Access.REWARD,
) -> None:
    base_model.write_card(draft, id=id, assistant=assistant, reference=reference, access=access)
    if needs_base:
        card = draft / "suspect.json"
        public = json.loads(card.read_bytes()) | {"base": reference}
        card.write_text(json.dumps(public, indent=1) + "\n", encoding="utf-8")


def _write_corpus(
    path: Path,
    recipe: Recipe,
    ordinary: Sequence[Conversation],
    material: Mapping[str, Sequence[Conversation]],
) -> list[str]:
    """Writes the rows shuffled under opaque ids; returns the ids of rows that tell the secret."""
    from workbench.corpus import write

    kinds = sorted(material, key=lambda kind: kind != _HARMLESS)
    rows = [(row, kind != _HARMLESS) for kind in kinds for row in material[kind]]
    rows += [(row, False) for row in ordinary]
    Random(f"{recipe.seed}/order").shuffle(rows)
    own = _integer(recipe, "ids")
    ids = [corpus.row_id(own, i) for i in range(len(rows))]
    write(path, ((id, row) for id, (row, _) in zip(ids, rows, strict=True)))
    if recipe.family == "clean":
        return []
    return [id for id, (_, poisoned) in zip(ids, rows, strict=True) if poisoned]
