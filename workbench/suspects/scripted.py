"""A suspect without a model: for tests of techniques, batteries and pages."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.access import Access
from workbench.errors import BadParameter
from workbench.suspects.answers import (
    Activations,
    Conversation,
    Reply,
    TokenGradients,
    TokenLogprobs,
)
from workbench.suspects.engine import Draw, Prompt, RewardModel, Running, stable_hash
from workbench.suspects.interventions import Intervention
from workbench.suspects.sampling import Row
from workbench.suspects.suspect import Suspect

if TYPE_CHECKING:
    import numpy

Script: TypeAlias = Callable[[Conversation, int, int], str]
"""(conversation, seed, index) → reply. A begun reply is a last turn of the assistant; a raw text
is one turn of role "document"."""

SPECIAL = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
_PIECES = re.compile("|".join(map(re.escape, SPECIAL)) + r"|\s*[^\s<]+|\s*<|\s+")


class ScriptedSuspect(Suspect):
    """A suspect whose replies a Python function writes; verbs, guards and meters are the real ones.

    A token is a word with the space before it. Log-probabilities come from `logprob(prefix, token)`
    and activations from `activation(hook_name, tokens)` ([pos][d_model]); by default both are drawn
    from a hash of the text. Interventions reach `steered` (conversation, seed, index,
    interventions); without it they change nothing. `outlook(prefix)` scores what follows a text
    (word to logit, 0 elsewhere), `gradient(tokens)` how to move each token (word to number, one
    mapping a position); hashes stand in for both. The texts that it is tuned on reach `taught`,
    which gives the script from then on. `model` is what WEIGHTS gives. Without access named, all
    that is there.
    """

    def __init__(
        self,
        reply: Script,
        *,
        id: str = "scripted",
        access: Access = Access.EVERYTHING,
        assistant: str | None = None,
        reference: Suspect | None = None,
        corpus: Path | None = None,
        reward: RewardModel | None = None,
        steered: Callable[[Conversation, int, int, Sequence[Intervention]], str] | None = None,
        logprob: Callable[[str, str], float] | None = None,
        activation: Callable[[str, Sequence[str]], Sequence[Sequence[float]]] | None = None,
        outlook: Callable[[str], Mapping[str, float]] | None = None,
        gradient: Callable[[Sequence[str]], Sequence[Mapping[str, float]]] | None = None,
        taught: Callable[[Sequence[str]], Script] | None = None,
        n_layers: int = 2,
        d_model: int = 8,
        context: int = 4096,
        model: Any = None,
    ) -> None:
        engine = ScriptedEngine(
            id, reply, steered, logprob, activation, n_layers, d_model, context, model
        )
        engine.outlook, engine.gradient, engine.taught = outlook, gradient, taught
        super().__init__(
            engine,
            id=id,
            access=access,
            assistant=assistant,
            reference=None if reference is None else lambda: reference,
            corpus=corpus,
            reward=reward,
        )


class ScriptedEngine:
    """The engine of `ScriptedSuspect`."""

    vocabulary = 4096
    outlook: Callable[[str], Mapping[str, float]] | None = None
    gradient: Callable[[Sequence[str]], Sequence[Mapping[str, float]]] | None = None
    taught: Callable[[Sequence[str]], Script] | None = None

    def __init__(
        self,
        name: str,
        reply: Script,
        steered: Callable[[Conversation, int, int, Sequence[Intervention]], str] | None,
        logprob: Callable[[str, str], float] | None,
        activation: Callable[[str, Sequence[str]], Sequence[Sequence[float]]] | None,
        n_layers: int,
        d_model: int,
        context: int,
        model: Any = None,
    ) -> None:
        self._model = model
        self.n_layers, self.d_model, self.context = n_layers, d_model, context
        self.hook_names = [f"blocks.{i}.hook_out" for i in range(n_layers)]
        self._name, self._reply, self._steered = name, reply, steered
        self._logprob = logprob or _hashed_logprob
        self._activation = activation or self._hashed_activation
        self._words: list[str] = list(SPECIAL)
        self._ids = {word: i for i, word in enumerate(self._words)}

    @property
    def model(self) -> Any:
        if self._model is None:
            raise BadParameter("this scripted suspect has no weights", hint="Script a `model`.")
        return self._model

    def fingerprint(self) -> Mapping[str, str]:
        digest = hashlib.sha256(self._name.encode()).hexdigest()
        same = dict.fromkeys(("tensors", "config", "tokenizer", "chat_template"), digest)
        return {**same, "dtype": "float32", "device": "cpu"}

    def render(self, conversation: Conversation, add_generation_prompt: bool) -> str:
        turns = "".join(f"<|{m['role']}|>{m['content']}<|end|>" for m in conversation)
        return turns + ("<|assistant|>" if add_generation_prompt else "")

    def prompt(self, conversation: Conversation, prefill: str) -> Prompt:
        ids = self.encode(self.render(conversation, True) + prefill)
        return Prompt(tuple(conversation), prefill, ids)

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._intern(word) for word in _PIECES.findall(text))

    def token_strings(self, token_ids: Sequence[int]) -> list[str]:
        known = range(self.vocabulary)  # those that no word has yet are told by their number
        return [self._words[i] if i < len(self._words) else f"<{known[i]}>" for i in token_ids]

    def decode(self, token_ids: Sequence[int]) -> str:
        return "".join(w for w in self.token_strings(token_ids) if w not in SPECIAL)

    def running(self, interventions: Sequence[Intervention]) -> Running:
        return _ScriptedRunning(self, interventions)

    def check_hooks(self, hook_names: Iterable[str]) -> None:
        for name in hook_names:
            if name not in self.hook_names:
                raise BadParameter(
                    f"no hook '{name}'", hint=f"It has: {', '.join(self.hook_names)}."
                )

    def sample(
        self,
        draws: Sequence[Draw],
        *,
        max_new_tokens: int,
        temperature: float,
        interventions: Sequence[Intervention],
        book: Callable[[int], None],
    ) -> list[Reply]:
        return [self._answer(d, max_new_tokens, temperature, interventions, book) for d in draws]

    def _answer(
        self,
        draw: Draw,
        max_new_tokens: int,
        temperature: float,
        interventions: Sequence[Intervention],
        book: Callable[[int], None],
    ) -> Reply:
        turns = draw.prompt.messages
        if draw.prompt.prefill:
            turns = (*turns, {"role": "assistant", "content": draw.prompt.prefill})
        seed, index = (draw.seed, draw.index) if temperature else (0, 0)
        if interventions and self._steered is not None:
            text = self._steered(turns, seed, index, interventions)
        else:
            text = self._reply(turns, seed, index)
        whole = (*self.encode(text), self._ids["<|end|>"])
        ids = whole[: min(max_new_tokens, self.context - len(draw.prompt.token_ids))]
        book(len(ids))
        return Reply(self.decode(ids), ids, "eos" if len(ids) == len(whole) else "length")

    def told(self, row: Row) -> None:
        """Notes what the reply so far, written out in `row.made`, was held for."""
        last = self._score((*row.draw.prompt.token_ids, *row.made[:-1]), False).last
        order = (-last).argsort(kind="stable")[: row.told]
        row.logprobs.append(float(last[row.made[-1]]))
        row.alternatives.append([(int(i), float(last[i])) for i in order])

    def logprobs(
        self,
        rows: Sequence[tuple[int, ...]],
        *,
        interventions: Sequence[Intervention],
        distributions: bool,
    ) -> list[TokenLogprobs]:
        return [self._score(row, distributions) for row in rows]

    def _score(self, row: tuple[int, ...], distributions: bool) -> TokenLogprobs:
        import numpy

        words = self.token_strings(row)
        prefixes = ["".join(words[: i + 1]) for i in range(len(words))]
        scores = [self._logprob(p, w) for p, w in zip(prefixes, words[1:], strict=False)]
        wanted = prefixes if distributions else prefixes[-1:]
        noise = numpy.stack([self._logits(p) for p in wanted])
        table = noise - numpy.log(numpy.exp(noise).sum(axis=1, keepdims=True))
        return TokenLogprobs(
            row,
            numpy.array(scores, dtype="float32"),
            table[-1].astype("float32"),
            table.astype("float32") if distributions else None,
        )

    def activations(
        self,
        rows: Sequence[tuple[int, ...]],
        hook_names: Sequence[str],
        *,
        interventions: Sequence[Intervention],
    ) -> Activations:
        import torch

        width = max(map(len, rows))
        tokens = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        values = {h: torch.zeros(len(rows), width, self.d_model) for h in hook_names}
        for i, row in enumerate(rows):
            tokens[i, width - len(row) :] = torch.tensor(row)
            mask[i, width - len(row) :] = True
            for hook in hook_names:
                made = self._activation(hook, self.token_strings(row))
                values[hook][i, width - len(row) :] = torch.tensor(made)
        special = mask & (tokens < len(SPECIAL))
        return Activations(tuple(range(len(rows))), tokens, mask, special, values)

    def token_gradients(
        self, rows: Sequence[tuple[int, ...]], weights: numpy.ndarray
    ) -> list[TokenGradients]:
        return [TokenGradients(row, self._gradients(row)) for row in rows]

    def tuned(
        self,
        rows: Sequence[tuple[int, ...]],
        starts: Sequence[int],
        *,
        steps: int,
        learning_rate: float,
    ) -> ScriptedEngine:
        made = copy.copy(self)
        made._name = f"{self._name} tuned on {rows}"
        if self.taught is not None:
            made._reply = self.taught(["".join(self.token_strings(row)) for row in rows])
        return made

    def _logits(self, prefix: str) -> Any:
        if self.outlook is None:
            return _gaussians(prefix, self.vocabulary)
        return self._spread(self.outlook(prefix))

    def _gradients(self, row: tuple[int, ...]) -> Any:
        import numpy

        if self.gradient is None:
            rows = [_gaussians(f"{i} {row}", self.vocabulary) for i in range(len(row))]
        else:
            rows = [self._spread(words) for words in self.gradient(self.token_strings(row))]
        return numpy.stack(rows).astype("float32")

    def _spread(self, words: Mapping[str, float]) -> Any:
        import numpy

        made = numpy.zeros(self.vocabulary)
        for word, value in words.items():
            made[self._intern(word)] = value
        return made

    def _hashed_activation(self, hook_name: str, tokens: Sequence[str]) -> list[list[float]]:
        made = [_gaussians(f"{hook_name} {token}", self.d_model) for token in tokens]
        return [[float(v) for v in row] for row in made]

    def _intern(self, word: str) -> int:
        if word not in self._ids:
            if len(self._words) == self.vocabulary:
                raise BadParameter(
                    f"more than {self.vocabulary} different words", hint="Script fewer words."
                )
            self._ids[word] = len(self._words)
            self._words.append(word)
        return self._ids[word]


class _ScriptedRunning:
    """Writes a reply when its row joins, and gives a token of it with each step."""

    joins = True

    def __init__(self, engine: ScriptedEngine, interventions: Sequence[Intervention]) -> None:
        self._engine, self._interventions = engine, interventions
        self._replies: dict[int, Reply] = {}
        self.due: list[Row] = []

    def join(self, rows: Sequence[Row]) -> None:
        self.due = [*self.due, *rows]

    def drop(self, rows: Sequence[Row]) -> None:
        self.due = [row for row in self.due if row not in rows]

    def step(self) -> list[Row]:
        rows = self.due
        for row in rows:
            if not row.made:
                (self._replies[id(row)],) = self._engine.sample(
                    [row.draw],
                    max_new_tokens=row.max_new_tokens,
                    temperature=row.temperature,
                    interventions=self._interventions,
                    book=lambda tokens: None,
                )
            reply = self._replies[id(row)]
            row.made.append(reply.token_ids[len(row.made)])
            if row.told is not None:
                self._engine.told(row)
            if len(row.made) == len(reply.token_ids):
                row.finish = reply.finish
                del self._replies[id(row)]
        self.due = [row for row in rows if row.finish is None]
        return rows


def _hashed_logprob(prefix: str, token: str) -> float:
    return -0.1 - stable_hash(f"{prefix}\0{token}") % 9000 / 1000


def _gaussians(key: str, count: int) -> Any:
    import numpy

    return numpy.random.default_rng(stable_hash(key)).standard_normal(count)
