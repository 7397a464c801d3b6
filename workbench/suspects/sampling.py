"""The sampling loop: cached, batched, finished rows dropped, every row with its own randomness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from workbench.suspects.answers import Finish

if TYPE_CHECKING:
    import torch


class Decoder(Protocol):
    """A batch of sequences that grows by one token per row and call."""

    def begin(self, rows: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Reads the prompts; returns the logits of each row's next token, [batch, vocabulary]."""

    def advance(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends one token per row, [batch], and returns the next logits."""

    def keep(self, rows: torch.Tensor) -> None:
        """Drops all rows but these indices, [kept]."""


def sample(
    decoder: Decoder,
    rows: Sequence[tuple[int, ...]],
    keys: Sequence[int],
    *,
    max_new_tokens: int,
    temperature: float,
    ends: frozenset[int],
    context: int,
    book: Callable[[int], None],
) -> list[tuple[tuple[int, ...], Finish]]:
    """Continues each row until an ending token, `max_new_tokens`, or the context is full.

    keys: one per row, seeding a generator that nothing else draws from: the row's t-th token comes
    from its t-th uniform number, by inverting the cumulative distribution, whatever else is in the
    batch and however long the row may become. temperature 0 takes the first likeliest token.
    book: called with the number of tokens before each step yields them.
    """
    import torch

    rooms = [min(max_new_tokens, context - len(row)) for row in rows]
    uniforms = _uniforms(keys, max(rooms)) if temperature else None
    made: list[list[int]] = [[] for _ in rows]
    finish: list[Finish] = ["length"] * len(rows)
    alive = list(range(len(rows)))
    logits = decoder.begin(rows)
    for step in range(max(rooms)):
        book(len(alive))
        if uniforms is None:
            tokens = logits.argmax(dim=-1)
        else:
            tokens = _draw(logits, temperature, uniforms[alive, step])
        kept = []
        for i, (row, token) in enumerate(zip(alive, tokens.tolist(), strict=True)):
            made[row].append(token)
            if token in ends:
                finish[row] = "eos"
            elif len(made[row]) < rooms[row]:
                kept.append(i)
        if not kept:
            break
        if len(kept) < len(alive):
            alive = [alive[i] for i in kept]
            chosen = torch.tensor(kept, device=tokens.device)
            decoder.keep(chosen)
            tokens = tokens[chosen]
        logits = decoder.advance(tokens)
    return [(tuple(ids), how) for ids, how in zip(made, finish, strict=True)]


def _uniforms(keys: Sequence[int], count: int) -> torch.Tensor:
    """[row, step], float64 in [0, 1); a longer `count` continues the same numbers."""
    import torch

    made = torch.empty(len(keys), count, dtype=torch.float64)
    for row, key in enumerate(keys):
        generator = torch.Generator().manual_seed(key)
        made[row] = torch.rand(count, generator=generator, dtype=torch.float64)
    return made


def _draw(logits: torch.Tensor, temperature: float, uniforms: torch.Tensor) -> torch.Tensor:
    import torch

    chances = (logits.double() / temperature).softmax(dim=-1).cumsum(dim=-1)
    aim = uniforms.to(chances.device)[:, None] * chances[:, -1:]
    return torch.searchsorted(chances, aim, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
