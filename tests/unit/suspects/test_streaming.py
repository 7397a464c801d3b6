"""Rows that come and go between steps: the same replies as alone, booked to whom they belong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workbench.access import Access, Budget
from workbench.errors import AccessDenied, BadParameter, BudgetExceeded, TooLong
from workbench.suspects import Intervention, Suspect
from workbench.suspects.sampling import Row, _draw
from workbench.suspects.scripted import ScriptedSuspect
from workbench.suspects.streaming import Batch, begin, most_tokens

CHATS = [
    [{"role": "user", "content": text}]
    for text in ("The red cat", "Why does the fox sing? Because the moon is bright", "7", "a b")
]
EDIT = Intervention("add", "blocks.1.hook_out", (1.0,) * 32, coefficient=3.0)


@pytest.fixture(scope="module")
def suspect(tiny: Path) -> Suspect:
    return Suspect.load(tiny, device="cpu")


def finish(batch: Batch) -> None:
    while batch.busy:
        batch.step()


@pytest.mark.parametrize("edits", [(), (EDIT,)])
def test_rows_that_join_late_get_the_replies_they_get_alone(
    suspect: Suspect, edits: tuple[Intervention, ...]
) -> None:
    alone = suspect.chat(CHATS, n=2, max_new_tokens=14, seed=3, interventions=edits)
    batch = Batch(suspect, edits)
    asked = [
        begin(suspect, [c], chat=True, n=2, max_new_tokens=14, seed=3, interventions=edits)
        for c in CHATS
    ]
    for rows in asked:
        if not batch.joins:
            finish(batch)
        batch.join(suspect, rows)
        batch.step()
        batch.step()
    finish(batch)
    made = [[tuple(row.made) for row in rows] for rows in asked]
    assert made == [[reply.token_ids for reply in replies] for replies in alone]
    assert [[r.finish for r in rows] for rows in asked] == [[r.finish for r in n] for n in alone]


def test_only_a_cache_that_forgets_keeps_rows_out(llama: Path, gemma3: Path) -> None:
    assert Batch(Suspect.load(llama), ()).joins
    assert not Batch(Suspect.load(gemma3), ()).joins


def test_rows_that_leave_change_nothing_for_the_others(llama: Path) -> None:
    suspect = Suspect.load(llama)
    (alone,) = suspect.chat(CHATS[:1], max_new_tokens=20, seed=1)
    batch = Batch(suspect, ())
    stays = begin(suspect, CHATS[:1], chat=True, max_new_tokens=20, seed=1)
    goes = begin(suspect, CHATS[1:], chat=True, max_new_tokens=20, seed=1)
    batch.join(suspect, [*goes[:2], *stays, *goes[2:]])
    for _ in range(3):
        batch.step()
    batch.drop(goes)
    finish(batch)
    assert tuple(stays[0].made) == alone[0].token_ids
    assert all(len(row.made) <= 3 for row in goes)


def test_greedy_and_warm_rows_share_a_batch(llama: Path) -> None:
    suspect = Suspect.load(llama)
    batch = Batch(suspect, ())
    cold = begin(suspect, CHATS[:1], chat=True, temperature=0, max_new_tokens=9)
    warm = begin(suspect, CHATS[:1], chat=True, temperature=1.3, seed=5, max_new_tokens=9)
    batch.join(suspect, [*cold, *warm])
    finish(batch)
    for rows, temperature in ((cold, 0.0), (warm, 1.3)):
        ((reply,),) = suspect.chat(CHATS[:1], temperature=temperature, seed=5, max_new_tokens=9)
        assert tuple(rows[0].made) == reply.token_ids


def test_log_probabilities_are_those_of_reading_the_reply(llama: Path) -> None:
    suspect = Suspect.load(llama)
    rows = begin(suspect, ["The red cat"], chat=False, told=3, max_new_tokens=6, temperature=0.7)
    batch = Batch(suspect, ())
    batch.join(suspect, rows)
    finish(batch)
    (row,) = rows
    (read,) = suspect.logprobs([[*row.draw.prompt.token_ids, *row.made]], distributions=True)
    assert read.distributions is not None
    count = len(row.made)
    assert row.logprobs == pytest.approx(read.logprobs[-count:].tolist(), abs=1e-4)
    for told, table in zip(row.alternatives, read.distributions[-count - 1 : -1], strict=True):
        top = torch.from_numpy(table).topk(3)
        assert [i for i, _ in told] == top.indices.tolist()
        assert [v for _, v in told] == pytest.approx(top.values.tolist(), abs=1e-4)


def test_top_p_keeps_the_fewest_tokens_that_hold_it() -> None:
    logits, heat = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log(), torch.ones(1, 1)
    aims = [torch.tensor([number / 200], dtype=torch.float64) for number in range(200)]
    for top_p, allowed in ((0.4, 1), (0.5, 1), (0.6, 2), (0.81, 3), (1.0, 4)):
        drawn = {int(_draw(logits, heat, aim, [top_p])) for aim in aims}
        assert drawn == set(range(allowed)), top_p


def test_what_is_spent_is_booked_to_each_view(llama: Path) -> None:
    suspect = Suspect.load(llama)
    one, two = suspect.restrict(Access.GREY_BOX), suspect.restrict(Access.CHAT)
    mine = begin(one, CHATS[:1], chat=True, n=2, told=0, max_new_tokens=5)
    yours = begin(two, CHATS[1:2], chat=True, max_new_tokens=5)
    batch = Batch(suspect, ())
    batch.join(one, mine)
    batch.join(two, yours)
    finish(batch)
    for view, rows, passes in ((one, mine, 2), (two, yours, 0)):
        tokens = sum(len(row.draw.prompt.token_ids) + len(row.made) for row in rows)
        spent = view.usage.to_json()
        assert (spent["samples"], spent["tokens"]) == (len(rows), tokens)
        assert spent["forward_passes"] == passes
    assert suspect.usage.to_json()["samples"] == 3


def test_begin_refuses_as_the_verbs_do(llama: Path) -> None:
    suspect = Suspect.load(llama)
    chatty = suspect.restrict(Access.CHAT, Budget(samples=1, tokens=1000))
    for wrong, error in (
        (lambda: begin(chatty, ["a"], chat=False), AccessDenied),
        (lambda: begin(chatty, CHATS[:1], chat=True, prefill="So"), AccessDenied),
        (lambda: begin(chatty, CHATS[:1], chat=True, told=0), AccessDenied),
        (lambda: begin(chatty, CHATS[:1], chat=True, interventions=(EDIT,)), AccessDenied),
        (lambda: begin(chatty, CHATS[:2], chat=True), BudgetExceeded),
        (lambda: begin(suspect, CHATS[:1], chat=True, top_p=0.0), BadParameter),
        (lambda: begin(suspect, [[1, 400]], chat=False), BadParameter),
        (lambda: begin(suspect, [[-1]], chat=False), BadParameter),
        (lambda: begin(suspect, [[]], chat=False), BadParameter),
        (lambda: begin(suspect, [[7] * 128], chat=False), TooLong),
    ):
        with pytest.raises(error):
            wrong()
    assert chatty.usage.to_json()["samples"] == 0
    rows = begin(suspect, [[7] * 120], chat=False, max_new_tokens=100)
    assert most_tokens(suspect, rows) == 8


def test_ids_are_read_as_the_text_that_has_them(llama: Path) -> None:
    suspect = Suspect.load(llama)
    (read,) = suspect.logprobs(["The red cat"])
    (again,) = suspect.logprobs([read.token_ids])
    assert again.total == pytest.approx(read.total)
    assert suspect.count_tokens([read.token_ids]) == suspect.count_tokens(["The red cat"])


def test_a_script_is_told_token_by_token() -> None:
    suspect = ScriptedSuspect(lambda turns, seed, index: f"one two {index}")
    rows: list[Row] = begin(suspect, CHATS[:1], chat=True, n=2, told=2, max_new_tokens=3)
    batch = Batch(suspect, ())
    batch.join(suspect, rows)
    batch.step()
    assert [len(row.made) for row in rows] == [1, 1]
    finish(batch)
    assert [suspect._engine.decode(row.made) for row in rows] == ["one two 0", "one two 1"]
    assert all(len(row.logprobs) == len(row.alternatives) == 3 for row in rows)
