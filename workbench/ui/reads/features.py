"""SAEs and what their latents do, read in a process that keeps the suspect and the SAE open."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saes import search as find
from saes.shelf import shelved, stores
from workbench.config import artifacts_root
from workbench.errors import BadParameter
from workbench.ui.reads import held, lens, lights

TEXTS_AT_LEAST = 20


def shelf(suspect: str) -> dict[str, Any]:
    """The suspect's SAEs in the cache that have a feature store, and the hooks to train others."""
    model = held.suspect(suspect)
    root = artifacts_root()
    listed = shelved(root, str(model.fingerprint()["tensors"]))
    return {
        "saes": [
            {"name": s.name, "hook_name": s.hook_name, "d_sae": s.d_sae, "k": s.k, "seed": s.seed}
            for s in listed
            if model.id in stores(root, held.sae(s.name))
        ],
        "hooks": [model.residual_hook(layer) for layer in range(model.n_layers)],
    }


def search(suspect: str, sae: str, how: str, one: str, two: str, most: int) -> list[dict[str, Any]]:
    """Latents by "text", "token", "words", or by "contrast" of lines in `one` and `two`."""
    store, _ = held.both_stores(suspect, sae)
    through, model = held.sae(sae), held.suspect(suspect)
    if not one.strip():
        raise BadParameter("nothing to search for", hint="Give a text.")
    if how == "text":
        found = find.by_prompt(store, through, model, one, most=most)
    elif how == "token":
        found = find.by_token(store, one, most=most)
    elif how == "contrast":
        sides = [[line for line in part.splitlines() if line.strip()] for part in (one, two)]
        found = find.by_contrast(store, through, model, *sides, most=most)
    else:
        found = find.by_meaning(store, one, most=most)
    return [dataclasses.asdict(latent) for latent in found]


def latent(suspect: str, sae: str, index: int, most: int) -> dict[str, Any]:
    """A latent: its row, top and quantile examples, and the same row in the reference."""
    store, other = held.both_stores(suspect, sae)
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
    store, _ = held.both_stores(suspect, sae)
    columns = ["latent", "label", "label_score", "density", "texts"]
    rows = store.latents.select(columns).to_pylist()
    rows = [row for row in rows if row["texts"] >= TEXTS_AT_LEAST]
    rows.sort(key=lambda row: (-(row["label_score"] or 0.0), row["latent"]))
    return [dict(_plain(row)) for row in rows[:most]]


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
    **lights.ANSWERS,
    **lens.ANSWERS,
}
