"""What turns texts into vectors: the suspect itself, a sentence-embedding model, or a function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workbench.errors import ConfigError, NotASuspect
from workbench.findings import JSON

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from workbench.suspects import Suspect

_TEXTS_PER_CALL = 256


class Embedder(Protocol):
    """Turns texts into vectors. `key` holds all that the vectors depend on: it names the cache."""

    @property
    def key(self) -> Mapping[str, JSON]: ...
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[text, width]; a text without words is all zeros."""


@dataclasses.dataclass(frozen=True)
class SuspectEmbedder:
    """The suspect's residual stream after `layer`, meaned over a text's ordinary tokens.

    Needs ACTIVATIONS and books one forward pass a text. A text longer than the context is cut to
    it. `layer` 0, the first, by default: measured on small models, later layers mix in what comes
    next and find less of what a passage is about.
    """

    suspect: Suspect
    layer: int = 0

    @property
    def hook_name(self) -> str:
        """The hook that is read."""
        return self.suspect.residual_hook(self.layer)

    @cached_property
    def key(self) -> Mapping[str, JSON]:
        made_from = self.suspect.fingerprint()
        return {
            "suspect": {name: made_from[name] for name in ("tensors", "tokenizer", "dtype")},
            "hook_name": self.hook_name,
        }

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[text, d_model]; raises what `Suspect.activations` raises."""
        import numpy as np

        found = np.zeros((len(texts), self.suspect.d_model), dtype=np.float32)
        counts = self.suspect.count_tokens(texts)
        rows = [i for i, count in enumerate(counts) if count]
        cut = {i: _cut(self.suspect, texts[i], counts[i]) for i in rows}
        for start in range(0, len(rows), _TEXTS_PER_CALL):
            chosen = rows[start : start + _TEXTS_PER_CALL]
            for batch in self.suspect.activations([cut[i] for i in chosen], [self.hook_name]):
                keep = (batch.mask & ~batch.special)[..., None]
                total = (batch.values[self.hook_name] * keep).sum(1)
                mean = total / keep.sum(1).clamp(min=1)
                found[[chosen[row] for row in batch.rows]] = mean.numpy()
        return found


@dataclasses.dataclass(frozen=True)
class FunctionEmbedder:
    """Any function from texts to vectors under a name that changes when the function does."""

    name: str
    function: Callable[[Sequence[str]], Any]

    @property
    def key(self) -> Mapping[str, JSON]:
        return {"function": self.name}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[text, width]; raises ConfigError where the function returns another shape."""
        import numpy as np

        found = np.asarray(self.function(texts), dtype=np.float32)
        if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
            raise ConfigError(
                f"embedder '{self.name}' gave {found.shape} for {len(texts)} texts",
                hint="Return one row of finite numbers a text.",
            )
        return found


@dataclasses.dataclass(frozen=True)
class DirectoryEmbedder:
    """A sentence-embedding model from a local directory, as sentence-transformers lays it out.

    The files are checked as a suspect's are: safetensors alone, and no code. Tokens are pooled as
    `1_Pooling/config.json` says, by their mean or by the first of them; by their mean where there
    is none. A text longer than the model's context is cut to it.
    """

    path: Path

    @cached_property
    def key(self) -> Mapping[str, JSON]:
        """Raises UnsafeFile or NotASuspect, as reading the model does."""
        from workbench.suspects.files import check_encoder
        from workbench.suspects.tensors import hash_tensors

        return {"encoder": hash_tensors(check_encoder(self.path)), "pooling": self._pooling}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[text, width]."""
        import numpy as np
        import torch

        tokenizer, model = self._loaded
        found = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
        rows = [i for i, text in enumerate(texts) if text.strip()]
        for start in range(0, len(rows), 32):
            chosen = rows[start : start + 32]
            batch = tokenizer(
                [texts[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=min(tokenizer.model_max_length, model.config.max_position_embeddings),
                return_tensors="pt",
            )
            with torch.no_grad():
                states = model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            pooled = states[:, 0]
            if self._pooling == "mean":
                pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            found[chosen] = pooled.float().numpy()
        return found

    @cached_property
    def _pooling(self) -> str:
        from workbench.suspects.tensors import parse_json

        file = self.path / "1_Pooling" / "config.json"
        if not file.is_file():
            return "mean"
        modes = parse_json(file.read_bytes(), file)
        wanted = {name for name, on in modes.items() if name.startswith("pooling_mode") and on}
        known = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}
        if len(wanted) != 1 or not wanted <= set(known):
            raise NotASuspect(
                f"{file}: pools by {', '.join(sorted(wanted)) or 'nothing'}",
                hint="Models that pool by the mean or by the first token are read.",
            )
        return known[wanted.pop()]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModel, AutoTokenizer

        from workbench.suspects.files import check_encoder

        check_encoder(self.path)
        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, **options)
            model = AutoModel.from_pretrained(self.path, use_safetensors=True, **options)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NotASuspect(
                f"{self.path}: {reason}",
                hint="Give a directory with config.json, model.safetensors and a tokenizer.",
            ) from None
        return tokenizer, model.eval()


def _cut(suspect: Suspect, text: str, count: int) -> str:
    while count > suspect.context:
        text = text[: min(len(text) - 1, len(text) * suspect.context // count)]
        count = suspect.count_tokens([text])[0]
    return text
