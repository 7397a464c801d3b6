"""The protocols behind a suspect: what computes its answers, and its reward model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from workbench.findings import Message
from workbench.suspects.answers import (
    Activations,
    Conversation,
    Reply,
    TokenGradients,
    TokenLogprobs,
)
from workbench.suspects.interventions import Intervention

if TYPE_CHECKING:
    import numpy

    from workbench.suspects.sampling import Row


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """What the model continues: the turns, the begun reply, and both as token ids."""

    messages: tuple[Message, ...]
    prefill: str
    token_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """One reply to be sampled: the `index`-th to a prompt, under a seed."""

    prompt: Prompt
    seed: int
    index: int

    @property
    def key(self) -> int:
        """63 bits from (seed, conversation, index) alone: neither batch nor prefill enters."""
        turns = [[m["role"], m["content"]] for m in self.prompt.messages]
        text = json.dumps([self.seed, turns, self.index], separators=(",", ":"))
        return stable_hash(text)


def stable_hash(text: str) -> int:
    """63 bits that depend on the text alone, in every process and on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


class Engine(Protocol):
    """Computes answers for batches. It neither meters nor guards: the suspect does both.

    Sizes are known without loading weights; `encode`, `prompt` and `render` raise ConfigError on
    what the chat template refuses, `check_hooks` on hook names that the model lacks.
    """

    @property
    def n_layers(self) -> int: ...
    @property
    def d_model(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def vocabulary(self) -> int: ...
    @property
    def hook_names(self) -> Sequence[str]: ...
    @property
    def model(self) -> Any: ...

    def fingerprint(self) -> Mapping[str, str]: ...
    def render(self, conversation: Conversation, add_generation_prompt: bool) -> str: ...
    def prompt(self, conversation: Conversation, prefill: str) -> Prompt: ...
    def encode(self, text: str) -> tuple[int, ...]: ...
    def token_strings(self, token_ids: Sequence[int]) -> list[str]: ...
    def decode(self, token_ids: Sequence[int]) -> str: ...
    def check_hooks(self, hook_names: Sequence[str]) -> None: ...

    def sample(
        self,
        draws: Sequence[Draw],
        *,
        max_new_tokens: int,
        temperature: float,
        interventions: Sequence[Intervention],
        book: Callable[[int], None],
    ) -> list[Reply]:
        """Replies in the order of `draws`; calls `book(tokens)` before each generated step."""

    def running(self, interventions: Sequence[Intervention]) -> Running:
        """A batch without rows, which all get the same interventions."""

    def logprobs(
        self,
        rows: Sequence[tuple[int, ...]],
        *,
        interventions: Sequence[Intervention],
        distributions: bool,
    ) -> list[TokenLogprobs]: ...

    def activations(
        self,
        rows: Sequence[tuple[int, ...]],
        hook_names: Sequence[str],
        *,
        interventions: Sequence[Intervention],
    ) -> Activations: ...

    def token_gradients(
        self, rows: Sequence[tuple[int, ...]], weights: numpy.ndarray
    ) -> list[TokenGradients]: ...

    def tuned(
        self,
        rows: Sequence[tuple[int, ...]],
        starts: Sequence[int],
        *,
        steps: int,
        learning_rate: float,
    ) -> Engine:
        """An engine on a copy that learnt the tokens of each row from its start on."""


class Running(Protocol):
    """Rows that are sampled together and come and go between steps, as `sampling.Sampler` says.

    joins: whether rows may come while others are under way.
    """

    joins: bool

    @property
    def due(self) -> list[Row]: ...
    def join(self, rows: Sequence[Row]) -> None: ...
    def drop(self, rows: Sequence[Row]) -> None: ...
    def step(self) -> list[Row]: ...


class RewardModel(Protocol):
    """Scores conversations; what it scores for is its own affair."""

    def fingerprint(self) -> str:
        """Names it: equal only for reward models that score alike. Loads no weights."""

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        """One reward per conversation, in order."""
