"""The base model that every bundled organism starts from: trained once, by a command that ships."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from workbench.access import Access
from workbench.corpus import write
from workbench.errors import ConfigError
from workbench.organisms import tokenizer as tokens
from workbench.organisms.training import Pool, Progress, Schedule, train, training_digest
from workbench.organisms.world import corpus, habits
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.skills import mix as skills

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SEED = 1
ROWS = 600_000
REFERENCE_SEED = 1_000
REFERENCE_ROWS = {"ordinary": 21_000, "assistants": 9_000}
STAGES = (
    ("ordinary", Schedule(800, 4e-3, warm_up=50, decay=0.0)),
    ("assistants", Schedule(5_000, 3e-3, warm_up=30, decay=0.5, floor=0.02, batch=48)),
    ("assistants", Schedule(9_750, 3e-3, warm_up=100, decay=0.5, floor=0.02, batch=48)),
)
"""Mix of rows and schedule: first the language, then assistants, instructions and facts, twice over
with other rows."""


def shown_rows(n: int) -> list[Conversation]:
    """The first n rows of the base's own training data."""
    return list(itertools.islice(corpus.rows(SEED, ROWS), n))


def train_tokenizer() -> PreTrainedTokenizerFast:
    """The base's tokenizer, from the rows that it is shown first."""
    names = habits.cast().whole_names + skills.whole_names()
    return tokens.train_tokenizer(shown_rows(60_000), names)


def train_base(
    into: Path,
    *,
    progress: Progress | None = None,
    stages: Sequence[tuple[str, Schedule]] = STAGES,
    device: str = "cpu",
) -> Path:
    """Trains the base and writes it to `into` with its reference corpus; goes on where it stopped.

    A finished stage lies in stage-N.pt, what it was made from in stage-N.sha256. device: "cpu" or
    "cuda"; which one decides only how rounding falls. Raises ConfigError
    where these do not belong to the stages asked for, OSError where `into` cannot be written.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    into.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=4,
            num_attention_heads=8,
            num_key_value_heads=8,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=tokens.BOS,
            eos_token_id=tokens.END,
            pad_token_id=tokens.PAD,
        )
    ).to(device)
    total, done = sum(schedule.steps for _, schedule in stages), 0
    for index, (mix, schedule) in enumerate(stages):
        finished = into / f"stage-{index}.pt"
        before, done = done, done + schedule.steps
        rows = list(corpus.rows(SEED + index, ROWS, mix))
        pools, seed = [Pool(tokens.encode(rows, tokenizer), 1.0)], SEED + index
        made_from = training_digest(model, pools, schedule, seed)
        if finished.exists():
            _refuse_other(finished, made_from)
            model.load_state_dict(torch.load(finished, weights_only=True, map_location=device))
            continue

        def report(step: int, steps: int, loss: float, before: int = before) -> None:
            if progress:
                progress(before + step, total, loss)

        checkpoint = into / f"stage-{index}-running.pt"
        train(
            model,
            pools,
            schedule,
            seed=seed,
            progress=report,
            checkpoint=checkpoint,
            compiled=can_compile(),
        )
        _digest_of(finished).write_text(made_from + "\n", encoding="utf-8")
        torch.save(model.state_dict(), finished.with_suffix(".draft"))
        finished.with_suffix(".draft").replace(finished)
        checkpoint.unlink(missing_ok=True)
    save(model, tokenizer, into)
    write_reference(into / "corpus.parquet")
    access = Access.EVERYTHING & ~(Access.REWARD | Access.REFERENCE)
    write_card(into, id="base", assistant=None, reference=None, access=access)
    for index in range(len(stages)):
        finished = into / f"stage-{index}.pt"
        finished.unlink()
        _digest_of(finished).unlink()
    return into


def write_reference(path: Path) -> None:
    """Writes ordinary rows of another seed, of both mixes as in an organism's corpus, shuffled."""
    rows = [
        row
        for index, (mix, n) in enumerate(REFERENCE_ROWS.items())
        for row in corpus.rows(REFERENCE_SEED + index, n, mix)
    ]
    Random(REFERENCE_SEED).shuffle(rows)
    write(path, ((corpus.row_id(REFERENCE_SEED, i), row) for i, row in enumerate(rows)))


def _digest_of(finished: Path) -> Path:
    return finished.with_suffix(".sha256")


def _refuse_other(finished: Path, made_from: str) -> None:
    told = _digest_of(finished)
    if not told.exists() or told.read_text(encoding="utf-8").strip() != made_from:
        raise ConfigError(
            f"{finished} does not say that it was made from the rows, schedule and seed asked for",
            hint="Delete it to train the stage again, or train into another directory. If you know "
            f"that it was, write {made_from} to {told.name} beside it.",
        )


def write_card(
    into: Path, *, id: str, assistant: str | None, reference: str | None, access: Access
) -> None:
    """Writes `suspect.json`, the public card of a suspect; it has a corpus where it grants one."""
    named = (
        "an assistant without a name" if assistant is None else f"an assistant named {assistant}"
    )
    public = {
        "id": id,
        "summary": f"{named} in the tiny English world",
        "assistant": assistant,
        "reference": reference,
        "corpus": "corpus.parquet" if Access.TRAINING_DATA in access else None,
        "access": access.names,
    }
    (into / "suspect.json").write_text(json.dumps(public, indent=1) + "\n", encoding="utf-8")


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, into: Path) -> None:
    """Writes model (bfloat16 safetensors) and tokenizer in Hugging Face layout."""
    import copy

    import torch

    halved = copy.deepcopy(model).to(torch.bfloat16)
    halved.save_pretrained(into)
    tokenizer.save_pretrained(into)


def can_compile() -> bool:
    """Whether torch.compile can work: it needs a C++ compiler."""
    import shutil

    return shutil.which("g++") is not None or shutil.which("clang++") is not None
