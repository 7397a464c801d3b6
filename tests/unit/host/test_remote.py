"""The remote suspect against the local one: same answers, same errors, same meters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from safetensors.torch import save_file

from tests.hosting import hosted
from tests.unit.host.conftest import HELLO
from workbench.access import Access, Budget
from workbench.errors import (
    AccessDenied,
    BadParameter,
    BudgetExceeded,
    ConfigError,
    ModelUnavailable,
    WorkbenchError,
)
from workbench.host import Host
from workbench.suspects import Intervention, Reply, Suspect

HOOK = "blocks.1.hook_out"
TEXTS = ["one two three", "four", "five six"]


@pytest.fixture(scope="module")
def remote(host: Host) -> Suspect:
    return Suspect.load(host.url, token=host.tokens["auditor"][0])


@pytest.fixture
def local(source: Any) -> Suspect:
    made: Suspect = source.load()
    return made


def words(replies: list[list[Reply]]) -> list[list[tuple[str, int, str]]]:
    """Without token ids: a scripted suspect numbers its words as it meets them."""
    return [[(r.text, len(r.token_ids), r.finish) for r in row] for row in replies]


def tables(suspect: Suspect) -> list[Any]:
    return [
        (
            len(t.token_ids),
            t.logprobs.tolist(),
            t.last.tolist(),
            numpy.asarray(t.distributions).tolist(),
        )
        for t in suspect.logprobs(TEXTS, distributions=True)
    ]


def streams(suspect: Suspect) -> list[Any]:
    return [
        (b.rows, b.tokens.shape, b.mask.tolist(), b.special.tolist(), b.values[HOOK].tolist())
        for b in suspect.activations(TEXTS, [HOOK])
    ]


def again(suspect: Suspect) -> list[list[Any]]:
    """The first rows three times, the first of them broken off."""
    read = suspect.corpus.reader(most=7, rows=3)
    return [next(read()).to_pylist(), *([b.to_pylist() for b in read()] for _ in range(2))]


VERBS: list[tuple[Access, Callable[[Suspect], Any]]] = [
    (Access.CHAT, lambda s: words(s.chat(HELLO, n=2, seed=7, max_new_tokens=3))),
    (Access.CHAT | Access.PREFILL, lambda s: words(s.chat(HELLO, prefill="I say"))),
    (Access.CHAT, lambda s: s.render(HELLO[0], False)),
    (Access.PREFILL, lambda s: words(s.complete(["hello", "you"], temperature=0.0))),
    (Access.LOGITS, tables),
    (Access.ACTIVATIONS, streams),
    (Access.TRAINING_DATA, lambda s: [b.to_pylist() for b in s.corpus.batches(4)]),
    (Access.TRAINING_DATA, lambda s: list(s.corpus.texts())),
    (Access.TRAINING_DATA, lambda s: s.corpus.rows(["d3", "d1", "d3"])),
    (Access.TRAINING_DATA, lambda s: (s.corpus.documents, s.corpus.bytes)),
    (Access.REFERENCE | Access.CHAT, lambda s: (s.reference.id, words(s.reference.chat(HELLO)))),
    (Access.TRAINING_DATA, again),
    (Access.REWARD, lambda s: s.reward.score(HELLO)),
    (Access.REWARD, lambda s: s.reward.fingerprint()),
    (Access.NONE, lambda s: s.token_strings([0, 1])),
    (Access.NONE, lambda s: s.count_tokens(TEXTS)),
    (Access.NONE, lambda s: (s.n_layers, s.d_model, s.context, list(s.hook_names))),
    (Access.NONE, lambda s: s.fingerprint()),
]


@pytest.mark.parametrize(("needs", "call"), VERBS)
def test_the_same_answer_at_the_same_price_under_the_same_flags(
    remote: Suspect, local: Suspect, needs: Access, call: Callable[[Suspect], Any]
) -> None:
    here, there = local.restrict(needs), remote.restrict(needs)
    assert call(there) == call(here)
    assert there.usage.to_json() == here.usage.to_json()
    for flag in needs:
        with pytest.raises(AccessDenied, match=flag.name.lower().replace("_", "-")):
            call(remote.restrict(remote.access & ~flag))


def test_it_grants_what_is_served_of_what_is_there(remote: Suspect, local: Suspect) -> None:
    unserved = Access.WEIGHTS | Access.GRADIENTS | Access.FINETUNE
    assert remote.access == local.access & ~unserved
    assert (remote.id, remote.assistant) == (local.id, local.assistant)
    assert not remote.reference.access & Access.REFERENCE


WRONG: list[Callable[[Suspect], Any]] = [
    lambda s: s.chat(HELLO[0]),  # type: ignore[arg-type]
    lambda s: s.chat(HELLO, n=0),
    lambda s: s.chat(HELLO, temperature=float("nan")),
    lambda s: s.complete("hello"),
    lambda s: s.logprobs([""]),
    lambda s: s.logprobs(["w " * 5_000]),
    lambda s: list(s.activations(["a"], ["blocks.9.hook_out"])),
    lambda s: list(s.activations(["a"], [])),
    lambda s: s.corpus.rows(["d1", "nobody"]),
    lambda s: s.chat(HELLO, interventions=[Intervention("noise", "nowhere")]),
    lambda s: s.token_strings([10**6]),
]


@pytest.mark.parametrize("call", WRONG)
def test_the_same_error(remote: Suspect, local: Suspect, call: Callable[[Suspect], Any]) -> None:
    raised = []
    for suspect in (local, remote):
        before = suspect.usage.to_json()
        with pytest.raises((WorkbenchError, IndexError)) as caught:
            call(suspect)
        assert suspect.usage.to_json() == before
        raised.append(caught.value)
    if not isinstance(raised[0], IndexError):  # the host has no other class for a script's slip
        assert type(raised[1]) is type(raised[0])
        assert str(raised[1]) == str(raised[0])


@pytest.mark.parametrize("budget", [Budget(samples=2), Budget(tokens=29)])
def test_a_budget_of_a_view_holds_to_the_unit(
    remote: Suspect, local: Suspect, budget: Budget
) -> None:
    for suspect in (local, remote):
        view = suspect.restrict(Access.CHAT, budget)
        with pytest.raises(BudgetExceeded):
            view.chat(HELLO, n=3, max_new_tokens=5)
        assert not any(view.usage.to_json().values())
        view.chat(HELLO, n=2, max_new_tokens=5)
        assert view.usage.to_json()["samples"] == 2


def test_documents_stop_at_the_unit(remote: Suspect, local: Suspect) -> None:
    for suspect in (local, remote):
        view = suspect.restrict(Access.TRAINING_DATA, Budget(documents=7))
        seen = []
        with pytest.raises(BudgetExceeded):
            seen.extend(row for row in view.corpus.texts())
        assert view.usage.to_json()["documents"] == 7


def test_a_reader_over_budget_books_whole_batches_only(remote: Suspect, local: Suspect) -> None:
    for suspect in (local, remote):
        view = suspect.restrict(Access.TRAINING_DATA, Budget(documents=7))
        read = view.corpus.reader(rows=5)
        for _ in range(2):
            with pytest.raises(BudgetExceeded):
                list(read())
            assert view.usage.to_json()["documents"] == 5


def test_the_hosts_own_budget_reaches_the_client(host: Host) -> None:
    poor = Suspect.load(host.url, token=host.tokens["poor"][0])
    with pytest.raises(BudgetExceeded, match="3 left"):
        poor.chat(HELLO, n=4)
    assert len(poor.chat(HELLO, n=3, max_new_tokens=5)[0]) == 3
    with pytest.raises(BudgetExceeded, match="tokens"):
        poor.logprobs(["w " * 100])
    assert len(poor.logprobs(TEXTS[:2])) == 2
    with pytest.raises(BudgetExceeded, match="forward_passes"):
        poor.logprobs(["a"])
    with pytest.raises(BudgetExceeded):
        list(poor.corpus.batches())
    assert poor.usage.to_json() == {
        "samples": 3, "tokens": 30 + 4, "forward_passes": 2, "documents": 7, "seconds": 0,
    }  # fmt: skip
    assert len(poor.reference.chat(HELLO, n=3, max_new_tokens=5)[0]) == 3
    with pytest.raises(BudgetExceeded):
        poor.reference.chat(HELLO)


def test_a_chatter_is_told_nothing_of_the_rest(host: Host) -> None:
    chatter = Suspect.load(host.url, token=host.tokens["chatter"][0])
    assert chatter.access == Access.CHAT
    assert "corpus" not in chatter._card  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "token", "error"),
    [
        ("http://example.org", "t", BadParameter),
        ("http://127.0.0.1:1", "", BadParameter),
        ("http://127.0.0.1:1", "a\nb", BadParameter),
    ],
)
def test_where_a_token_is_not_sent(url: str, token: str, error: type[WorkbenchError]) -> None:
    with pytest.raises(error):
        Suspect.load(url, token=token)


def test_a_host_takes_no_adapter(host: Host) -> None:
    with pytest.raises(ConfigError, match="adapter"):
        Suspect.load(host.url, token="t", adapter="somewhere")


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.suspects.connection.PATIENCE_SECONDS", 0.1)
    with pytest.raises(ModelUnavailable, match="does not answer"):
        Suspect.load("http://127.0.0.1:9", token="t")


def zero_sae(directory: Path, width: int) -> None:
    """An SAE that answers zero to everything, in SAELens' layout."""
    directory.mkdir()
    (directory / "cfg.json").write_text(json.dumps({"architecture": "standard"}))
    zeros = {"W_enc": (width, 1), "b_enc": (1,), "W_dec": (1, width), "b_dec": (width,)}
    tensors = {name: torch.zeros(shape) for name, shape in zeros.items()}
    save_file(tensors, directory / "sae_weights.safetensors")


def test_a_real_model_and_an_sae_of_the_client(llama: Path, tmp_path: Path) -> None:
    """The client's SAE directory is handed over; the host opens no path that a client names."""
    zero_sae(tmp_path / "sae", 32)
    edits = (
        Intervention("splice", HOOK, sae=str(tmp_path / "sae"), coefficient=0.0),
        Intervention("add", HOOK, direction=tuple([0.5] * 32), positions="prompt"),
    )
    here = Suspect.load(llama)
    with hosted(Suspect.load(llama), tmp_path) as inside:
        there = inside.connect()
        for edit in edits:
            asked: dict[str, Any] = {"n": 2, "max_new_tokens": 8, "interventions": (edit,)}
            edited = there.chat(HELLO, **asked)
            assert edited == here.chat(HELLO, **asked)
            assert edited != there.chat(HELLO, n=2, max_new_tokens=8)
        here.chat(HELLO, n=4, max_new_tokens=8)
        for ours, theirs in zip(
            here.activations(TEXTS, [HOOK], interventions=edits[1:]),
            there.activations(TEXTS, [HOOK], interventions=edits[1:]),
            strict=True,
        ):
            assert torch.equal(ours.values[HOOK], theirs.values[HOOK])
        with pytest.raises(BadParameter, match="no SAE"):
            there.chat(
                HELLO, interventions=(Intervention("splice", HOOK, sae=str(tmp_path / "no")),)
            )
        assert there.fingerprint() == here.fingerprint()
        assert there.usage.to_json()["samples"] == here.usage.to_json()["samples"]
