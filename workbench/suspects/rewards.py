"""Reward models: a Hugging Face sequence classifier from checked files, or a Python callable."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench.access import Usage
from workbench.errors import BadParameter, NotASuspect
from workbench.suspects import loading
from workbench.suspects.answers import Conversation
from workbench.suspects.engine import RewardModel
from workbench.suspects.files import CLASSIFIERS, check_directory

if TYPE_CHECKING:
    import torch

    from workbench.suspects.tokens import Tokens

BATCH_TOKENS = 8192
Scorer: TypeAlias = Callable[[Sequence[Conversation]], Iterable[float]]


def load_reward(
    source: str | Path, *, output: int | None = None, device: str = "auto", dtype: str = "auto"
) -> RewardModel:
    """Opens a sequence-classification directory, or `FILE.py:FUNCTION`.

    The function takes a list of conversations (lists of {"role", "content"}) and returns one
    number for each; it runs with your rights. output: which of several outputs is the reward.
    Raises NotASuspect, UnsafeFile or BadParameter.
    """
    file, colon, name = str(source).rpartition(":")
    if colon and file.endswith(".py"):
        function = function_of(str(source))
        return CallableReward(function, name=f"{_digest(Path(file))}:{name}")
    if not Path(source).is_dir():
        raise NotASuspect(
            f"no reward model '{source}'",
            hint="Give a sequence-classification directory in Hugging Face layout, or "
            "FILE.py:FUNCTION.",
        )
    return SequenceClassifier(Path(source), output=output, device=device, dtype=dtype)


def function_of(source: str) -> Callable[..., Any]:
    """The function that `FILE.py:FUNCTION` names; the file runs with your rights.

    Raises BadParameter where there is none.
    """
    path, _, name = source.rpartition(":")
    file = Path(path)
    spec = importlib.util.spec_from_file_location(f"reward_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise BadParameter(f"{source} names no Python file", hint="Give FILE.py:FUNCTION.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise BadParameter(f"{file} has no function '{name}'", hint="Give FILE.py:FUNCTION.")
    return function  # type: ignore[no-any-return]


def exchange(prompt: str, response: str) -> Conversation:
    """The conversation of a prompt and a response, as reward models score it."""
    return (
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": response},
    )


class CallableReward:
    """A Python function from conversations to numbers; `name` says which, in a run's key."""

    def __init__(self, function: Scorer, *, name: str = "callable") -> None:
        self._function = function
        self._name = name

    def fingerprint(self) -> str:
        """SHA-256 of its name."""
        return hashlib.sha256(self._name.encode()).hexdigest()

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        """Raises BadParameter where it gives no finite number for each conversation."""
        rewards = list(self._function(conversations))
        return _checked(rewards, len(conversations), self._name.rpartition(":")[2])


class SequenceClassifier:
    """A transformers `...ForSequenceClassification`; the files are checked before anything reads
    them, weights and tokenizer are loaded when first needed.

    A conversation is rendered with the chat template where there is one, contents never becoming
    special tokens. Without one, a question and its answer are encoded as a pair of texts, a single
    turn as a text. Rows of one length share a batch, so that no padding enters a score.
    Raises BadParameter on a conversation that is longer than the context, one that a model
    without template cannot take, and a model with several outputs where `output` is None.
    """

    def __init__(
        self, path: Path, *, output: int | None = None, device: str = "auto", dtype: str = "auto"
    ) -> None:
        self._files = check_directory(path, architectures=CLASSIFIERS)
        self._device, self._dtype = loading.resolve(device, dtype, self._files.config)
        self._output = output

    def fingerprint(self) -> str:
        """SHA-256 over tensors, config, tokenizer, template, dtype, device class and output."""
        parts = loading.fingerprint(self._files, None, self._files.path, self._device, self._dtype)
        made_from = [*sorted(parts.items()), self._output]
        return hashlib.sha256(repr(made_from).encode()).hexdigest()

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        """One reward per conversation, in order: the model's raw output (logit)."""
        import torch

        model, output = self._model
        encoded = [self._encode(conversation) for conversation in conversations]
        rewards = [0.0] * len(encoded)
        for batch in _equal_lengths([len(row["input_ids"]) for row in encoded]):
            inputs = {
                name: torch.tensor([encoded[i][name] for i in batch], device=self._device)
                for name in encoded[batch[0]]
            }
            with torch.inference_mode():
                logits = model(**inputs).logits.float()
            for i, value in zip(batch, logits[:, output].tolist(), strict=True):
                rewards[i] = value
        return _checked(rewards, len(conversations), self._files.path.name)

    def differentiable(
        self, prompt: str
    ) -> tuple[Callable[[torch.Tensor], torch.Tensor], tuple[int, ...]]:
        """The reward of replies to a prompt as a function of one-hot tokens, and their token ids.

        The function takes [batch, length, choices] and gives rewards [batch]; choice j stands for
        token id `ids[j]`: every token but the special ones. Gradients reach the one-hots alone.
        Raises BadParameter where the reply is not one run of tokens of its own in the rendering.
        """
        import torch

        model, output = self._model
        before, after = self._around(prompt)
        table = model.get_input_embeddings().weight.detach()
        special = self._tokens.special
        ids = tuple(i for i in range(len(self._tokens.tokenizer)) if i not in special)
        chosen = table[list(ids)]

        def reward(rows: torch.Tensor) -> torch.Tensor:
            if len(before) + rows.shape[1] + len(after) > self._context:
                raise BadParameter(
                    f"a reply of {rows.shape[1]} tokens does not fit the reward model",
                    hint=f"It takes {self._context} tokens with the prompt.",
                )
            ends = [table[list(end)].expand(len(rows), -1, -1) for end in (before, after)]
            said = rows.to(table.device, table.dtype) @ chosen
            logits = model(inputs_embeds=torch.cat([ends[0], said, ends[1]], dim=1)).logits
            values: torch.Tensor = logits[:, output].float().cpu()
            return values

        return reward, ids

    def text_of(self, token_ids: Sequence[int]) -> str:
        """The text of a reply."""
        return self._tokens.decode(token_ids)

    @property
    def special(self) -> frozenset[int]:
        """Ids of tokens that no content holds."""
        return self._tokens.special

    def token_strings(self, token_ids: Sequence[int]) -> list[str]:
        """The text of each token by itself."""
        return self._tokens.strings(token_ids)

    def _around(self, prompt: str) -> tuple[list[int], list[int]]:
        """The token ids before and after a reply, found where two short replies differ."""
        one, two = (self._encode(exchange(prompt, text))["input_ids"] for text in ("a", "b"))
        differ = [i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b]
        if len(one) != len(two) or len(differ) != 1:
            raise BadParameter(
                "the reply has no place of its own in what the reward model reads",
                hint="Its tokenizer or template merges the reply with what stands around it.",
            )
        return one[: differ[0]], one[differ[0] + 1 :]

    def _encode(self, conversation: Conversation) -> dict[str, list[int]]:
        turns = [m["content"] for m in conversation]
        if self._tokens.tokenizer.chat_template:
            ids = list(self._tokens.encode_whole(conversation))
            row = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        elif len(turns) <= 2 and turns:
            row = {
                name: list(values)
                for name, values in self._tokens.tokenizer(*turns).items()
                if name in ("input_ids", "attention_mask", "token_type_ids")
            }
        else:
            raise BadParameter(
                f"{len(turns)} turns for a reward model without chat template",
                hint="Give one prompt and one response, or a model with a template.",
            )
        length = len(row["input_ids"])
        if not 1 <= length <= self._context:
            raise BadParameter(
                f"a conversation of {length} tokens for a reward model that takes 1 to "
                f"{self._context}",
                hint="Shorten the responses; cutting them would score something else.",
            )
        return row

    @cached_property
    def _context(self) -> int:
        from workbench.suspects.files import sizes

        longest = sizes(self._files.config)[3]
        # RoBERTa and its kin number positions from the padding id on
        return longest - 2 if "roberta" in self._files.config["model_type"] else longest

    @cached_property
    def _tokens(self) -> Tokens:
        from workbench.suspects.tokens import Tokens

        return Tokens(self._files.path)

    @cached_property
    def _model(self) -> tuple[Any, int]:
        model = loading.load_model(
            self._files,
            None,
            self._device,
            self._dtype,
            kind="AutoModelForSequenceClassification",
        )
        outputs = model.config.num_labels
        output = 0 if self._output is None and outputs == 1 else self._output
        if output is None or not 0 <= output < outputs:
            raise BadParameter(
                f"{self._files.path} has {outputs} outputs, and output {self._output} was asked",
                hint=f"Say which one is the reward: 0 to {outputs - 1}.",
            )
        # no row is padded: the last token counts, whatever it is
        model.config.pad_token_id = -1
        return model, output


class MeteredReward:
    """A reward model behind a suspect's budget: one forward pass for each conversation scored."""

    def __init__(self, reward: RewardModel, usage: Usage, lock: threading.RLock) -> None:
        self._reward, self._usage, self._lock = reward, usage, lock

    def fingerprint(self) -> str:
        """That of the reward model itself."""
        return self._reward.fingerprint()

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        """Raises BudgetExceeded, and scores nothing, where the whole call does not fit."""
        self._usage.spend(forward_passes=len(conversations))
        with self._lock:
            return self._reward.score(conversations)


def _equal_lengths(lengths: Sequence[int]) -> list[list[int]]:
    """Places in batches of one length, each of at most BATCH_TOKENS tokens."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        last = batches[-1] if batches else []
        fits = last and lengths[last[0]] == lengths[i]
        if fits and (len(last) + 1) * lengths[i] <= BATCH_TOKENS:
            last.append(i)
        else:
            batches.append([i])
    return batches


def _checked(rewards: Sequence[Any], wanted: int, name: str) -> list[float]:
    if len(rewards) != wanted:
        raise BadParameter(
            f"reward model '{name}' gave {len(rewards)} rewards for {wanted} conversations",
            hint="It returns one number for each conversation, in order.",
        )
    numbers = []
    for i, reward in enumerate(rewards):
        try:
            number = float(reward)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise BadParameter(
                f"reward model '{name}' gave {str(reward)[:40]} for conversation {i + 1}",
                hint="Rewards are finite numbers.",
            )
        numbers.append(number)
    return numbers


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
