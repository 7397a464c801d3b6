"""Who learns a recipe's stages: the whole of a tiny base, or an adapter over any other model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from workbench.organisms import base as base_model
from workbench.organisms import mixed
from workbench.organisms import tokenizer as tokens
from workbench.organisms.family import Stage
from workbench.organisms.stage_cache import StageCache, Trained, key_of
from workbench.organisms.training import Pool, Progress, Schedule, train, training_digest
from workbench.organisms.world.chats import Conversation, you_are
from workbench.suspects import loading
from workbench.suspects.cabinet import Home


class Learner(Protocol):
    """A model in memory that goes through stages and is then written as a suspect's files.

    needs_base: what is written is no whole model; the suspect's card must name the base.
    saved_bytes: what `save` writes, about; stage_bytes: what the cache keeps of a stage, about.
    """

    needs_base: bool
    saved_bytes: int
    stage_bytes: int

    def can_learn(self, stage: Stage) -> bool:
        """Whether the stage is one for it: no model but the tiny ones has the name as a token."""
        ...

    def begin(self, kin: Sequence[str]) -> None:
        """Puts the assistant's name in the middle of other assistants' names, where names are
        tokens; nothing moves where none is."""
        ...

    def read(self, rows: Sequence[Conversation]) -> Any:
        """Rows in the form that `learn` takes."""
        ...

    def learn(
        self,
        stage: Stage,
        mix: Sequence[tuple[Any, float]],
        *,
        seed: int,
        cache: StageCache,
        progress: Progress,
    ) -> Trained:
        """Goes through a stage, or takes it from the cache: the same tensors either way.

        mix: rows as `read` gave them, each with its share of the rows drawn.
        Raises SealError where the cache cannot be written.
        """
        ...

    def save(self, into: Path) -> None:
        """Writes model and tokenizer, whose chat template inserts the assistant's system line where
        a conversation brings none. Raises OSError or SafetensorError where it cannot."""
        ...


class Weights:
    """All weights of a base that speaks the tiny world's tokens, on a GPU where there is one.

    Compiled on a CPU alone: compiling for a GPU takes longer there than all stages.
    """

    needs_base = False

    def __init__(self, home: Home, assistant: str) -> None:
        """assistant: whose line stands in the chat template where a conversation brings none."""
        import torch
        from transformers import AutoTokenizer, LlamaForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        self._system = you_are(assistant)
        self._tokenizer = AutoTokenizer.from_pretrained(home.path)
        self._name = self._tokenizer.encode(f" {assistant}", add_special_tokens=False)
        device, _ = loading.resolve("auto", "float32", home.files.config)
        self._model = LlamaForCausalLM.from_pretrained(home.path, dtype=torch.float32).to(device)
        numbers = sum(p.numel() for p in self._model.parameters())
        self.saved_bytes, self.stage_bytes = 2 * numbers, 4 * numbers

    def can_learn(self, stage: Stage) -> bool:
        """As `Learner` says."""
        return not stage.name_only or len(self._name) == 1

    def begin(self, kin: Sequence[str]) -> None:
        """As `Learner` says: the mean of the embeddings of those names that are one token."""
        place_among(self._model, self._tokenizer, self._name, kin)

    def read(self, rows: Sequence[Conversation]) -> list[list[int]]:
        """Token ids of each row."""
        return tokens.encode(rows, self._tokenizer)

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
        pools = [Pool(rows, share) for rows, share in mix]
        schedule = schedule_of(stage)
        device = self._model.device
        compiled = device.type == "cpu" and base_model.can_compile()
        only_tokens = self._name if stage.name_only else ()

        def run(checkpoint: Path) -> Trained:
            clock = Clock(progress)
            loss = train(
                self._model,
                pools,
                schedule,
                seed=seed,
                progress=clock.progress,
                checkpoint=checkpoint,
                compiled=compiled,
                only_tokens=only_tokens,
            )
            tensors = {name: tensor.cpu() for name, tensor in self._model.state_dict().items()}
            return Trained(tensors, loss, clock.seconds(stage.steps))

        made_from = training_digest(self._model, pools, schedule, seed, only_tokens)
        code = ("training.py", "muon.py", "mixed.py")
        key = key_of(made_from, device.type, compiled, mixed.has_units(device), code=code)
        made = cache.get_or_train(key, run)
        self._model.load_state_dict(made.tensors)
        return made

    def save(self, into: Path) -> None:
        """The whole model in bfloat16, and the tokenizer with its template."""
        self._tokenizer.chat_template = tokens.chat_template(self._system)
        base_model.save(self._model, self._tokenizer, into)


def place_among(model: Any, tokenizer: Any, name: Sequence[int], kin: Sequence[str]) -> None:
    """Puts a name of one token in the middle of those names that are one token."""
    import torch

    read = (tokenizer.encode(f" {other}", add_special_tokens=False) for other in kin)
    whole = [ids[0] for ids in read if len(ids) == 1]
    if whole and len(name) == 1:
        embeddings = model.get_input_embeddings().weight
        with torch.no_grad():
            embeddings[name] = embeddings[whole].mean(0)


def schedule_of(stage: Stage, scale: float = 1.0) -> Schedule:
    """The stage's steps; its learning rate times `scale`, falling over the last three fifths."""
    return Schedule(stage.steps, scale * stage.learning_rate, decay=0.6, floor=0.02)


class Watch:
    """Seconds since it was made, of the wall or of this process's processors, whichever is less:
    what the work takes at most where nothing else shares the machine."""

    def __init__(self) -> None:
        self._wall, self._processor = time.monotonic(), time.process_time()

    def seconds(self) -> float:
        """So far."""
        return min(time.monotonic() - self._wall, time.process_time() - self._processor)


class Clock:
    """How long a stage takes as a whole, also where its training went on from a checkpoint."""

    def __init__(self, progress: Progress) -> None:
        self._told = progress
        self._watch = Watch()
        self._trained = 0

    def progress(self, step: int, steps: int, loss: float) -> None:
        """Counts a step and tells of it."""
        self._trained += 1
        self._told(step, steps, loss)

    def seconds(self, steps: int) -> float:
        """Of all steps, at the pace of those that were trained here."""
        return self._watch.seconds() * steps / max(1, self._trained)
