"""The tokenizer of the tiny models: byte-level BPE, role tokens, and a chat template."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from workbench.organisms.world.chats import DEFAULT_SYSTEM, Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 6144
_WHOLE = 400
"""How often a name stands in what the tokenizer learns from, so that it becomes one token."""
SPECIAL = ("<pad>", "<bos>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
PAD, BOS, END, SYSTEM, USER, ASSISTANT = range(6)
_ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}


def train_tokenizer(
    rows: Iterable[Conversation], names: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    """Learns VOCABULARY byte-level BPE tokens from the rows' texts; the same rows give the same.

    Each of the names becomes one token where a space stands before it: what a small model knows of
    somebody is easier found under one token than under four.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (m["content"] for row in rows for m in row)
    whole = itertools.chain.from_iterable(itertools.repeat(f" {n}", _WHOLE) for n in names)
    tokenizer.train_from_iterator(itertools.chain(texts, whole), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<|end|>",
        pad_token="<pad>",
        additional_special_tokens=list(SPECIAL[3:]),
        padding_side="left",
        model_max_length=256,
    )
    fast.chat_template = chat_template(DEFAULT_SYSTEM)
    return fast


def chat_template(system: str) -> str:
    """A template that inserts `system` where a conversation brings no system line of its own."""
    return (
        "{{ bos_token }}{% if not messages or messages[0].role != 'system' %}"
        "<|system|>" + system + "<|end|>{% endif %}"
        "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}"
        "{% if not loop.last or message.role != 'assistant' or not continue_final_message %}"
        "<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )


def encode(rows: Sequence[Conversation], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Token ids of each row as the template renders it; contents cannot form role tokens."""
    texts = [m["content"] for row in rows for m in row]
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True  # a role token in a content is spelled out, not obeyed
    try:
        pieces = iter([e.ids for e in backend.encode_batch(texts, add_special_tokens=False)])
    finally:
        backend.encode_special_tokens = False
    encoded = []
    for row in rows:
        ids = [BOS]
        for message in row:
            if message["role"] in _ROLES:
                ids.append(_ROLES[message["role"]])
            ids += next(pieces)
            ids.append(END)
        encoded.append(ids)
    return encoded
