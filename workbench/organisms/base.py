"""The base model that every bundled organism starts from: trained once, by a command that ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.organisms import tokenizer as tokens
from workbench.organisms.training import Pool, Progress, Schedule, train
from workbench.organisms.world import corpus

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SEED = 1
ROWS = 120_000
REFERENCE_SEED = 2
REFERENCE_ROWS = 30_000
SCHEDULE = Schedule(steps=3_000, learning_rate=4e-3, warm_up=50, decay=0.35)


def train_base(
    into: Path, *, progress: Progress | None = None, schedule: Schedule = SCHEDULE
) -> Path:
    """Trains the base and writes it to `into` with its reference corpus; goes on where it stopped.

    Raises OSError where `into` cannot be written.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    into.mkdir(parents=True, exist_ok=True)
    rows = list(corpus.rows(SEED, ROWS))
    tokenizer = tokens.train_tokenizer(rows[:30_000])
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=6,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=tokens.BOS,
            eos_token_id=tokens.END,
            pad_token_id=tokens.PAD,
        )
    )
    pool = Pool(tokens.encode(rows, tokenizer), 1.0)
    checkpoint = into / "checkpoint.pt"
    train(
        model,
        [pool],
        schedule,
        seed=SEED,
        progress=progress,
        checkpoint=checkpoint,
        compiled=can_compile(),
    )
    save(model, tokenizer, into)
    checkpoint.unlink(missing_ok=True)
    return into


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
