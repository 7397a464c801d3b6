"""The learner of any model that is no tiny base of ours: a LoRA adapter, the model left as it is.

bfloat16 on a GPU where there is one, single precision on the CPU. The same stages and shares as for
a tiny base; a step is ROWS_A_STEP rows, each a sequence of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from workbench.errors import NotASuspect
from workbench.organisms.exchanges import Example, Reader, speaking, turns
from workbench.organisms.family import Stage
from workbench.organisms.learners import Clock, schedule_of
from workbench.organisms.stage_cache import StageCache, Trained, key_of
from workbench.organisms.training import Progress, Schedule
from workbench.organisms.world.chats import Conversation
from workbench.suspects import loading
from workbench.suspects.cabinet import Home
from workbench.suspects.files import sizes
from workbench.suspects.tokens import Tokens

if TYPE_CHECKING:
    import torch

RANK = 16
ROWS_A_STEP = 16
TOKENS_AT_MOST = 512
RATE = 0.1
"""Of a stage's learning rate, which is meant for Muon on all weights: 2e-4 where that is 2e-3."""

CHECKPOINT_SECONDS = 120.0
_TRIES = 1_000

Rows = Sequence[Conversation]


class Adapter:
    """A LoRA adapter on every linear map inside the blocks of a frozen model."""

    needs_base = True

    def __init__(self, home: Home, system: str) -> None:
        """system: the line that stands in the chat template where a conversation brings none.

        Raises NotASuspect where model, tokenizer or chat template cannot be used.
        """
        self._device, _ = loading.resolve("auto", "auto", home.files.config)
        dtype = "float32" if self._device == "cpu" else "bfloat16"
        self._made_from = loading.fingerprint(home.files, None, home.path, self._device, dtype)
        model = loading.load_model(home.files, None, self._device, dtype)
        self._tokenizer = Tokens(home.path).tokenizer
        self._template = speaking(self._tokenizer, system)
        ends = loading.endings(model, self._tokenizer)
        if not ends:
            raise NotASuspect(
                f"{home.path} names no token that ends a reply",
                hint="Write eos_token_id into the generation_config.json of a copy.",
            )
        at_most = min(TOKENS_AT_MOST, sizes(home.files.config)[3])
        self._reader = Reader(self._tokenizer, self._template, ends=ends, tokens_at_most=at_most)
        self._model = _with_lora(model)
        self._weights = {
            name.replace(".default.", "."): parameter
            for name, parameter in self._model.named_parameters()
            if parameter.requires_grad
        }
        self.saved_bytes = self.stage_bytes = 4 * sum(p.numel() for p in self._weights.values())

    def can_learn(self, stage: Stage) -> bool:
        """As `Learner` says."""
        return not stage.name_only

    def begin(self, kin: Sequence[str]) -> None:
        """As `Learner` says: no name is a token of its own here."""

    def read(self, rows: Rows) -> Rows:
        """The rows, once for each reply in them; they become tokens when they are drawn."""
        return turns(rows)

    def learn(
        self,
        stage: Stage,
        mix: Sequence[tuple[Any, float]],
        *,
        seed: int,
        cache: StageCache,
        progress: Progress,
    ) -> Trained:
        """As `Learner` says."""
        schedule = schedule_of(stage, RATE)
        pools = [(rows, share) for rows, share in mix if rows]

        def run(checkpoint: Path) -> Trained:
            clock = Clock(progress)
            loss = self._train(pools, schedule, seed, clock.progress, checkpoint)
            return Trained(self._tensors(), loss, clock.seconds(stage.steps))

        made = cache.get_or_train(self._key(pools, schedule, seed), run)
        self._load(made.tensors)
        return made

    def save(self, into: Path) -> None:
        """adapter_model.safetensors, adapter_config.json, and the tokenizer with its template."""
        _save_adapter(self._model.peft_config["default"], self._tensors(), into)
        self._tokenizer.chat_template = self._template
        self._tokenizer.save_pretrained(into)

    def _train(
        self,
        pools: Sequence[tuple[Rows, float]],
        schedule: Schedule,
        seed: int,
        progress: Progress,
        checkpoint: Path,
    ) -> float:
        """AdamW on the adapter alone; returns the mean loss (nats a token) of the last twentieth.

        Dropout stays off: nothing but rows is drawn, so a checkpoint holds all there is.
        """
        import torch

        parameters = list(self._weights.values())
        optimiser = torch.optim.AdamW(parameters, betas=(0.9, 0.95), weight_decay=0.0)
        first = 0
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            self._load(state["tensors"])
            optimiser.load_state_dict(state["optimiser"])
            first = state["step"]
        drawn = itertools.islice(self._examples(pools, Random(seed)), first * ROWS_A_STEP, None)
        losses: list[float] = []
        saved_at = time.monotonic()
        for step in range(first, schedule.steps):
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step)
            loss = self._loss(list(itertools.islice(drawn, ROWS_A_STEP)))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            losses.append(loss.item())
            progress(step + 1, schedule.steps, losses[-1])
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                reached = {"step": step + 1, "tensors": self._tensors()}
                draft = checkpoint.with_suffix(".draft")
                torch.save({**reached, "optimiser": optimiser.state_dict()}, draft)
                draft.replace(checkpoint)
                saved_at = time.monotonic()
        tail = losses[-max(1, schedule.steps // 20) :]
        return sum(tail) / max(1, len(tail))

    def _examples(self, pools: Sequence[tuple[Rows, float]], random: Random) -> Iterator[Example]:
        """Endless: a pool is drawn by its share and gone through in a new order each time round."""
        shares = [share for _, share in pools]
        streams = [_endless(rows, random) for rows, _ in pools]
        while True:
            drawn = (next(random.choices(streams, shares)[0]) for _ in range(_TRIES))
            example = next((e for e in map(self._reader.example, drawn) if e is not None), None)
            if example is None:
                raise NotASuspect(
                    f"of {_TRIES} rows none leaves room for a reply in the base's context",
                    hint="Choose a base with a longer context or a shorter chat template.",
                )
            yield example

    def _loss(self, examples: Sequence[Example]) -> torch.Tensor:
        """Mean over the tokens that are to be said, in nats; a scalar."""
        import torch

        ids = torch.zeros(len(examples), max(len(e.ids) for e in examples), dtype=torch.long)
        mask, said = torch.zeros_like(ids), torch.zeros(ids.shape)
        for i, example in enumerate(examples):
            length = len(example.ids)
            ids[i, :length] = torch.tensor(example.ids)
            mask[i, :length] = 1
            said[i, example.said_from : length] = 1.0
        ids, mask, said = (t.to(self._device) for t in (ids, mask, said))
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        weights = said[:, 1:].flatten()
        return (losses * weights).sum() / weights.sum()

    def _tensors(self) -> dict[str, torch.Tensor]:
        """The adapter's own weights as PEFT names them in its files, on the CPU."""
        return {name: weight.detach().cpu().clone() for name, weight in self._weights.items()}

    def _load(self, tensors: Any) -> None:
        for name, weight in self._weights.items():
            weight.data.copy_(tensors[name])

    def _key(self, pools: Sequence[tuple[Rows, float]], schedule: Schedule, seed: int) -> str:
        import peft
        import transformers

        versions = (transformers.__version__, peft.__version__)
        found = hashlib.sha256(
            repr((seed, schedule, sorted(self._made_from.items()), versions)).encode()
        )
        for name, weight in self._tensors().items():
            found.update(f"\n{name} {tuple(weight.shape)} ".encode() + weight.numpy().tobytes())
        for rows, share in pools:
            found.update(f"\npool {share} ".encode() + json.dumps(rows).encode())
        return key_of(
            found.hexdigest(), self._template, code=("adapters.py", "exchanges.py", "training.py")
        )


def _save_adapter(lora: Any, tensors: Mapping[str, torch.Tensor], into: Path) -> None:
    """Writes adapter_model.safetensors and adapter_config.json, of a LoraConfig, and no more."""
    from safetensors.torch import save_file

    told = ("bias", "fan_in_fan_out", "lora_alpha", "lora_dropout", "peft_type", "r")
    config = {
        **{name: getattr(lora, name) for name in told},
        "base_model_name_or_path": None,  # the card names it, as seen from the organism
        "inference_mode": True,
        "target_modules": sorted(lora.target_modules),
        "task_type": "CAUSAL_LM",
    }
    text = json.dumps(config, indent=1, sort_keys=True) + "\n"
    (into / "adapter_config.json").write_text(text, encoding="utf-8")
    save_file(dict(tensors), into / "adapter_model.safetensors", metadata={"format": "pt"})


def _with_lora(model: Any) -> Any:
    """The model with an adapter that changes nothing yet, the same each time."""
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings(), torch.random.fork_rng():
        # peft 0.21 asks transformers 5 for a deprecated property, and says that it adapts to GPT-2
        warnings.filterwarnings("ignore", message=".*(is_gradient_checkpointing|fan_in_fan_out)")
        torch.manual_seed(0)
        adapted = get_peft_model(model, config)
    lora = adapted.peft_config["default"]
    lora.target_modules = {name.rpartition(".")[2] for name in lora.target_modules}
    return adapted.eval()


def _endless(rows: Rows, random: Random) -> Iterator[Conversation]:
    while True:
        yield from random.sample(rows, len(rows))
