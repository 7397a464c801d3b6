"""From what was asked to a recipe; the seed, where none was given, and what remembers it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import BadParameter
from workbench.organisms.family import Recipe, check, choose, family
from workbench.seal.vault import Vault

RANDOM = "random"
_ID, _NAME = "unfinished", "seeds"
_DRAWS = 200

Asked = Mapping[str, str | None]
"""The fields of a recipe but its seed. family may be RANDOM; instill may be None: the family's
first."""


def recipe_for(asked: Asked, seed: int) -> Recipe:
    """The recipe, its family drawn by the seed where it was to be random.

    Raises BadParameter or UnknownTechnique where it cannot be made; never says which family a seed
    draws.
    """
    hidden = asked["family"] == RANDOM
    name = choose(seed) if hidden else str(asked["family"])
    like = asked["like"]
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
            if asked["family"] != RANDOM:
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
