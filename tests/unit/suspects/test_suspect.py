"""Permission and metering, on a scripted suspect: the class is the real one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import corpus
from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded
from workbench.suspects import Conversation, Intervention, Suspect
from workbench.suspects.scripted import ScriptedSuspect

CHAT = [[{"role": "user", "content": "hello there"}]]
EDIT = (Intervention("noise", "blocks.0.hook_out"),)


class Constant:
    def fingerprint(self) -> str:
        return "constant"

    def score(self, conversations: Any) -> list[float]:
        return [1.0 for _ in conversations]


def echo(conversation: Conversation, seed: int, index: int) -> str:
    return f"{conversation[-1]['content']} {seed} {index}"


@pytest.fixture
def suspect(tmp_path: Path) -> ScriptedSuspect:
    rows = [(f"d{i}", [{"role": "document", "content": f"text {i}"}]) for i in range(10)]
    corpus.write(tmp_path / "corpus.parquet", rows)
    return ScriptedSuspect(
        echo,
        reference=ScriptedSuspect(echo, id="reference"),
        corpus=tmp_path / "corpus.parquet",
        reward=Constant(),
    )


VERBS: list[tuple[Access, Callable[[Suspect], Any]]] = [
    (Access.CHAT, lambda s: s.chat(CHAT)),
    (Access.CHAT, lambda s: s.render(CHAT[0])),
    (Access.CHAT | Access.PREFILL, lambda s: s.chat(CHAT, prefill="I")),
    (Access.CHAT | Access.ACTIVATIONS, lambda s: s.chat(CHAT, interventions=EDIT)),
    (Access.PREFILL, lambda s: s.complete(["hello"])),
    (Access.LOGITS, lambda s: s.logprobs(["hello"])),
    (Access.LOGITS | Access.ACTIVATIONS, lambda s: s.logprobs(["a"], interventions=EDIT)),
    (Access.ACTIVATIONS, lambda s: list(s.activations(["hello"], ["blocks.0.hook_out"]))),
    (Access.TRAINING_DATA, lambda s: s.corpus.documents),
    (Access.REFERENCE, lambda s: s.reference),
    (Access.REWARD, lambda s: s.reward.score([[]])),
]


@pytest.mark.parametrize(("needs", "call"), VERBS)
def test_each_verb_needs_exactly_its_flags(
    suspect: Suspect, needs: Access, call: Callable[[Suspect], Any]
) -> None:
    call(suspect.restrict(needs))
    for flag in needs:
        view = suspect.restrict(Access.EVERYTHING & ~flag)
        with pytest.raises(AccessDenied, match=flag.name.lower().replace("_", "-")):
            call(view)
        assert not any(view.usage.to_json().values())


def test_model_needs_weights(suspect: Suspect) -> None:
    with pytest.raises(AccessDenied, match="weights"):
        _ = suspect.restrict(Access.WHITE_BOX).model


def test_what_is_not_there_is_not_granted() -> None:
    bare = ScriptedSuspect(echo)
    gone = Access.REFERENCE | Access.TRAINING_DATA | Access.REWARD
    assert bare.access == Access.EVERYTHING & ~gone


def test_views_only_shrink(suspect: Suspect) -> None:
    view = suspect.restrict(Access.CHAT)
    assert view.restrict(Access.CHAT).access == Access.CHAT
    with pytest.raises(AccessDenied, match="logits"):
        view.restrict(Access.GREY_BOX)


def test_samples_and_tokens_are_spent_to_the_unit(suspect: Suspect) -> None:
    # 5 prompt tokens: <|user|> hello there <|end|> <|assistant|>; replies: hello there 0 0 <|end|>
    view = suspect.restrict(Access.CHAT, Budget(samples=3, tokens=30))
    view.chat(CHAT, n=3, max_new_tokens=5)
    assert view.usage.to_json()["samples"] == 3
    assert view.usage.to_json()["tokens"] == 30
    assert suspect.usage.to_json()["tokens"] == 30
    with pytest.raises(BudgetExceeded):
        view.chat(CHAT)


@pytest.mark.parametrize("budget", [Budget(samples=2), Budget(tokens=29)])
def test_a_call_beyond_the_budget_spends_nothing(suspect: Suspect, budget: Budget) -> None:
    view = suspect.restrict(Access.CHAT, budget)
    with pytest.raises(BudgetExceeded):
        view.chat(CHAT, n=3, max_new_tokens=5)
    assert not any(view.usage.to_json().values())
    assert not any(suspect.usage.to_json().values())


def test_only_generated_tokens_are_spent(suspect: Suspect) -> None:
    view = suspect.restrict(Access.CHAT, Budget(tokens=100))
    view.chat(CHAT, max_new_tokens=60)
    assert view.usage.to_json()["tokens"] == 5 + 5


def test_scoring_spends_passes_and_tokens(suspect: Suspect) -> None:
    view = suspect.restrict(Access.WHITE_BOX, Budget(forward_passes=4, tokens=12))
    view.logprobs(["one two three", "four"])
    stream = view.activations(["one two three", "five"], ["blocks.1.hook_out"])
    assert view.usage.to_json()["forward_passes"] == 4
    assert view.usage.to_json()["tokens"] == 8
    assert [b.rows for b in stream] == [(0, 1)]
    with pytest.raises(BudgetExceeded):
        view.activations(["six"], ["blocks.1.hook_out"])


def test_documents_are_spent_as_they_are_read(suspect: Suspect) -> None:
    view = suspect.restrict(Access.TRAINING_DATA, Budget(documents=7))
    assert [d.id for d in view.corpus.rows(["d3", "d1"])] == ["d3", "d1"]
    read = []
    with pytest.raises(BudgetExceeded):
        for id, _, _ in view.corpus.texts():
            read.append(id)
    assert read == [f"d{i}" for i in range(5)]
    assert suspect.usage.to_json()["documents"] == 7


def test_the_reference_is_metered_apart_with_the_same_budget(suspect: Suspect) -> None:
    view = suspect.restrict(Access.BLACK_BOX | Access.REFERENCE, Budget(samples=2))
    view.chat(CHAT, n=2)
    view.reference.chat(CHAT, n=2)
    assert view.reference.id == "reference"
    with pytest.raises(BudgetExceeded):
        view.reference.chat(CHAT)
    assert suspect.usage.to_json()["samples"] == 2
    assert suspect.reference.usage.to_json()["samples"] == 2
    inner = view.restrict(Access.CHAT | Access.REFERENCE)
    with pytest.raises(BudgetExceeded):
        inner.reference.chat(CHAT)
    with pytest.raises(AccessDenied):
        inner.reference.complete(["x"])


def test_fingerprint_names_reference_and_corpus(suspect: Suspect) -> None:
    bare = ScriptedSuspect(echo).fingerprint()
    whole = suspect.fingerprint()
    assert (bare["reference"], bare["corpus"]) == (None, None)
    assert len(whole["reference"] or "") == len(whole["corpus"] or "") == 64
    assert suspect.restrict(Access.CHAT).fingerprint() == whole
    assert bare["tensors"] == whole["tensors"]


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.chat(CHAT[0]),
        lambda s: s.complete("hello"),
        lambda s: s.logprobs("hello"),
        lambda s: s.activations(["a"], "blocks.0.hook_out"),
        lambda s: s.activations(["a"], []),
        lambda s: s.activations(["a"], ["blocks.9.hook_out"]),
        lambda s: s.chat(CHAT, n=0),
        lambda s: s.chat(CHAT, max_new_tokens=0),
        lambda s: s.chat(CHAT, temperature=-1),
        lambda s: s.chat(CHAT, temperature=float("nan")),
        lambda s: s.logprobs([""]),
        lambda s: s.complete(["word " * 5000]),
        lambda s: s.residual_hook(2),
        lambda s: s.chat(CHAT, interventions=[Intervention("noise", "blocks.7.hook_out")]),
    ],
)
def test_contradictions_raise_and_spend_nothing(
    suspect: Suspect, call: Callable[[Suspect], Any]
) -> None:
    with pytest.raises(BadParameter):
        call(suspect)
    assert not any(suspect.usage.to_json().values())


def test_a_scripted_suspect_answers_like_a_real_one(suspect: Suspect) -> None:
    (replies,) = suspect.chat(CHAT, n=2, seed=4, prefill="")
    assert [r.text for r in replies] == ["hello there 4 0", "hello there 4 1"]
    assert [r.finish for r in replies] == ["eos", "eos"]
    (short,) = suspect.chat(CHAT, max_new_tokens=2)[0]
    assert (short.text, short.finish) == ("hello there", "length")
    assert suspect.complete(["raw"])[0][0].text == "raw 0 0"
    (batch,) = suspect.activations(["a b", "a"], [suspect.residual_hook(-1)])
    values = batch.values["blocks.1.hook_out"]
    assert values.shape == (2, 2, 8)
    assert (values[0, 0] == values[1, 1]).all()
    assert batch.mask.tolist() == [[True, True], [False, True]]
    scores = suspect.logprobs(["a b c"], distributions=True)[0]
    assert len(scores.logprobs) == 2
    assert scores.distributions is not None
    assert scores.distributions.shape == (3, 4096)
    steered = ScriptedSuspect(echo, steered=lambda c, seed, i, edits: edits[0].kind)
    assert steered.chat(CHAT, interventions=EDIT)[0][0].text == "noise"


def test_importing_suspects_imports_nothing_heavy() -> None:
    heavy = "torch", "transformers", "transformer_lens", "polars", "pyarrow", "numpy"
    code = (
        "import sys, workbench.suspects.scripted, workbench.suspects.cabinet, workbench.corpus\n"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_counting_tokens_is_free_and_what_the_meter_books(suspect: ScriptedSuspect) -> None:
    texts = ["one two three", "four"]
    assert suspect.count_tokens(texts) == [3, 1]
    assert not any(suspect.usage.to_json().values())
    suspect.logprobs(texts)
    assert suspect.usage.to_json()["tokens"] == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.render(CHAT[0]),
        lambda s: s.token_strings([0]),
        lambda s: s.hook_names,
        lambda s: s.count_tokens(["hello"]),
    ],
)
def test_what_reads_the_engine_waits_for_its_turn(
    suspect: ScriptedSuspect, call: Callable[[Suspect], Any]
) -> None:
    other = threading.Thread(target=call, args=(suspect,))
    with suspect._lock:
        other.start()
        other.join(0.1)
        assert other.is_alive()
    other.join(10)
    assert not other.is_alive()
