"""SAEs and what their latents do, read in a process that keeps the suspect and the SAE open."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from saes import search as find
from saes.lens import SAE
from saes.shelf import opened, shelved, stores
from saes.store import Store
from workbench.config import artifacts_root
from workbench.errors import BadParameter
from workbench.suspects import Suspect

TEXTS_AT_LEAST = 20


def shelf(suspect: str) -> dict[str, Any]:
    """The suspect's SAEs in the cache that have a feature store, and the hooks to train others."""
    held = _suspect(suspect)
    root = artifacts_root()
    listed = shelved(root, str(held.fingerprint()["tensors"]))
    return {
        "saes": [
            {"name": s.name, "hook_name": s.hook_name, "d_sae": s.d_sae, "k": s.k, "seed": s.seed}
            for s in listed
            if held.id in stores(root, _sae(s.name))
        ],
        "hooks": [held.residual_hook(layer) for layer in range(held.n_layers)],
    }


def search(suspect: str, sae: str, how: str, one: str, two: str, most: int) -> list[dict[str, Any]]:
    """Latents by "text", "token", "words", or by "contrast" of lines in `one` and `two`."""
    held, (store, _) = _sae(sae), _stores(suspect, sae)
    if not one.strip():
        raise BadParameter("nothing to search for", hint="Give a text.")
    if how == "text":
        found = find.by_prompt(store, held, _suspect(suspect), one, most=most)
    elif how == "token":
        found = find.by_token(store, one, most=most)
    elif how == "contrast":
        sides = [[line for line in part.splitlines() if line.strip()] for part in (one, two)]
        found = find.by_contrast(store, held, _suspect(suspect), *sides, most=most)
    else:
        found = find.by_meaning(store, one, most=most)
    return [dataclasses.asdict(latent) for latent in found]


def latent(suspect: str, sae: str, index: int, most: int) -> dict[str, Any]:
    """A latent: its row, top and quantile examples, and the same row in the reference."""
    store, other = _stores(suspect, sae)
    return {
        "row": _plain(store.row(index)),
        "reference": None if other is None else _plain(other.row(index)),
        "tokens": store.tokens,
        "examples": [dataclasses.asdict(e) for e in store.examples(index, most=most)],
        "bands": [[dataclasses.asdict(e) for e in band] for band in store.bands(index, each=2)],
        "hook_name": store.meta["hook_name"],
        "d_sae": store.d_sae,
    }


def liveliest(suspect: str, sae: str, most: int) -> list[dict[str, Any]]:
    """Latents of some texts whose labels tell best when they fire: a place to begin."""
    store, _ = _stores(suspect, sae)
    columns = ["latent", "label", "label_score", "density", "texts"]
    rows = store.latents.select(columns).to_pylist()
    rows = [row for row in rows if row["texts"] >= TEXTS_AT_LEAST]
    rows.sort(key=lambda row: (-(row["label_score"] or 0.0), row["latent"]))
    return [dict(_plain(row)) for row in rows[:most]]


@lru_cache(maxsize=4)
def _suspect(source: str) -> Suspect:
    return Suspect.load(source, token=os.environ.get("WORKBENCH_TOKEN", ""))


@lru_cache(maxsize=16)
def _sae(name: str) -> SAE:
    return opened(artifacts_root(), name)


@lru_cache(maxsize=16)
def _stores(suspect: str, sae: str) -> tuple[Store, Store | None]:
    held = _suspect(suspect)
    found = stores(artifacts_root(), _sae(sae))
    if held.id not in found:
        raise BadParameter(
            "this SAE was not indexed on this suspect", hint="Train one for it on this page."
        )
    others = [store for id, store in found.items() if id != held.id]
    return found[held.id], others[0] if others else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return value


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "shelf": shelf,
    "search": search,
    "latent": latent,
    "liveliest": liveliest,
}
