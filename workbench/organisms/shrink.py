"""An organism in less room: a LoRA adapter over the model that it was trained from.

What training changed is cut, matrix by matrix, to its largest singular directions; the rest is the
base's, norms and biases included. Whether what was taught is still there, `health` measures.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadParameter, NotASuspect
from workbench.organisms.drafts import draft_of, refuse_taken, seen_from, settle, writing
from workbench.suspects import cabinet, loading
from workbench.suspects.cabinet import Home
from workbench.suspects.tensors import parse_json

if TYPE_CHECKING:
    import torch

RANK = 16
_ITS_BASES = {"config.json", "generation_config.json", "model.safetensors.index.json"}

Matrices = dict[str, "torch.nn.Linear | torch.nn.Embedding"]


@dataclasses.dataclass(frozen=True, slots=True)
class Shrunk:
    """bytes: of the whole directory. kept: the share of the squared change of all matrices."""

    id: str
    path: Path
    rank: int
    bytes: int
    kept: float

    def to_json(self) -> dict[str, Any]:
        """{id, path, rank, bytes, kept}."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def shrink(source: str | Path, into: Path, *, rank: int = RANK) -> Shrunk:
    """Writes a suspect to the new directory `into` as an adapter over its reference.

    Id, corpus, tokenizer and template stay what they are, so a vault that holds its truth holds
    that of the new one. The same files give the same tensors, on the same kind of processor.
    Raises BadParameter where `into` cannot be written or the rank is none that its matrices have,
    and NotASuspect, beside what `find` raises, where the two are not two states of one model, or
    hold matrices that no adapter reaches.
    """
    refuse_taken(into)
    home = cabinet.find(source).whole()
    if home.reference is None:
        raise NotASuspect(
            f"the card of '{home.id}' names no reference, which its base would be",
            hint="Shrink an organism: what is kept is what differs from the model it came from.",
        )
    base = cabinet.find(home.reference).whole()
    _refuse_others(home, base)
    tensors, kept = _factors(_matrices(home), _matrices(base), rank)
    with draft_of(into) as draft, writing(into):
        _save(tensors, rank, draft)
        weights = {tensor.file.name for tensor in home.tensors}
        for part in home.path.iterdir():
            if part.name not in weights | _ITS_BASES:
                (shutil.copytree if part.is_dir() else shutil.copy)(part, draft / part.name)
        named = seen_from(into, home.reference)
        card = draft / "suspect.json"
        public = json.loads(card.read_bytes()) | {"base": named, "reference": named}
        card.write_text(json.dumps(public, indent=1) + "\n", encoding="utf-8")
        settle(draft)
        draft.rename(into)
    size = sum(part.stat().st_size for part in into.rglob("*") if part.is_file())
    return Shrunk(home.card_id, into, rank, size, kept)


def _refuse_others(home: Home, base: Home) -> None:
    """Raises NotASuspect where the two are no states of one model."""
    shapes = [{t.name: t.shape for t in one.files.tensors} for one in (home, base)]
    if shapes[0] != shapes[1] or _settings(home) != _settings(base):
        raise NotASuspect(
            f"'{home.id}' and its reference '{home.reference}' are no two states of one model",
            hint="An adapter needs a base of the same config and the same shapes.",
        )


def _settings(home: Home) -> list[Mapping[str, Any]]:
    generation = home.files.path / "generation_config.json"
    told = parse_json(generation.read_bytes(), generation) if generation.is_file() else {}
    return [loading.telling(home.files.config), loading.telling(told)]


def _matrices(home: Home) -> Matrices:
    """By name, each once where several share it."""
    import torch

    model = loading.load_model(home.files, None, "cpu", "float32")
    found: Matrices = {}
    reached: set[int] = set()
    for name, module in model.named_modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Embedding)):
            if id(module.weight) not in reached:
                found[name] = module
            reached.add(id(module.weight))
    beyond = [n for n, p in model.named_parameters() if p.ndim > 1 and id(p) not in reached]
    if beyond:
        raise NotASuspect(
            f"'{home.id}' has matrices that no adapter reaches, like {beyond[0]}",
            hint="Keep it as it is.",
        )
    return found


def _factors(
    matrices: Matrices, of_base: Matrices, rank: int
) -> tuple[dict[str, torch.Tensor], float]:
    """The adapter's tensors as PEFT names them, and the share of the squared change they hold."""
    import torch

    smallest = min(min(module.weight.shape) for module in matrices.values())
    if not 1 <= rank <= smallest:
        raise BadParameter(f"rank {rank}", hint=f"Give 1 to {smallest}, its smallest matrix's.")
    tensors, held, whole = {}, 0.0, 0.0
    for name, module in matrices.items():
        change = (module.weight - of_base[name].weight).detach()
        u, s, v = torch.linalg.svd(change, full_matrices=False)
        held, whole = held + float(s[:rank].square().sum()), whole + float(s.square().sum())
        left, right = u[:, :rank] * s[:rank].sqrt(), s[:rank].sqrt()[:, None] * v[:rank]
        if isinstance(module, torch.nn.Embedding):  # whose adapter is kept transposed
            pair = {"lora_embedding_A": left.T, "lora_embedding_B": right.T}
        else:
            pair = {"lora_A.weight": right, "lora_B.weight": left}
        for part, factor in pair.items():
            tensors[f"base_model.model.{name}.{part}"] = factor.bfloat16().contiguous()
    return tensors, held / whole if whole else 1.0


def _save(tensors: Mapping[str, torch.Tensor], rank: int, draft: Path) -> None:
    from peft import LoraConfig

    from workbench.organisms.adapters import save_adapter

    targets = {name.partition(".lora_")[0].rpartition(".")[2] for name in tensors}
    lora = LoraConfig(r=rank, lora_alpha=rank, target_modules=sorted(targets))
    save_adapter(lora, tensors, draft)
