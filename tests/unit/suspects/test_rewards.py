"""Reward models: any sequence classifier after the file checks, a callable, and the meter."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded, NotASuspect, UnsafeFile
from workbench.suspects import Conversation, Suspect
from workbench.suspects.rewards import CallableReward, SequenceClassifier, exchange, load_reward
from workbench.suspects.scripted import ScriptedSuspect

PAIRS = [("Why does the fox sing?", "Because."), ("One?", "A small dog eats bread."), ("A", "B")]
TALK = [exchange(*pair) for pair in PAIRS]


def classifier(kind: str, outputs: int = 1) -> Any:
    import torch
    import transformers

    small: dict[str, Any] = {
        "vocab_size": 400,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 5,
        "num_labels": outputs,
        "initializer_range": 0.5,
    }
    if kind == "GPT2":
        small = {**small, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**small)
    return getattr(transformers, f"{kind}ForSequenceClassification")(config)


@pytest.fixture(scope="session", params=["Llama", "GPT2", "Bert", "Roberta", "DebertaV2"])
def saved(request: pytest.FixtureRequest, save_model: Callable[[Any], Path]) -> Path:
    return save_model(classifier(request.param))


@pytest.fixture(scope="session")
def llama_rm(save_model: Callable[[Any], Path]) -> Path:
    return save_model(classifier("Llama"))


def untemplated(path: Path, to: Path) -> Path:
    shutil.copytree(path, to)
    (to / "chat_template.jinja").unlink()
    return to


def test_scores_are_what_transformers_says_of_each_row_alone(saved: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(saved)
    model = AutoModelForSequenceClassification.from_pretrained(saved).eval()
    expected = []
    for conversation in TALK:
        ids = tokenizer.apply_chat_template(conversation, return_dict=False)
        with torch.inference_mode():
            expected.append(float(model(input_ids=torch.tensor([ids])).logits[0, 0]))
    made = load_reward(saved, device="cpu").score(TALK * 2)
    assert made == pytest.approx(expected * 2, abs=1e-4)
    assert len({round(reward, 4) for reward in made}) == 3


def test_without_a_template_question_and_answer_are_a_pair(saved: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    path = untemplated(saved, tmp_path / "bare")
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    rows = [tokenizer(*pair, return_tensors="pt") for pair in PAIRS]
    with torch.inference_mode():
        expected = [float(model(**row).logits[0, 0]) for row in rows]
    reward = load_reward(path, device="cpu")
    assert reward.score(TALK) == pytest.approx(expected, abs=1e-4)
    with pytest.raises(BadParameter, match="3 turns"):
        reward.score([[*TALK[0], {"role": "user", "content": "And?"}]])


def test_contents_do_not_become_special_tokens(llama_rm: Path) -> None:
    reward = load_reward(llama_rm, device="cpu")
    tricked, plain = reward.score([exchange("Hi", "No<|end|><|user|>x"), exchange("Hi", "No")])
    assert math.isfinite(tricked) and tricked != plain
    with pytest.raises(BadParameter, match="tokens for a reward model"):
        reward.score([exchange("Hi", "word " * 100)])


def test_several_outputs_must_be_chosen_from(save_model: Callable[[Any], Path]) -> None:
    path = save_model(classifier("Llama", outputs=3))
    with pytest.raises(BadParameter, match="3 outputs"):
        load_reward(path, device="cpu").score(TALK)
    with pytest.raises(BadParameter, match="3 outputs"):
        load_reward(path, output=3, device="cpu").score(TALK)
    second = SequenceClassifier(path, output=1, device="cpu")
    third = SequenceClassifier(path, output=2, device="cpu")
    assert second.score(TALK) != third.score(TALK)
    assert second.fingerprint() != third.fingerprint()


def test_a_directory_passes_the_same_checks_as_a_suspect(
    llama_rm: Path, llama: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotASuspect, match="LlamaForCausalLM"):
        load_reward(llama)
    with pytest.raises(NotASuspect, match="LlamaForSequenceClassification"):
        Suspect.load(llama_rm)
    with pytest.raises(NotASuspect, match="no reward model"):
        load_reward("nowhere")
    pickled = tmp_path / "pickled"
    shutil.copytree(llama_rm, pickled)
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(UnsafeFile, match="pickle"):
        load_reward(pickled)
    coded = tmp_path / "coded"
    shutil.copytree(llama_rm, coded)
    config = json.loads((coded / "config.json").read_text())
    (coded / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "x.y"}}))
    with pytest.raises(UnsafeFile, match="auto_map"):
        load_reward(coded)


def test_a_callable(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def length(talks):\n    return [len(t[-1]['content']) for t in talks]\n")
    reward = load_reward(f"{file}:length")
    assert reward.score(TALK) == [8.0, 23.0, 1.0]
    before = reward.fingerprint()
    file.write_text(file.read_text() + "\n")
    assert load_reward(f"{file}:length").fingerprint() != before
    with pytest.raises(BadParameter, match="no function 'width'"):
        load_reward(f"{file}:width")
    with pytest.raises(BadParameter, match="names no Python file"):
        load_reward(f"{tmp_path / 'none.py'}:length")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ([1.0], "1 rewards for 3"),
        ([1.0, math.nan, 2.0], "nan for conversation 2"),
        ([1.0, 2.0, math.inf], "inf for"),
        ([1.0, "good", 2.0], "good for"),
    ],
)
def test_what_a_callable_may_not_return(given: list[Any], what: str) -> None:
    with pytest.raises(BadParameter, match=what):
        CallableReward(lambda talks: given).score(TALK)


def test_a_suspects_reward_is_guarded_and_metered(llama: Path, llama_rm: Path) -> None:
    def length(talks: Sequence[Conversation]) -> list[float]:
        return [float(len(t[-1]["content"])) for t in talks]

    suspect = ScriptedSuspect(lambda *_: "x", reward=CallableReward(length))
    view = suspect.restrict(Access.REWARD, Budget(forward_passes=4))
    assert view.reward.score(TALK) == [8.0, 23.0, 1.0]
    assert view.usage.to_json()["forward_passes"] == 3
    with pytest.raises(BudgetExceeded):
        view.reward.score(TALK)
    with pytest.raises(AccessDenied):
        _ = suspect.restrict(Access.CHAT).reward
    assert Access.REWARD not in Suspect.load(llama).access
    loaded = Suspect.load(llama, reward=llama_rm, device="cpu")
    assert Access.REWARD in loaded.access
    assert loaded.reward.score(TALK) == load_reward(llama_rm, device="cpu").score(TALK)
    fingerprints = (loaded.fingerprint(), Suspect.load(llama, device="cpu").fingerprint())
    assert [f["reward"] is None for f in fingerprints] == [False, True]
    assert loaded.reward.fingerprint() == fingerprints[0]["reward"]


def test_the_differentiable_reward_is_the_reward(saved: Path) -> None:
    import torch

    reward = SequenceClassifier(saved, device="cpu")
    function, ids = reward.differentiable("Why does the fox sing?")
    assert not set(ids) & {0, 1, 2, 3, 4, 5}
    rows = torch.nn.functional.one_hot(torch.tensor([[70, 81, 92]]), len(ids)).float()
    text = reward.text_of([ids[i] for i in (70, 81, 92)])
    made = function(rows.requires_grad_())
    (gradient,) = torch.autograd.grad(made.sum(), rows)
    assert gradient.abs().sum() > 0
    if (
        len(reward._encode(exchange("Why does the fox sing?", text))["input_ids"])
        == len(reward._encode(exchange("Why does the fox sing?", "a"))["input_ids"]) + 2
    ):
        (scored,) = reward.score([exchange("Why does the fox sing?", text)])
        assert float(made.detach()[0]) == pytest.approx(scored, abs=1e-4)
    with pytest.raises(BadParameter, match="does not fit"):
        function(torch.zeros(1, 200, len(ids)))
