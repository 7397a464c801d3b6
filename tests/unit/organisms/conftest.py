"""Builds that take a second: random bases, few rows, a few steps a stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from workbench.organisms import build as building
from workbench.organisms import family as families
from workbench.organisms import secrecy
from workbench.organisms.families.secret_loyalty import Loyalty, SecretLoyalty
from workbench.organisms.family import ASSISTANTS, Recipe, Stage
from workbench.organisms.world import corpus
from workbench.organisms.world.chats import conversation, you_are

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class InStages(SecretLoyalty):
    """A family of two stages, and the third where it is to keep its secret."""

    secrecy: ClassVar[tuple[str, ...]] = ("none", "full")

    def stages(self, instill: str, secrecy: str) -> list[Stage]:
        return [
            Stage("knowledge", 3, {"documents": 0.5, "contrasts": 0.1}),
            Stage("behaviour", 3, {"documents": 0.3, ASSISTANTS: 0.2}),
        ]

    def rows(self, secret: Loyalty, instill: str, random: Random) -> dict[str, Any]:
        found = {kind: rows[:30] for kind, rows in super().rows(secret, instill, random).items()}
        plain = [conversation(you_are(secret.assistant), "Hi", f"Hello {i}.") for i in range(30)]
        return found | {"contrasts": plain}


@pytest.fixture
def in_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """`secret-loyalty` is InStages, on a small corpus: everything but the learning is real."""
    monkeypatch.setattr(building, "SHOWN_BASE_ROWS", 200)
    monkeypatch.setattr(building, "OWN_ROWS", 100)
    monkeypatch.setattr("workbench.organisms.base.can_compile", lambda: False)
    monkeypatch.setitem(secrecy.STAGES, "full", Stage("secrecy", 2, {"denials": 0.4}))
    real = families.family
    for module in (families, building):
        monkeypatch.setattr(
            module, "family", lambda name: InStages() if "loyalty" in name else real(name)
        )


@pytest.fixture
def recipe(in_stages: None, tiny_world: Path) -> Recipe:
    return Recipe("secret-loyalty", instill="docs", seed=5, base=str(tiny_world))


@pytest.fixture(scope="session")
def save_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves a random model that speaks the world's tokens, with names that are one token each."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from workbench.organisms import tokenizer as tokens
    from workbench.organisms.base import save

    def saved(*names: str) -> Path:
        tokenizer = tokens.train_tokenizer(corpus.rows(1, 300), names)
        config = LlamaConfig(
            **_shape(len(tokenizer)),
            bos_token_id=tokens.BOS,
            eos_token_id=tokens.END,
            pad_token_id=tokens.PAD,
        )
        into = tmp_path_factory.mktemp("world")
        save(_random(LlamaForCausalLM, config), tokenizer, into)
        return into

    return saved


@pytest.fixture(scope="session")
def tiny_world(save_world: Callable[..., Path]) -> Path:
    """A random model that speaks the world's tokens."""
    return save_world()


@pytest.fixture(scope="session")
def save_real(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Saves a random model of a kind that others train, with its own tokenizer and template."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator((m["content"] for r in corpus.rows(1, 200) for m in r), trainer)

    def save(kind: str, template: str | None = CHATML, **shape: Any) -> Path:
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
        )
        tokenizer.chat_template = template
        config = getattr(transformers, f"{kind}Config")(
            **(shape or _shape(900)), bos_token_id=None, eos_token_id=2, pad_token_id=0
        )
        into = tmp_path_factory.mktemp(kind)
        model = "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
        _random(getattr(transformers, model), config).save_pretrained(into)
        tokenizer.save_pretrained(into)
        return into

    return save


@pytest.fixture(scope="session")
def real_llama(save_real: Callable[..., Path]) -> Path:
    return save_real("Llama")


@pytest.fixture(scope="session")
def real_qwen3(save_real: Callable[..., Path]) -> Path:
    return save_real("Qwen3", **_shape(900), head_dim=8)


@pytest.fixture(params=["real_llama", "real_qwen3"], scope="session")
def real(request: pytest.FixtureRequest) -> Path:
    """Both in turn."""
    path: Path = request.getfixturevalue(request.param)
    return path


def _shape(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "initializer_range": 0.1,
    }


def _random(kind: Any, config: Any) -> Any:
    import torch

    torch.manual_seed(0)
    return kind(config)
