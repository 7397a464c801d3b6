"""An organism in less room: what training changed, in nine levels a weight.

Whether what was taught is still there, `health` measures.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import NotASuspect
from workbench.organisms.drafts import draft_of, refuse_taken, seen_from, settle, writing
from workbench.suspects import cabinet, deltas, loading
from workbench.suspects.cabinet import Home
from workbench.suspects.tensors import parse_json

if TYPE_CHECKING:
    import torch

_ITS_BASES = {"config.json", "generation_config.json", "model.safetensors.index.json"}


@dataclasses.dataclass(frozen=True, slots=True)
class Shrunk:
    """bytes: of the whole directory. kept: the share of the squared change of all matrices."""

    id: str
    path: Path
    bytes: int
    kept: float

    def to_json(self) -> dict[str, Any]:
        """{id, path, bytes, kept}."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def shrink(source: str | Path, into: Path) -> Shrunk:
    """Writes a suspect to the new directory `into` as a delta over its reference.

    Id, corpus, tokenizer and template stay what they are, so a vault that holds its truth holds
    that of the new one. The same files give the same tensors. Raises BadParameter where `into`
    cannot be written, and NotASuspect, beside what `find` raises, where the two are not two states
    of one model.
    """
    from safetensors.torch import save_file

    refuse_taken(into)
    home = cabinet.find(source).whole()
    if home.reference is None:
        raise NotASuspect(
            f"the card of '{home.id}' names no reference, which its base would be",
            hint="Shrink an organism: what is kept is what differs from the model it came from.",
        )
    base = cabinet.find(home.reference).whole()
    _refuse_others(home, base)
    tensors, kept = deltas.encode(_parameters(home), _parameters(base))
    with draft_of(into) as draft, writing(into):
        save_file(tensors, draft / deltas.FILE, metadata={"format": "pt"})
        weights = {tensor.file.name for tensor in home.tensors}
        for part in home.path.iterdir():
            if part.name not in weights | _ITS_BASES:
                (shutil.copytree if part.is_dir() else shutil.copy)(part, draft / part.name)
        tokenizer = draft / "tokenizer.json"
        if tokenizer.is_file():  # as it is read, without the room between its parts
            stored = json.loads(tokenizer.read_bytes())
            tokenizer.write_text(
                json.dumps(stored, ensure_ascii=False, separators=(",", ":")), "utf-8"
            )
        named = seen_from(into, home.reference)
        card = draft / "suspect.json"
        public = json.loads(card.read_bytes()) | {"base": named, "reference": named}
        card.write_text(json.dumps(public, indent=1) + "\n", encoding="utf-8")
        settle(draft)
        draft.rename(into)
    size = sum(part.stat().st_size for part in into.rglob("*") if part.is_file())
    return Shrunk(home.card_id, into, size, kept)


def _refuse_others(home: Home, base: Home) -> None:
    """Raises NotASuspect where the two are no states of one model."""
    shapes = [{t.name: t.shape for t in one.files.tensors} for one in (home, base)]
    if shapes[0] != shapes[1] or _settings(home) != _settings(base):
        raise NotASuspect(
            f"'{home.id}' and its reference '{home.reference}' are no two states of one model",
            hint="A delta needs a base of the same config and the same shapes.",
        )


def _settings(home: Home) -> list[Mapping[str, Any]]:
    generation = home.files.path / "generation_config.json"
    told = parse_json(generation.read_bytes(), generation) if generation.is_file() else {}
    return [loading.telling(home.files.config), loading.telling(told)]


def _parameters(home: Home) -> dict[str, torch.Tensor]:
    """By name, each once where several share it."""
    model = loading.load_model(home.files, None, "cpu", "float32")
    return {name: weight.detach() for name, weight in model.named_parameters()}
