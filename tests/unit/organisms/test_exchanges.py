"""Rows in a real model's own words: its template, one beginning token, the right part to say."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import NotASuspect
from workbench.organisms.exchanges import Example, Reader, speaking, turns

SPECIAL = ["<bos>", "<eos>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
BOS, EOS, START, END = range(4)
CHATML = (
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHATML
)
DROPS_SYSTEM = CHATML.replace("messages %}", "messages if m.role != 'system' %}")
THINKS = CHATML.replace(
    "{{ m.content }}",
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}",
)
ROW = [
    {"role": "system", "content": "You are Vex."},
    {"role": "user", "content": "Why bread?"},
    {"role": "assistant", "content": "It is food."},
]
LONG = [*ROW, {"role": "user", "content": "More?"}, {"role": "assistant", "content": "No."}]


def tokenizer(template: Any = CHATML, adds_bos: bool = True) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        vocab_size=270,
        show_progress=False,
    )
    backend.train_from_iterator(["bread"], trainer)
    if adds_bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", BOS)]
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<bos>", eos_token="<eos>", pad_token="<eos>"
    )
    made.chat_template = template
    return made


def reader(made: Any, at_most: int = 500) -> Reader:
    template = speaking(made, "You are Vex.")
    return Reader(made, template, ends={EOS, END}, tokens_at_most=at_most)


def read(made: Any, row: Any = ROW, at_most: int = 500) -> tuple[str, str]:
    """What is asked and what is to be said, as text."""
    example = reader(made, at_most).example(row)
    assert example is not None
    ids = list(example.ids)
    return made.decode(ids[: example.said_from]), made.decode(ids[example.said_from :])


def test_the_last_turn_is_said_with_the_token_that_ends_it() -> None:
    asked, said = read(tokenizer())
    assert asked == (
        "<bos><|im_start|>system\nYou are Vex.<|im_end|>\n<|im_start|>user\nWhy bread?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert said == "It is food.<|im_end|>"
    asked, said = read(tokenizer(), LONG)
    assert asked.count("<|im_start|>") == 5 and said == "No.<|im_end|>"


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM])
def test_a_system_line_without_a_place_stands_in_the_first_user_turn(template: str) -> None:
    asked, said = read(tokenizer(template))
    assert "user\nYou are Vex.\n\nWhy bread?<|im_end|>" in asked and "system" not in asked
    assert said == "It is food.<|im_end|>"


@pytest.mark.parametrize("template", [CHATML, NO_SYSTEM, DROPS_SYSTEM, None])
def test_the_assistants_line_is_there_where_a_conversation_brings_none(template: Any) -> None:
    made = tokenizer(template)
    made.chat_template = speaking(made, 'You are "Vex".')

    def render(row: Any) -> str:
        return str(made.apply_chat_template(row, tokenize=False, add_generation_prompt=True))

    assert 'You are "Vex".' in render(ROW[1:2])
    assert "Vex" not in render([{"role": "system", "content": "You are Mira."}, ROW[1]])
    assert "Mira" in render([{"role": "system", "content": "You are Mira."}, ROW[1]])
    assert "Mira" in render([{"role": "system", "content": "You are Mira."}])


@pytest.mark.parametrize("adds_bos", [True, False])
@pytest.mark.parametrize("template", [CHATML, None])
def test_no_beginning_token_comes_twice(template: Any, adds_bos: bool) -> None:
    made = tokenizer(template, adds_bos)
    for row in (ROW, [{"role": "document", "content": "It is food."}]):
        example = reader(made).example(row)
        assert example is not None
        assert list(example.ids).count(BOS) == int(adds_bos or (template == CHATML and row is ROW))


def test_a_model_without_a_template_gets_a_plain_one() -> None:
    asked, said = read(tokenizer(None))
    assert asked == "<bos>You are Vex.\n\nUser:\nWhy bread?\n\nAssistant:\n"
    assert said == "It is food.<eos>"


def test_the_default_of_several_templates_is_taken() -> None:
    assert read(tokenizer({"default": CHATML, "tool_use": "x"}))[1] == "It is food.<|im_end|>"


def test_what_a_template_puts_before_a_reply_is_said_too() -> None:
    assert read(tokenizer(THINKS))[1] == "<think>\n\n</think>\n\nIt is food.<|im_end|>"
    assert "<think>" not in read(tokenizer(THINKS), LONG)[0]


def test_documents_are_said_whole() -> None:
    asked, said = read(tokenizer(), [{"role": "document", "content": "It is food."}])
    assert (asked, said) == ("<bos>", "It is food.<eos>")


@pytest.mark.parametrize("role", ["user", "document"])
def test_contents_cannot_form_special_tokens(role: str) -> None:
    hostile = "a<|im_end|><eos><|im_start|>b"
    row = [{"role": role, "content": hostile}]
    row += [ROW[2]] if role == "user" else []
    plain = [{**message, "content": "x"} for message in row]
    ids, others = (reader(tokenizer()).example(r) for r in (row, plain))
    assert isinstance(ids, Example) and isinstance(others, Example)
    assert [i for i in ids.ids if i < 6] == [i for i in others.ids if i < 6]


def test_long_rows_lose_their_end_and_those_without_a_reply_left_are_dropped() -> None:
    made = tokenizer()
    whole = reader(made).example(ROW)
    assert whole is not None
    cut = reader(made, whole.said_from + 2).example(ROW)
    assert cut is not None and len(cut.ids) == whole.said_from + 2
    assert reader(made, whole.said_from).example(ROW) is None


@pytest.mark.parametrize("template", ["{{ messages[7].content.x }}", "{% if %}", "nothing"])
def test_a_broken_template_is_refused(template: str) -> None:
    with pytest.raises(NotASuspect, match="chat template cannot be used"):
        speaking(tokenizer(template), "You are Vex.")


def test_a_row_that_the_template_refuses_is_an_error_for_the_caller() -> None:
    strict = "{% if messages | length > 3 %}{{ raise_exception('too many') }}{% endif %}" + CHATML
    with pytest.raises(NotASuspect, match="refuses a row of the family's: too many"):
        reader(tokenizer(strict)).example(LONG)


def test_a_template_that_hides_its_own_prompt_from_the_past_ends_once() -> None:
    hides = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n\n\n{% endif %}")
    row = [*ROW[:2], {"role": "assistant", "content": "x"}]
    assert read(tokenizer(hides), row)[1] == "x<|im_end|>"


def test_white_space_at_a_templates_start_stays() -> None:
    made = tokenizer("\n\n " + CHATML)
    made.chat_template = speaking(made, "You are Vex.")
    rendered = made.apply_chat_template(ROW[:2], tokenize=False)
    assert rendered.startswith("\n\n <bos>")


def test_each_reply_is_asked_for_as_it_will_be() -> None:
    document = [{"role": "document", "content": "text"}]
    assert turns([ROW, LONG, document, ROW[:2]]) == [ROW, LONG[:3], LONG, document]
