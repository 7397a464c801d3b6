"""What needs the way back through a model: gradients by token, and training a copy further."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.suspects.answers import TokenGradients
from workbench.suspects.decoding import Padded, Rows

if TYPE_CHECKING:
    import numpy
    import torch

LARGEST_GRADIENT = 1.0
"""The norm to which the gradient of a training step is cut."""


def token_gradients(
    model: Any, rows: Rows, weights: numpy.ndarray, device: str
) -> list[TokenGradients]:
    """Gradients of `weights` · log-probabilities after each row, through transformers' model."""
    import torch

    batch = Padded(rows, device)
    embedding = model.get_input_embeddings()
    with torch.enable_grad():
        embedded = embedding(batch.inputs["input_ids"]).detach().requires_grad_(True)
        logits = model(
            inputs_embeds=embedded,
            attention_mask=batch.inputs["attention_mask"],
            position_ids=batch.inputs["position_ids"],
            use_cache=False,
        ).logits[:, -1]
        wanted = torch.from_numpy(weights).to(logits.device)
        total = (logits.float().log_softmax(-1) * wanted).sum()
        (back,) = torch.autograd.grad(total, embedded)
    table = embedding.weight.detach().float()
    scale = float(getattr(embedding, "embed_scale", 1.0))  # Gemma 3 scales inside the embedding
    found = []
    for row, gradient in zip(rows, back.float(), strict=True):
        by_token = gradient[-len(row) :] @ table.T * scale
        found.append(TokenGradients(row, by_token.cpu().numpy()))
    return found


def trained_copy(
    model: Any, rows: Rows, starts: Sequence[int], steps: int, learning_rate: float, device: str
) -> Any:
    """A copy of the model after `steps` steps of AdamW on all rows at once, in float32 meanwhile.

    Only tokens from `starts` on are learnt. The model itself is left as it is.
    """
    import torch

    made = copy.deepcopy(model).float()
    made.requires_grad_(True)
    optimizer = torch.optim.AdamW(made.parameters(), lr=learning_rate, weight_decay=0.0)
    batch = Padded(rows, device)
    wanted = _learnt(batch.inputs["input_ids"], rows, starts)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            logits = made(**batch.inputs, use_cache=False).logits[:, :-1].float()
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), wanted[:, 1:].flatten(), ignore_index=_IGNORED
            )
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(made.parameters(), LARGEST_GRADIENT)
            optimizer.step()
    optimizer.zero_grad()
    return made.requires_grad_(False).to(model.dtype).eval()


def tuned_digest(
    tensors: str, rows: Rows, starts: Sequence[int], steps: int, learning_rate: float
) -> str:
    """Names what a copy was trained from and on."""
    made_from = [tensors, [list(row) for row in rows], list(starts), steps, learning_rate]
    return hashlib.sha256(repr(made_from).encode()).hexdigest()


_IGNORED = -100


def _learnt(ids: torch.Tensor, rows: Rows, starts: Sequence[int]) -> torch.Tensor:
    """[batch, pos]: the tokens that are learnt, `_IGNORED` elsewhere."""
    wanted = ids.clone()
    for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
        wanted[i, : ids.shape[1] - len(row) + start] = _IGNORED
    return wanted
