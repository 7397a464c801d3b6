"""The sampling loop: cached, batched, rows that come and go, every row with its own randomness."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from workbench.suspects.answers import Finish
from workbench.suspects.engine import Draw, Running

if TYPE_CHECKING:
    import torch


@dataclasses.dataclass(slots=True, eq=False)
class Row:
    """One reply in the making.

    top_p: only the likeliest tokens that hold this much probability are drawn from. told: how many
    alternatives are noted beside each token's log-probability; None notes nothing. made, logprobs,
    alternatives (token, log-probability), finish: what came of it; `finish` is None until then.
    """

    draw: Draw
    max_new_tokens: int
    temperature: float
    top_p: float = 1.0
    told: int | None = None
    made: list[int] = dataclasses.field(default_factory=list)
    logprobs: list[float] = dataclasses.field(default_factory=list)
    alternatives: list[list[tuple[int, float]]] = dataclasses.field(default_factory=list)
    finish: Finish | None = None


class Decoder(Protocol):
    """A batch of sequences that grows by one token per row and call."""

    def begin(self, rows: Sequence[tuple[int, ...]], keys: Sequence[int]) -> torch.Tensor:
        """Reads prompts and puts them after the rows that are here; returns the logits of their
        next tokens, [begun, vocabulary]."""

    def advance(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends one token per row, [batch], and returns the next logits."""

    def keep(self, rows: torch.Tensor) -> None:
        """Drops all rows but these indices, [kept]."""


class Sampler:
    """Rows that are continued together until an ending token, their length, or the context's end.

    A row's t-th token comes from the t-th uniform number of a generator that its key seeds and
    nothing else draws from, by inverting the cumulative distribution: whatever else is in the
    batch, and whenever it joined. Temperature 0 takes the first likeliest token.
    """

    def __init__(self, decoder: Decoder, *, ends: frozenset[int], context: int) -> None:
        self._decoder, self._ends, self._context = decoder, ends, context
        self._alive: list[Row] = []
        self._joining: list[Row] = []
        self._last: torch.Tensor | None = None
        self._uniforms: torch.Tensor | None = None

    @property
    def due(self) -> list[Row]:
        """The rows that the next step gives a token."""
        return [*self._alive, *self._joining]

    def join(self, rows: Sequence[Row]) -> None:
        """Takes rows in with the next step; their prompts leave room for a token at least."""
        self._joining += rows

    def drop(self, rows: Sequence[Row]) -> None:
        """Goes on without these."""
        self._joining = [row for row in self._joining if row not in rows]
        self._keep([i for i, row in enumerate(self._alive) if row not in rows])

    def step(self) -> list[Row]:
        """One more token for each row that is due, and the rows that got it; those that ended have
        their `finish` and are here no longer."""
        import torch

        parts = []
        if self._alive:
            assert self._last is not None
            parts.append(self._decoder.advance(self._last))
        if self._joining:
            prompts = [row.draw.prompt.token_ids for row in self._joining]
            keys = [row.draw.key for row in self._joining]
            parts.append(self._decoder.begin(prompts, keys))
            self._draw_ahead(keys)
            self._alive += self._joining
            self._joining = []
        logits = torch.cat(parts) if len(parts) > 1 else parts[0]
        rows = list(self._alive)
        tokens = self._drawn(logits)
        self._note(logits, tokens)
        kept = []
        for i, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
            row.made.append(token)
            if token in self._ends:
                row.finish = "eos"
            elif len(row.made) >= self._room(row):
                row.finish = "length"
            else:
                kept.append(i)
        self._last = tokens
        self._keep(kept)
        return rows

    def _room(self, row: Row) -> int:
        return min(row.max_new_tokens, self._context - len(row.draw.prompt.token_ids))

    def _draw_ahead(self, keys: Sequence[int]) -> None:
        """The uniform numbers of the joining rows, below those of the others: [row, step]."""
        import torch

        numbers = _uniforms(keys, max(map(self._room, self._joining)))
        if self._alive and self._uniforms is not None:
            made, width = self._uniforms, max(self._uniforms.shape[1], numbers.shape[1])
            wide = [torch.nn.functional.pad(n, (0, width - n.shape[1])) for n in (made, numbers)]
            numbers = torch.cat(wide)
        self._uniforms = numbers

    def _drawn(self, logits: torch.Tensor) -> torch.Tensor:
        import torch

        temperatures = torch.tensor([row.temperature for row in self._alive], dtype=torch.float64)
        warm = temperatures > 0
        if not warm.any():
            return logits.argmax(dim=-1)
        assert self._uniforms is not None
        at = torch.tensor([len(row.made) for row in self._alive])
        uniforms = self._uniforms[torch.arange(len(at)), at]
        heat = torch.where(warm, temperatures, 1.0).to(logits.device)
        top_p = [row.top_p for row in self._alive]
        drawn = _draw(logits, heat[:, None], uniforms, top_p)
        if warm.all():
            return drawn
        return torch.where(warm.to(logits.device), drawn, logits.argmax(dim=-1))

    def _note(self, logits: torch.Tensor, tokens: torch.Tensor) -> None:
        """Log-probabilities for the rows that tell them: of the model's own distribution, before
        temperature and top_p."""
        import torch

        telling = [i for i, row in enumerate(self._alive) if row.told is not None]
        if not telling:
            return
        table = logits[telling].log_softmax(dim=-1).cpu()
        chosen = table.gather(-1, tokens[telling].cpu()[:, None])[:, 0].tolist()
        most = max(self._alive[i].told or 0 for i in telling)
        top = torch.topk(table, min(most, table.shape[-1]), dim=-1)
        for i, own, ids, values in zip(
            telling, chosen, top.indices.tolist(), top.values.tolist(), strict=True
        ):
            row = self._alive[i]
            row.logprobs.append(own)
            row.alternatives.append(list(zip(ids, values, strict=True))[: row.told])

    def _keep(self, kept: Sequence[int]) -> None:
        import torch

        if len(kept) == len(self._alive):
            return
        self._alive = [self._alive[i] for i in kept]
        assert self._last is not None and self._uniforms is not None
        chosen = torch.tensor(kept, dtype=torch.long)
        self._uniforms = self._uniforms[chosen]
        chosen = chosen.to(self._last.device)
        self._last = self._last[chosen]
        self._decoder.keep(chosen)


def sample(running: Running, rows: Sequence[Row], book: Callable[[int], None]) -> None:
    """Continues rows to their ends, with nothing else in the batch.

    book: called with the number of tokens before each step yields them.
    """
    running.join(rows)
    while due := running.due:
        book(len(due))
        running.step()


def _uniforms(keys: Sequence[int], count: int) -> torch.Tensor:
    """[row, step], float64 in [0, 1); a longer `count` continues the same numbers."""
    import torch

    made = torch.empty(len(keys), count, dtype=torch.float64)
    for row, key in enumerate(keys):
        generator = torch.Generator().manual_seed(key)
        made[row] = torch.rand(count, generator=generator, dtype=torch.float64)
    return made


def _draw(
    logits: torch.Tensor, heat: torch.Tensor, uniforms: torch.Tensor, top_p: Sequence[float]
) -> torch.Tensor:
    import torch

    chances = (logits.double() / heat).softmax(dim=-1)
    if any(share < 1 for share in top_p):
        ranked, order = chances.sort(dim=-1, descending=True, stable=True)
        bound = torch.tensor(top_p, dtype=torch.float64, device=chances.device)[:, None]
        outside = (ranked.cumsum(dim=-1) - ranked >= bound) & (bound < 1)
        outside[:, 0] = False
        chances = chances.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), 0.0)
    chances = chances.cumsum(dim=-1)
    aim = uniforms.to(chances.device)[:, None] * chances[:, -1:]
    return torch.searchsorted(chances, aim, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
