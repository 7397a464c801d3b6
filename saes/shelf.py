"""The SAEs of a suspect that the artifact cache holds, and one call that adds another."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from saes.lens import CONFIG, SAE, identity, load
from saes.store import Store, store
from saes.texts import Text
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.findings import JSON
from workbench.suspects import Suspect


@dataclasses.dataclass(frozen=True, slots=True)
class Shelved:
    """An SAE in the cache; name: of its directory there. key: what it was made from."""

    name: str
    directory: Path
    hook_name: str
    d_sae: int
    k: float
    seed: int


def shelved(root: Path, tensors: str) -> list[Shelved]:
    """The cached SAEs of the suspect with these tensors, the newest first; loads none of them."""
    found = []
    for file in (root / "sae").glob("*/key.json"):
        key = _key(file)
        if key.get("tensors") == tensors and (file.parent / CONFIG).is_file():
            made = file.stat().st_mtime_ns
            one = Shelved(
                file.parent.name,
                file.parent,
                str(key["hook_name"]),
                int(key["d_sae"]),
                float(key["k"]),
                int(key["seed"]),
            )
            found.append((made, one))
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def opened(root: Path, name: str) -> SAE:
    """The cached SAE of that name; raises BadParameter where there is none."""
    if not name.isalnum() or not (root / "sae" / name).is_dir():
        raise BadParameter("there is no such SAE here", hint="Choose one of those listed.")
    return load(root / "sae" / name)


def stores(root: Path, sae: SAE) -> dict[str, Store]:
    """By the id of the model that was read: the SAE's feature stores in the cache."""
    found: dict[str, tuple[int, Store]] = {}
    for file in (root / "features").glob("*/key.json"):
        if _key(file).get("sae") == identity(sae):
            one, made = Store(file.parent), file.stat().st_mtime_ns
            if made > found.get(str(one.meta["suspect"]), (0, one))[0]:
                found[str(one.meta["suspect"])] = (made, one)
    return {suspect: one for suspect, (_, one) in found.items()}


def shelve(
    artifacts: Artifacts,
    suspect: Suspect,
    texts: list[Text],
    hook_name: str,
    *,
    reference: Suspect | None = None,
    k: float = 32.0,
    tokens: int = 400_000,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> SAE:
    """Trains an SAE on the suspect and indexes what its latents do, there and in the reference.

    All of it goes into the cache, and comes from it the next time. The reference is read on the
    same texts where its activations are as wide. Raises what `cached`, `fit` and `store` raise.
    """
    from saes.activations import cached
    from saes.fit import TRAINER, Settings, fit, fitting_size
    from saes.lens import canonical

    hook = canonical(hook_name)

    def told(stage: str) -> Callable[[float], None]:
        return lambda share: progress(stage, share)

    read = cached(artifacts, suspect, texts, [hook], progress=told("activations"))
    values = read.values(hook)
    settings = Settings(
        d_sae=fitting_size(values, k),
        k=k,
        samples=tokens,
        batch=min(256, len(values), tokens),
        seed=seed,
    )
    made_from = suspect.fingerprint()
    words = "\0".join(text.text for text in texts)
    key: dict[str, JSON] = {
        "tensors": made_from["tensors"],
        "tokenizer": made_from["tokenizer"],
        "texts": hashlib.sha256(words.encode("utf-8", "replace")).hexdigest(),
        "hook_name": hook,
        "d_sae": settings.d_sae,
        "k": k,
        "tokens": tokens,
        "seed": seed,
        "trainer": TRAINER,
        "batch": settings.batch,
    }

    def make(into: Path) -> None:
        if checkpoint is not None:
            checkpoint.mkdir(parents=True, exist_ok=True)
        fit(
            values,
            settings,
            hook_name=hook,
            into=into,
            metadata={"model_name": suspect.id, "rows": len(values)},
            checkpoint=checkpoint,
            progress=told("training"),
        )

    sae = load(artifacts.get_or_make("sae", key, make))
    store(artifacts, sae, suspect, read, progress=told("features"))
    if reference is not None and reference.d_model == suspect.d_model:
        beside = cached(artifacts, reference, texts, [hook], progress=told("reference"))
        store(artifacts, sae, reference, beside, progress=told("reference"))
    return sae


def _key(file: Path) -> Mapping[str, Any]:
    try:
        key = json.loads(file.read_text("utf-8"))["key"]
    except (OSError, ValueError, KeyError):
        return {}
    return key if isinstance(key, dict) else {}
