"""The engine against transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.suspects import Intervention, Suspect

LONG = "Why does the fox sing? Because the moon is bright"
TEXTS = ["The red cat", LONG, "<bos>A", "seven hills."]
NOTHING = Intervention("add", "blocks.1.hook_out", (1.0,) * 32, coefficient=0)


@pytest.fixture(scope="module")
def suspect(tiny: Path) -> Suspect:
    return Suspect.load(tiny, device="cpu")


@pytest.fixture(scope="module")
def hf(tiny: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny, attn_implementation="eager").eval()


def test_batched_logits_equal_transformers_row_by_row(suspect: Suspect, hf: Any) -> None:
    for interventions in ((), (NOTHING,)):
        scores = suspect.logprobs(TEXTS, distributions=True, interventions=interventions)
        for score in scores:
            with torch.no_grad():
                logits = hf(torch.tensor([score.token_ids])).logits[0]
            expected = logits.log_softmax(-1)
            assert score.distributions is not None
            off = (torch.from_numpy(score.distributions) - expected).abs().max()
            assert off < 1e-5 * logits.abs().max()
            picked = expected[:-1].gather(1, torch.tensor(score.token_ids[1:])[:, None])[:, 0]
            assert torch.allclose(torch.from_numpy(score.logprobs), picked, atol=1e-4)
            assert torch.allclose(torch.from_numpy(score.last), expected[-1], atol=1e-4)
            assert score.total == pytest.approx(float(picked.sum()), abs=1e-3)


def test_residual_hooks_equal_hidden_states(suspect: Suspect, hf: Any) -> None:
    hooks = [suspect.residual_hook(layer) for layer in range(suspect.n_layers - 1)]
    seen = set()
    for batch in suspect.activations(TEXTS, hooks):
        for i, row in enumerate(batch.rows):
            seen.add(row)
            ids = batch.tokens[i][batch.mask[i]]
            with torch.no_grad():
                states = hf(ids[None], output_hidden_states=True).hidden_states
            for layer, hook in enumerate(hooks):
                mine = batch.values[hook][i][batch.mask[i]]
                theirs = states[layer + 1][0]
                assert (mine - theirs).abs().max() < 1e-4 * theirs.abs().max()
    assert seen == set(range(len(TEXTS)))


def test_last_residual_gives_the_logits(suspect: Suspect, hf: Any) -> None:
    (batch,) = suspect.activations(TEXTS[:1], [suspect.residual_hook(-1)])
    last: list[torch.Tensor] = []
    norm = hf.transformer.ln_f if hasattr(hf, "transformer") else hf.model.norm
    norm.register_forward_pre_hook(lambda m, args: last.append(args[0]))
    with torch.no_grad():
        hf(batch.tokens)
    assert torch.allclose(batch.values["blocks.2.hook_out"], last[0], atol=1e-4)


def test_a_forward_pass_ends_where_the_last_hook_was_read(tiny: Path) -> None:
    suspect = Suspect.load(tiny)
    passed: list[str] = []
    head = suspect.model.original_model.get_output_embeddings()
    head.register_forward_hook(lambda *_: passed.append("unembedding"))
    both = ["blocks.2.hook_out", "blocks.0.hook_out"]
    (early,) = suspect.activations(["The red cat"], both)
    assert not passed and set(early.values) == set(both)
    (edited,) = suspect.activations(["The red cat"], both, interventions=[NOTHING])
    assert not passed  # the edit was at work before the last of them
    assert all(torch.equal(early.values[hook], edited.values[hook]) for hook in both)
    list(suspect.activations(["The red cat"], ["blocks.0.hook_out"], interventions=[NOTHING]))
    assert passed  # an edit behind them must show that its hook is there


def test_greedy_equals_generate_and_stops_where_it_stops(suspect: Suspect, hf: Any) -> None:
    mine = suspect.complete(TEXTS, max_new_tokens=20, temperature=0)
    for text, (reply,) in zip(TEXTS, mine, strict=True):
        ids = suspect.logprobs([text])[0].token_ids
        whole = hf.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=20,
            do_sample=False,
        )[0].tolist()
        assert list(reply.token_ids) == whole[len(ids) :]
        assert reply.finish == ("eos" if reply.token_ids[-1] == 5 else "length")


def test_a_reply_does_not_depend_on_its_batch(suspect: Suspect) -> None:
    chats = [[{"role": "user", "content": text}] for text in TEXTS]
    together = suspect.chat(chats, n=3, max_new_tokens=12, seed=7)
    alone = [suspect.chat([c], n=2, max_new_tokens=12, seed=7)[0] for c in chats]
    assert [t[:2] for t in together] == alone
    longer = suspect.chat(chats[:1], max_new_tokens=30, seed=7)[0][0]
    assert longer.token_ids[:12] == alone[0][0].token_ids
    assert together != suspect.chat(chats, n=3, max_new_tokens=12, seed=8)
    assert len({r.token_ids for r in together[0]}) > 1
    assert suspect.chat(chats[:1] * 2, seed=7)[0] == suspect.chat(chats[:1] * 2, seed=7)[1]


def test_sampling_follows_the_distribution(suspect: Suspect) -> None:
    n = 3000
    chances = torch.from_numpy(suspect.logprobs(["The red cat"])[0].last).exp()
    replies = suspect.complete(["The red cat"], n=n, max_new_tokens=1)[0]
    counts = torch.bincount(torch.tensor([r.token_ids[0] for r in replies]), minlength=400)
    top = chances.topk(8).indices
    spread = (chances * (1 - chances) / n).sqrt()
    assert ((counts / n - chances)[top].abs() < 5 * spread[top]).all()


def test_activations_end_early_and_know_specials(suspect: Suspect) -> None:
    text = suspect.render([{"role": "user", "content": "the cat"}])
    (batch,) = suspect.activations([text, "The red cat"], ["blocks.0.hook_out", "blocks.0.hook_in"])
    row = batch.rows.index(0)
    strings = suspect.token_strings(batch.tokens[row].tolist())
    marked = [s for s, special in zip(strings, batch.special[row].tolist(), strict=True) if special]
    assert marked == ["<|system|>", "<|end|>", "<|user|>", "<|end|>", "<|assistant|>"]
    assert not (batch.special & ~batch.mask).any()
    assert "".join(strings) == text
