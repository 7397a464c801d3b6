"""Tiny random models, saved by transformers, once per test session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|system|>you are tiny<|end|>{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<pad>", "<bos>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
TEXTS = [
    "The red cat sleeps near the old house.",
    "A small dog eats bread and drinks water in the garden.",
    "Why does the fox sing? Because the moon is bright tonight.",
    "One, two, three: the river runs past seven hills.",
]


@pytest.fixture(scope="session")
def save_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Path]:
    """Saves a model with a small trained byte-level BPE tokenizer with chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bytes_of = pre_tokenizers.ByteLevel
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = bytes_of(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=bytes_of.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<bos>",
        eos_token="<|end|>",
        pad_token="<pad>",
        additional_special_tokens=SPECIAL[2:5],
    )
    tokenizer.chat_template = TEMPLATE

    def save(model: Any) -> Path:
        path = tmp_path_factory.mktemp(type(model).__name__)
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        return path

    return save


_SHAPE: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 5,
    "pad_token_id": 0,
    "tie_word_embeddings": True,
    "initializer_range": 0.2,
}


def _seeded(kind: str, config: Any) -> Any:
    import torch
    import transformers

    torch.manual_seed(0)
    return getattr(transformers, kind)(config)


@pytest.fixture(scope="session")
def llama(save_model: Callable[[Any], Path]) -> Path:
    from transformers import LlamaConfig

    return save_model(_seeded("LlamaForCausalLM", LlamaConfig(**_SHAPE)))


@pytest.fixture(scope="session")
def gpt2(save_model: Callable[[Any], Path]) -> Path:
    from transformers import GPT2Config

    config = GPT2Config(
        vocab_size=400,
        n_embd=32,
        n_layer=3,
        n_head=4,
        n_positions=128,
        bos_token_id=1,
        eos_token_id=5,
        pad_token_id=0,
        initializer_range=0.2,
    )
    return save_model(_seeded("GPT2LMHeadModel", config))


@pytest.fixture(scope="session")
def qwen3(save_model: Callable[[Any], Path]) -> Path:
    from transformers import Qwen3Config

    return save_model(_seeded("Qwen3ForCausalLM", Qwen3Config(**_SHAPE, head_dim=8)))


@pytest.fixture(scope="session")
def gemma3(save_model: Callable[[Any], Path]) -> Path:
    from transformers import Gemma3TextConfig

    config = Gemma3TextConfig(
        **_SHAPE, head_dim=8, sliding_window=16, query_pre_attn_scalar=8, sliding_window_pattern=2
    )
    return save_model(_seeded("Gemma3ForCausalLM", config))


@pytest.fixture(params=["llama", "gpt2", "qwen3", "gemma3"], scope="session")
def tiny(request: pytest.FixtureRequest) -> Path:
    """Each of the tiny models in turn."""
    path: Path = request.getfixturevalue(request.param)
    return path
