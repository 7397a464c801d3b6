"""The suspect: who may do what, in front of an engine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from workbench.access import UNLIMITED, Access, Budget, Usage
from workbench.corpus import Corpus
from workbench.errors import AccessDenied, BadParameter
from workbench.suspects import batches
from workbench.suspects.answers import (
    Activations,
    Conversation,
    Reply,
    TokenGradients,
    TokenLogprobs,
)
from workbench.suspects.engine import Draw, Engine, Prompt, RewardModel
from workbench.suspects.interventions import Intervention
from workbench.suspects.rewards import MeteredReward, load_reward


class Suspect:
    """A language model under audit, seen through granted access and within a budget.

    Every verb checks its flag first (AccessDenied names the one that is missing), then that the
    whole call fits the budget (BudgetExceeded; nothing is spent then), then computes. Samples,
    prompt tokens and forward passes are booked before the model runs, generated tokens step by
    step. A verb raises BadParameter on arguments that contradict themselves, on a text that is
    empty or longer than the context, and on a hook that the model lacks or that never fires.

    Views made by `restrict` share the model and its lock: one call computes at a time.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        id: str,
        access: Access,
        assistant: str | None = None,
        reference: Callable[[], Suspect] | None = None,
        corpus: Path | None = None,
        reward: RewardModel | None = None,
    ) -> None:
        for flag, there in (
            (Access.REFERENCE, reference),
            (Access.TRAINING_DATA, corpus),
            (Access.REWARD, reward),
        ):
            if there is None:
                access &= ~flag
        self.id = id
        self.access = access
        self.assistant = assistant
        self.usage = Usage()
        self._engine = engine
        self._reference_of = reference
        self._corpus_path = corpus
        self._reward = reward
        self._lock = threading.RLock()
        self._reference: Suspect | None = None
        self._fingerprint: dict[str, str | None] | None = None

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        adapter: str | Path | None = None,
        reference: str | Path | None = None,
        reward: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        token: str = "",
    ) -> Suspect:
        """Opens a bundled name, a model directory, `hf:ORG/NAME[@REVISION]`, or a host's URL.

        A host needs its `token`, and takes no other option: it chose the rest. Files are checked
        before any library sees them; weights are read when first needed.
        adapter: a local PEFT directory, merged in; a suspect whose own directory holds an adapter
        takes no other. reference: grants and overrides the card's one.
        reward: grants a reward model, as `load_reward` opens it. device: "auto" is the GPU that
        torch was built for, else the CPU. dtype: "auto" is float32 on the CPU and the checkpoint's
        own on a GPU.
        Raises NotASuspect, UnsafeFile, ModelUnavailable, or AccessDenied on a token that is not
        valid.
        """
        if str(source).startswith(("http://", "https://")):
            from workbench.suspects.remote import connect

            if any(own is not None for own in (adapter, reference, reward)):
                raise BadParameter(
                    "a suspect on a host takes no adapter, reference or reward model",
                    hint="Start the host with them.",
                )
            return connect(str(source), token)
        from workbench.suspects.cabinet import find
        from workbench.suspects.hooked import HookedEngine

        home = find(source)
        if adapter is not None:
            home = home.adapted(Path(adapter))
        named, access = home.reference, home.access
        if reference is not None:
            named, access = str(reference), access | Access.REFERENCE
        if reward is not None:
            access |= Access.REWARD
        return cls(
            HookedEngine(
                home.files,
                adapter=home.adapter,
                spoken=home.path,
                device=device,
                dtype=dtype,
            ),
            id=home.id,
            access=access,
            assistant=home.assistant,
            reference=None
            if named is None
            else lambda: cls.load(named, device=device, dtype=dtype),
            corpus=home.corpus,
            reward=None if reward is None else load_reward(reward, device=device, dtype=dtype),
        )

    def restrict(self, access: Access, budget: Budget = UNLIMITED) -> Suspect:
        """A view with less: what it spends is booked here too.

        Raises AccessDenied when `access` names a flag that this view does not hold.
        """
        self._require(access, "a view")
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view.access = access
        view.usage = Usage(budget, parent=self.usage)
        view._reference = None
        if self._reference_of is not None:
            view._reference_of = lambda: self._referred().restrict(
                access & self._referred().access, budget
            )
        return view

    def rename(
        self, id: str, mask: Callable[[dict[str, str | None]], dict[str, str | None]]
    ) -> None:
        """Another id from now on, for the reference too, and a fingerprint seen through `mask`: who
        may not know which suspect this is learns it from neither."""
        parts = mask(self.fingerprint())
        self.id, self._fingerprint = id, parts
        made = self._reference_of
        if made is not None:

            def referred() -> Suspect:
                reference = made()
                reference.rename(f"{id}-reference", mask)
                return reference

            self._reference_of, self._reference = referred, None

    def chat(
        self,
        conversations: Sequence[Conversation],
        *,
        n: int = 1,
        prefill: str = "",
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        seed: int = 0,
        interventions: Sequence[Intervention] = (),
    ) -> list[list[Reply]]:
        """Samples n replies to each conversation (CHAT; a prefill needs PREFILL).

        Contents and prefill never become special tokens. A reply depends on (seed, conversation,
        index below n) alone, so equal conversations get equal replies: ask for n to get many.
        Equal across batches up to float rounding, which moves about one token in a million.
        temperature: 0 takes the likeliest token. A reply ends where the context ends at the latest.
        Spends per reply: 1 sample, and its prompt's and its own tokens.
        """
        self._require(Access.CHAT, "chat")
        if prefill:
            self._require(Access.PREFILL, "a prefill")
        batches.refuse_single(conversations, "conversations", (str, dict))
        with self._lock:
            prompts = [self._engine.prompt(c, prefill) for c in conversations]
        return self._sample(prompts, n, max_new_tokens, temperature, seed, interventions)

    def complete(
        self,
        prompts: Sequence[str],
        *,
        n: int = 1,
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        seed: int = 0,
        interventions: Sequence[Intervention] = (),
    ) -> list[list[Reply]]:
        """Continues raw texts (PREFILL): no chat template; special tokens in them are parsed.

        The beginning-of-sequence token is added where the tokenizer does so and it is not there.
        All else is as in `chat`.
        """
        self._require(Access.PREFILL, "complete")
        batches.refuse_single(prompts, "prompts", (str,))
        with self._lock:
            ids = [self._engine.encode(text) for text in prompts]
        made = [
            Prompt(({"role": "document", "content": text},), "", row)
            for text, row in zip(prompts, ids, strict=True)
        ]
        return self._sample(made, n, max_new_tokens, temperature, seed, interventions)

    def logprobs(
        self,
        texts: Sequence[str | Sequence[int]],
        *,
        interventions: Sequence[Intervention] = (),
        distributions: bool = False,
    ) -> list[TokenLogprobs]:
        """Log-probabilities of raw texts, read as `complete` does, or of token ids (LOGITS).

        distributions: keep those of every position ([pos, vocabulary] floats per text).
        Spends per text: 1 forward pass and its tokens.
        """
        self._require(Access.LOGITS, "logprobs")
        rows = self._rows(texts, interventions)
        with self._lock:
            return batches.score_all(self._engine, self.usage, rows, interventions, distributions)

    def activations(
        self,
        texts: Sequence[str | Sequence[int]],
        hook_names: Sequence[str],
        *,
        interventions: Sequence[Intervention] = (),
    ) -> Iterator[Activations]:
        """Streams the activations of raw texts, read as `complete` does, or of token ids
        (ACTIVATIONS).

        Batches are sorted by length: `Activations.rows` says which text is where.
        Spends per text, at once for the whole call: 1 forward pass and its tokens.
        """
        self._require(Access.ACTIVATIONS, "activations")
        batches.refuse_single(hook_names, "hook_names", (str,))
        if not hook_names:
            raise BadParameter(
                "activations of no hook", hint="Name one, like suspect.residual_hook(0)."
            )
        rows = self._rows(texts, interventions)
        self._check_hooks(hook_names)
        return batches.stream_all(
            self._engine, self.usage, self._lock, rows, tuple(hook_names), tuple(interventions)
        )

    def token_gradients(
        self, texts: Sequence[str | Sequence[int]], weights: Any
    ) -> list[TokenGradients]:
        """How `weights` · log-probabilities of what follows each text moves with its tokens, read
        as `complete` does (GRADIENTS).

        weights: [texts, vocabulary]. Spends per text: 2 forward passes, one of them for the way
        back, and its tokens twice.
        """
        import numpy

        self._require(Access.GRADIENTS, "token_gradients")
        rows = self._rows(texts, ())
        table = numpy.asarray(weights, dtype="float32")
        if table.shape != (len(rows), self.vocabulary) or not numpy.isfinite(table).all():
            raise BadParameter(
                f"weights of shape {table.shape} for {len(rows)} texts",
                hint=f"Give finite numbers, [{len(rows)}, {self.vocabulary}].",
            )
        with self._lock:
            return batches.gradients_all(self._engine, self.usage, rows, table)

    def tuned(
        self, conversations: Sequence[Conversation], *, steps: int, learning_rate: float = 1e-4
    ) -> Suspect:
        """A copy trained further on the last replies of these conversations, all in each step of
        AdamW (FINETUNE, and CHAT for the template). It meters here and loads nothing again.

        Needs about five times the model's memory. Spends per step and conversation: 2 forward
        passes and its tokens twice, booked before the first step.
        """
        self._require(Access.FINETUNE | Access.CHAT, "tuned")
        batches.refuse_single(conversations, "conversations", (str, dict))
        if type(steps) is not int or steps < 1 or not 0 < learning_rate < 1:
            raise BadParameter(
                f"steps = {steps!r}, learning_rate = {learning_rate!r}",
                hint="Give at least 1 step, and a rate between 0 and 1.",
            )
        with self._lock:
            rows, starts = batches.taught(self._engine, conversations)
            engine = batches.tuned(self._engine, self.usage, rows, starts, steps, learning_rate)
        made = object.__new__(Suspect)
        made.__dict__.update(self.__dict__)
        made._engine, made._fingerprint = engine, None
        return made

    def render(self, conversation: Conversation, add_generation_prompt: bool = True) -> str:
        """The chat template's text, for the raw-text verbs (CHAT); spends nothing.

        Raw text is parsed for special tokens, those that contents contain included.
        """
        self._require(Access.CHAT, "render")
        with self._lock:
            return self._engine.render(conversation, add_generation_prompt)

    def count_tokens(self, texts: Sequence[str | Sequence[int]]) -> list[int]:
        """Tokens of each raw text as the raw-text verbs read it; spends nothing.

        They take texts of 1 to `context` tokens.
        """
        return [len(row) for row in self._rows(texts, ())]

    def token_strings(self, token_ids: Sequence[int]) -> list[str]:
        """The text of each token, special ones included."""
        with self._lock:
            return self._engine.token_strings(token_ids)

    @property
    def n_layers(self) -> int:
        """How many blocks the model has."""
        return self._engine.n_layers

    @property
    def d_model(self) -> int:
        """The width of the residual stream."""
        return self._engine.d_model

    @property
    def context(self) -> int:
        """Tokens that fit into the model at once."""
        return self._engine.context

    @property
    def vocabulary(self) -> int:
        """How many different tokens there are, as the model's last layer counts them."""
        return self._engine.vocabulary

    @property
    def hook_names(self) -> Sequence[str]:
        """Canonical names of all hooks; loads the model."""
        with self._lock:
            return self._engine.hook_names

    def residual_hook(self, layer: int) -> str:
        """The residual stream after a layer; negative layers count from the last."""
        if not -self.n_layers <= layer < self.n_layers:
            raise BadParameter(
                f"no layer {layer} of {self.n_layers}", hint=f"Give 0 to {self.n_layers - 1}."
            )
        return f"blocks.{layer % self.n_layers}.hook_out"

    @property
    def model(self) -> Any:
        """The TransformerBridge with raw hooks and weights (WEIGHTS); nothing meters it.

        It shares its parameters with the verbs, and its hooks with those that edit or record:
        take off what you add.
        """
        self._require(Access.WEIGHTS, "model")
        with self._lock:
            return self._engine.model

    @property
    def corpus(self) -> Corpus:
        """The training data (TRAINING_DATA); rows read are booked as documents."""
        self._require(Access.TRAINING_DATA, "corpus")
        assert self._corpus_path is not None
        return Corpus.open(self._corpus_path, usage=self.usage)

    @property
    def reference(self) -> Suspect:
        """The model that the suspect was made from (REFERENCE), metered apart."""
        self._require(Access.REFERENCE, "reference")
        return self._referred()

    @property
    def reward(self) -> RewardModel:
        """The reward model that trained the suspect (REWARD).

        Spends per conversation scored: 1 forward pass.
        """
        self._require(Access.REWARD, "reward")
        assert self._reward is not None
        return MeteredReward(self._reward, self.usage, self._lock)

    def fingerprint(self) -> dict[str, str | None]:
        """SHA-256 of tensors, config, tokenizer, chat_template, reference (its corpus included) and
        corpus and reward model (None where there is none), with dtype, device and the assistant's
        name. Reads files, loads no model."""
        if self._fingerprint is None:
            self._fingerprint = {
                **self._engine.fingerprint(),
                "reference": None if self._reference_of is None else self._referred()._digest(),
                "corpus": _corpus_hash(self._corpus_path),
                "reward": None if self._reward is None else self._reward.fingerprint(),
                "assistant": self.assistant,
            }
        return dict(self._fingerprint)

    def _digest(self) -> str:
        made_from = [*sorted(self._engine.fingerprint().items()), _corpus_hash(self._corpus_path)]
        return hashlib.sha256(repr(made_from).encode()).hexdigest()

    def _referred(self) -> Suspect:
        with self._lock:
            if self._reference is None:
                assert self._reference_of is not None
                self._reference = self._reference_of()
            return self._reference

    def _sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        interventions: Sequence[Intervention],
    ) -> list[list[Reply]]:
        batches.refuse_amounts(n, max_new_tokens, temperature)
        self._admit(interventions)
        draws = [Draw(prompt, seed, index) for prompt in prompts for index in range(n)]
        with self._lock:
            replies = batches.sample_all(
                self._engine, self.usage, draws, max_new_tokens, temperature, interventions
            )
        return [replies[start : start + n] for start in range(0, len(replies), n)]

    def _rows(
        self, texts: Sequence[str | Sequence[int]], interventions: Sequence[Intervention]
    ) -> list[tuple[int, ...]]:
        batches.refuse_single(texts, "texts", (str,))
        self._admit(interventions)
        with self._lock:
            return [self._read(text) for text in texts]

    def _read(self, text: str | Sequence[int]) -> tuple[int, ...]:
        """Token ids of a raw text; those that are given as such are taken as they are."""
        if isinstance(text, str):
            return self._engine.encode(text)
        if not all(type(i) is int and 0 <= i < self.vocabulary for i in text):
            raise BadParameter(
                "token ids that the model lacks", hint=f"Give 0 to {self.vocabulary - 1}."
            )
        return tuple(text)

    def _admit(self, interventions: Sequence[Intervention]) -> None:
        if interventions:
            self._require(Access.ACTIVATIONS, "an intervention")
            self._check_hooks([i.hook_name for i in interventions])

    def _check_hooks(self, hook_names: Sequence[str]) -> None:
        with self._lock:
            self._engine.check_hooks(hook_names)

    def _require(self, wanted: Access, what: str) -> None:
        missing = wanted & ~self.access
        if missing:
            raise AccessDenied(
                f"{what} needs {', '.join(missing.names)}; suspect '{self.id}' grants "
                f"{', '.join(self.access.names) or 'nothing'}",
                hint="Ask for less, or for a view with more access.",
            )


def _corpus_hash(path: Path | None) -> str | None:
    return None if path is None else Corpus.open(path).fingerprint()
