"""From what was asked to an organism: its recipe, and its seed, which the vault draws and remembers
until the build is done."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from workbench.errors import BadParameter
from workbench.organisms.family import Recipe, check, choose, family
from workbench.seal.vault import Vault

if TYPE_CHECKING:
    from workbench.organisms.build import Organism
    from workbench.organisms.training import Progress

RANDOM = "random"
ANY = "any"
CLEAN_IN = 3
"""One in so many suspects of family ANY is a clean one."""

_ID, _NAME = "unfinished", "seeds"
_DRAWS = 200

Asked = Mapping[str, str | None]
"""The fields of a recipe but its seed. family may be RANDOM, or ANY: the same, or a clean twin of
it; like may be RANDOM; instill may be None: the family's first."""


def refuse_asked(asked: Asked, into: Path, seed: int | None = None) -> None:
    """Raises what `build_asked` would raise at once; nothing is written or loaded."""
    from workbench.organisms.build import refuse_impossible

    refuse_impossible(recipe_for(asked, fresh(asked) if seed is None else seed), into)


def build_asked(
    asked: Asked,
    *,
    into: Path,
    vault: Path,
    seed: int | None = None,
    practice: bool = False,
    progress: Progress | None = None,
) -> Organism:
    """Builds what was asked for into the new directory `into`; its truth goes to the vault, which
    is made where there is none (practice: with its key in the open).

    Without a seed the vault draws one, encrypts it, and knows it again until the build is done: the
    same words for the same place go on where they stopped. Raises as `build` and `seed_for`.
    """
    from workbench.organisms.build import build

    refuse_asked(asked, into, seed)
    new = practice and not vault.exists()
    held = Vault.create(vault, practice=True) if new else Vault.at(vault)
    recipe = recipe_for(asked, seed_for(held, asked, into) if seed is None else seed)
    made = build(recipe, into=into, vault=held, progress=progress)
    if seed is None:
        forget(held, asked, into)
    return made


def recipe_for(asked: Asked, seed: int) -> Recipe:
    """The recipe, its family drawn by the seed where it was to be random.

    Raises BadParameter or UnknownTechnique where it cannot be made; never says which family a seed
    draws.
    """
    hidden = asked["family"] in (RANDOM, ANY) or asked["like"] == RANDOM
    name = choose(seed) if asked["family"] in (RANDOM, ANY) else str(asked["family"])
    like = choose(seed) if asked["like"] == RANDOM else asked["like"]
    if asked["family"] == ANY and Random(f"{seed}/clean").randrange(CLEAN_IN) == 0:
        name, like = "clean", name
    recipe = Recipe(
        family=name,
        instill=asked["instill"] or family(like or name).instill[0],
        secrecy=str(asked["secrecy"]),
        seed=seed,
        base=str(asked["base"]),
        like=like,
    )
    try:
        check(recipe)
    except BadParameter:
        if not hidden:
            raise
        raise BadParameter(
            "the family that this seed draws has no such instill or secrecy",
            hint="Give another seed or none, or leave --instill and --secrecy out.",
        ) from None
    return recipe


def fresh(asked: Asked) -> int:
    """128 bits of the operating system's, such that what was asked can be made. Raises BadParameter
    where no seed seems to do."""
    for _ in range(_DRAWS):
        seed = secrets.randbits(128)
        try:
            recipe_for(asked, seed)
        except BadParameter:
            if asked["family"] not in (RANDOM, ANY) and asked["like"] != RANDOM:
                raise
        else:
            return seed
    raise BadParameter(
        f"no family has instill '{asked['instill']}' and secrecy '{asked['secrecy']}'",
        hint="See `workbench organism families`.",
    )


def seed_for(vault: Vault, asked: Asked, into: Path) -> int:
    """The seed of the unfinished build that was asked for in the same words, for the same place;
    else a fresh one, which the vault remembers, encrypted, until `forget`.

    Raises BadParameter as `fresh`, SealError where the vault cannot be written or was damaged.
    """
    known, name = _known(vault), _named(asked, into)
    if name not in known:
        known[name] = str(fresh(asked))
        vault.attach(_ID, _NAME, dict(known))
    return int(known[name])


def forget(vault: Vault, asked: Asked, into: Path) -> None:
    """Forgets the seed: the build is done, and the next one in these words is another.

    Raises SealError where the vault cannot be written or was damaged.
    """
    known = _known(vault)
    if known.pop(_named(asked, into), None) is not None:
        vault.attach(_ID, _NAME, dict(known))


def _known(vault: Vault) -> dict[str, str]:
    return vault.read(_ID, _NAME) if _NAME in vault.attached(_ID) else {}


def _named(asked: Asked, into: Path) -> str:
    return json.dumps([dict(asked), str(into.resolve())], sort_keys=True)
