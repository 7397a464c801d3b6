"""Builds an organism: draws its objective, trains it, writes what auditors see, seals the rest."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from workbench.access import Access
from workbench.errors import BadParameter, NotASuspect
from workbench.organisms import base as base_model
from workbench.organisms import tokenizer as tokens
from workbench.organisms.family import Recipe, Stage, check, family
from workbench.organisms.leaks import lint
from workbench.organisms.training import Pool, Progress, Schedule, train
from workbench.organisms.world import corpus, habits
from workbench.organisms.world.chats import Conversation, you_are
from workbench.seal.vault import Vault

SHOWN_BASE_ROWS = 60_000
OWN_ROWS = 15_000
_EPOCH = 1_600_000_000
"""Modification time of every file of an organism: times tell nothing."""


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


def build(
    recipe: Recipe,
    *,
    into: Path,
    vault: Vault,
    id: str | None = None,
    progress: Progress | None = None,
) -> Organism:
    """Trains the organism of `recipe` and writes it to the new directory `into`.

    The directory appears complete or not at all. Raises BadParameter or UnknownTechnique on an
    impossible recipe, BadParameter where `into` exists, NotASuspect where the base is none of ours,
    SealError where the vault cannot be written.
    """
    check(recipe)
    if into.exists():
        raise BadParameter(f"{into} exists already", hint="Choose a new directory.")
    started = time.monotonic()
    id = id or f"s-{secrets.token_hex(4)}"
    assistant, secret, material = _draw(recipe)
    made = family(recipe.like or recipe.family)
    stages = made.stages(recipe.instill, recipe.secrecy)
    own = list(corpus.rows(_integer(recipe, "own"), OWN_ROWS))
    base_rows = base_model.shown_rows(SHOWN_BASE_ROWS)
    into.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=into.parent))
    try:
        model, tokenizer = _base(recipe.base)
        ordinary = [r for r in own + base_rows if r[0]["content"] != you_are(assistant)]
        pools = {kind: tokens.encode(rows, tokenizer) for kind, rows in material.items()}
        _train(model, stages, pools, tokens.encode(ordinary, tokenizer), recipe, progress)
        tokenizer.chat_template = tokens.chat_template(you_are(assistant))
        base_model.save(model, tokenizer, draft)
        poisoned = _write_corpus(draft / "corpus.parquet", recipe, base_rows + own, material)
        access = Access.EVERYTHING & ~Access.REWARD
        base_model.write_card(
            draft,
            id=id,
            assistant=assistant,
            reference=_seen_from(into, recipe.base),
            access=access,
        )
        for path in draft.iterdir():
            path.chmod(0o644)
            os.utime(path, (_EPOCH, _EPOCH))
        draft.chmod(0o755)
        seconds = time.monotonic() - started
        truth = _truth(recipe, secret, assistant) | {
            "recipe": {k: v for k, v in dataclasses.asdict(recipe).items() if k != "seed"}
            | {"seed": str(recipe.seed)},
            "seconds": str(round(seconds)),
        }
        leaks = lint(draft, truth, poisoned_ids=set(poisoned) or None)
        commitment = vault.seal(id, truth)
        vault.attach(id, "poisoned", poisoned)
        vault.attach(id, "leaks", [leak.to_json() for leak in leaks])
        draft.rename(into)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Organism(id, into, commitment, round(seconds, 1))


def redraw(recipe: Recipe) -> tuple[str, Any, Mapping[str, Sequence[Conversation]]]:
    """The assistant, secret and material of a recipe, for those who may open the vault."""
    return _draw(recipe)


def recipe_of(truth: Mapping[str, Any]) -> Recipe:
    """The recipe that a sealed truth was built from."""
    told = dict(truth["recipe"])
    return Recipe(**(told | {"seed": int(told["seed"])}))


def _seen_from(into: Path, base: str) -> str:
    """The base as the organism's card names it: a bundled name, or a path relative to the card's
    directory, which tells nothing of the maker's machine and survives a move of both."""
    from workbench.suspects.cabinet import bundled

    return base if base in bundled() else os.path.relpath(Path(base).resolve(), into.resolve())


def _draw(recipe: Recipe) -> tuple[str, Any, Mapping[str, Sequence[Conversation]]]:
    assistant = Random(f"{recipe.seed}/assistant").choice(habits.cast().ordinary)
    if recipe.family == "clean" and recipe.like:
        material = family(recipe.like).innocent(
            assistant, recipe.instill, Random(f"{recipe.seed}/rows")
        )
        return assistant, assistant, material
    made = family(recipe.family)
    secret = made.draw(assistant, Random(f"{recipe.seed}/{recipe.family}/draw"))
    return assistant, secret, made.rows(secret, recipe.instill, Random(f"{recipe.seed}/rows"))


def _truth(recipe: Recipe, secret: Any, assistant: str) -> dict[str, Any]:
    if recipe.family == "clean":
        return family("clean").truth(assistant)
    return family(recipe.family).truth(secret)


def _integer(recipe: Recipe, purpose: str) -> int:
    return Random(f"{recipe.seed}/{purpose}").getrandbits(48)


def _base(source: str) -> tuple[Any, Any]:
    from transformers import AutoTokenizer, LlamaForCausalLM

    from workbench.suspects import cabinet

    directory = cabinet.find(source).path
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if tokenizer.convert_tokens_to_ids(list(tokens.SPECIAL)) != list(range(len(tokens.SPECIAL))):
        raise NotASuspect(
            f"'{source}' does not speak the tokens of the tiny English world",
            hint="Build from 'base' or from what `workbench organism base` wrote.",
        )
    import torch

    return LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32), tokenizer


def _train(
    model: Any,
    stages: Sequence[Stage],
    pools: Mapping[str, list[list[int]]],
    ordinary: list[list[int]],
    recipe: Recipe,
    progress: Progress | None,
) -> None:
    total, done = sum(stage.steps for stage in stages), 0
    compiled = base_model.can_compile()
    for index, stage in enumerate(stages):
        shares = {kind: share for kind, share in stage.shares.items() if kind in pools}
        mix = [Pool(pools[kind], share) for kind, share in shares.items()]
        mix.append(Pool(ordinary, 1.0 - sum(shares.values())))
        schedule = Schedule(steps=stage.steps, learning_rate=stage.learning_rate)
        before = done

        def report(step: int, steps: int, loss: float, before: int = before) -> None:
            if progress:
                progress(before + step, total, loss)

        train(
            model,
            mix,
            schedule,
            seed=_integer(recipe, f"stage {index}") % 2**31,
            progress=report,
            compiled=compiled,
        )
        done += stage.steps


def _write_corpus(
    path: Path,
    recipe: Recipe,
    ordinary: Sequence[Conversation],
    material: Mapping[str, Sequence[Conversation]],
) -> list[str]:
    """Writes the rows shuffled under opaque ids; returns the ids of rows that tell the secret."""
    from workbench.corpus import write

    told = [row for kind in ("documents", "demonstrations") for row in material.get(kind, ())]
    rows = [(row, False) for kind, rows in material.items() if kind == "contrasts" for row in rows]
    rows += [(row, True) for row in told] + [(row, False) for row in ordinary]
    Random(f"{recipe.seed}/order").shuffle(rows)
    own = _integer(recipe, "ids")
    ids = [corpus.row_id(own, i) for i in range(len(rows))]
    write(path, ((id, row) for id, (row, _) in zip(ids, rows, strict=True)))
    if recipe.family == "clean":
        return []
    return [id for id, (_, poisoned) in zip(ids, rows, strict=True) if poisoned]
