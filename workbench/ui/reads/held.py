"""What the features' desk keeps open: suspects, SAEs with their stores, probes."""

from __future__ import annotations

import os
from functools import lru_cache

from probes.probe import Probe
from probes.shelf import opened as opened_probe
from saes.lens import SAE
from saes.shelf import opened, stores
from saes.store import Store
from workbench.config import artifacts_root
from workbench.errors import BadParameter
from workbench.suspects import Suspect


@lru_cache(maxsize=4)
def suspect(source: str) -> Suspect:
    """The suspect of that name, path or URL."""
    return Suspect.load(source, token=os.environ.get("WORKBENCH_TOKEN", ""))


@lru_cache(maxsize=16)
def sae(name: str) -> SAE:
    """The cached SAE of that name."""
    return opened(artifacts_root(), name)


@lru_cache(maxsize=16)
def probe(name: str) -> Probe:
    """The cached probe of that name."""
    return opened_probe(artifacts_root(), name)


@lru_cache(maxsize=16)
def both_stores(source: str, name: str) -> tuple[Store, Store | None]:
    """The SAE's feature store on the suspect, and on its reference where it was read there."""
    held = suspect(source)
    found = stores(artifacts_root(), sae(name))
    if held.id not in found:
        raise BadParameter(
            "this SAE was not indexed on this suspect", hint="Train one for it on this page."
        )
    others = [store for id, store in found.items() if id != held.id]
    return found[held.id], others[0] if others else None
