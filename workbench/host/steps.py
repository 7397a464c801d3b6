"""Long verbs in the model worker, a step at a time, so that others compute in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from workbench.host import answers
from workbench.suspects import Reply, Suspect, TokenLogprobs, batches
from workbench.suspects.sampling import Row
from workbench.suspects.streaming import Batch, begin
from workbench.suspects.wire import Frame

PAUSE = Frame({"waits": True})
"""Where another call may compute; as it travels, it says that this one waits for its next turn."""

READ_AT_MOST = 1_024
"""Tokens of prompts or texts that are read in one step, unless a single one has more."""

Stepped: TypeAlias = Callable[[Suspect, Suspect, Mapping[str, Any]], Iterator[Frame]]


def _sampled(suspect: Suspect, view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    """The replies that `view.chat` or `view.complete` would give, at the same price."""
    chat = "conversations" in a
    rows = begin(
        view,
        a["conversations"] if chat else a["prompts"],
        chat=chat,
        prefill=a.get("prefill", ""),
        **answers.sampling(a),
    )
    lengths = [len(row.draw.prompt.token_ids) for row in rows]
    for together in batches.by_length(
        lengths, batches.SAMPLED_ROWS, batches.SAMPLED_TOKENS, extra=a["max_new_tokens"]
    ):
        batch = Batch(suspect, a["interventions"])
        joining = [rows[i] for i in together]
        while joining or batch.busy:
            if joining and (batch.joins or not batch.busy):
                count = _room(joining) if batch.joins else len(joining)
                batch.join(view, joining[:count])
                joining = joining[count:]
            batch.step()
            yield PAUSE
    with suspect._lock:
        replies = [
            Reply(suspect._engine.decode(row.made), tuple(row.made), row.finish or "length")
            for row in rows
        ]
    n = a["n"]
    yield from answers.sampled([replies[i : i + n] for i in range(0, len(replies), n)])


def _room(rows: Sequence[Row]) -> int:
    """How many of the rows may be read in one step."""
    count = tokens = 0
    for row in rows:
        tokens += len(row.draw.prompt.token_ids)
        if tokens > READ_AT_MOST and count:
            break
        count += 1
    return count


def _logprobs(suspect: Suspect, view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    """What `view.logprobs` would give, at the same price."""
    answers.refuse_distributions(view, a)
    rows = view._rows(a["texts"], a["interventions"])
    found: dict[int, TokenLogprobs] = {}
    for together in batches.by_length(
        [len(row) for row in rows], batches.SCORED_ROWS, READ_AT_MOST
    ):
        scored = view.logprobs(
            [rows[i] for i in together],
            interventions=a["interventions"],
            distributions=a["distributions"],
        )
        found.update(zip(together, scored, strict=True))
        yield PAUSE
    yield from (answers.scores(found[i]) for i in range(len(rows)))


STEPPED: Mapping[str, Stepped] = {
    "chat": _sampled, "complete": _sampled, "logprobs": _logprobs,
}  # fmt: skip
