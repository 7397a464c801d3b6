"""`generate` in the model worker: replies told piece by piece, with what else was asked of them."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workbench.access import Access, Budget, Usage
from workbench.errors import BadParameter
from workbench.host.answers import FLOATS_AT_MOST
from workbench.host.desk import Desk, Sampled
from workbench.suspects import Suspect, TokenLogprobs, batches
from workbench.suspects.sampling import Row
from workbench.suspects.streaming import begin, most_tokens
from workbench.suspects.wire import Frame

ALIVE_SECONDS = 0.25
"""How often something is said while nothing is told, so that a caller who left is noticed."""


def price(suspect: Suspect, access: Access, budget: Budget, a: Mapping[str, Any]) -> dict[str, int]:
    """The most that it can cost, by meter; raises what it would raise before it computes."""
    view = suspect.restrict(access)
    view.usage = Usage(budget)
    rows, prompts = _asked(view, a)
    for prompt in prompts:
        batches.refuse_length("a prompt", len(prompt), view.context)
    if rows:
        view.usage.spend(tokens=most_tokens(view, rows))
    if a["echo"] and a["told"] is not None:
        _refuse_much(view, prompts, a["told"])
        view.usage.spend(forward_passes=len(prompts), tokens=sum(map(len, prompts)))
    if a["latents"]:
        view.usage.spend(forward_passes=len(rows), tokens=_whole(rows) + most_tokens(view, rows))
    return {meter: int(amount) for meter, amount in view.usage.to_json().items() if amount}


def answer(suspect: Suspect, view: Suspect, desk: Desk, a: Mapping[str, Any]) -> Iterator[Frame]:
    """The parts, as `replies.Generated` names them; `suspect` is what all views are of."""

    def part(**named: Any) -> Frame:
        spent = {m: int(n) for m, n in view.usage.to_json().items() if n}
        return Frame({"spent": spent, **named})

    rows, prompts = _asked(view, a)
    texts = ["".join(view.token_strings(ids)) for ids in prompts] if a["echo"] else []
    yield part(prompt_tokens=[len(prompt) for prompt in prompts], texts=texts)
    if a["echo"] and a["told"] is not None:
        yield part(read=_read(view, desk, prompts, a))
    tellers = {id(row): _Teller(view, i, row, a) for i, row in enumerate(rows)}
    if rows:
        call = Sampled(suspect, view, lambda row: tellers[id(row)].note(), len(rows))
        desk.sample(call, rows, a["interventions"])
        try:
            for _ in _steps(call, waits=not a["stream"]):
                pieces = [p for t in tellers.values() if (p := t.piece(a["stream"])) is not None]
                yield part(pieces=pieces)
        finally:
            call.gone = True
        yield part(pieces=[p for t in tellers.values() if (p := t.piece(True)) is not None])
    if a["latents"]:
        yield part(active=_active(view, desk, rows, a))


def _asked(view: Suspect, a: Mapping[str, Any]) -> tuple[list[Row], list[tuple[int, ...]]]:
    """The replies to sample, booked, and each prompt's token ids."""
    chat = bool(a["conversations"])
    prompts = a["conversations"] or a["prompts"]
    sampled = {n: a[n] for n in ("n", "temperature", "top_p", "seed", "told", "interventions")}
    if not a["max_new_tokens"]:
        return [], view._rows(prompts, a["interventions"])
    rows = begin(
        view,
        prompts,
        chat=chat,
        prefill=a["prefill"],
        max_new_tokens=a["max_new_tokens"],
        **sampled,
    )
    return rows, [row.draw.prompt.token_ids for row in rows[:: a["n"]]]


def _steps(call: Sampled, waits: bool) -> Iterator[None]:
    """One for whatever was told meanwhile; ends when all rows have, raises what sampling raised."""
    while True:
        try:
            news = [call.news.get(timeout=ALIVE_SECONDS)]
        except queue.Empty:
            yield
            continue
        while not call.news.empty():
            news.append(call.news.get())
        for one in news:
            if isinstance(one, Exception):
                raise one
        if not news[-1]:
            return
        if not waits:
            yield


class _Teller:
    """One reply, as far as it was made (`note`, by the desk) and told (`piece`, by the caller's
    thread). Its text ends before the first stop, and what may yet become one, or half a letter, is
    held back."""

    def __init__(self, view: Suspect, index: int, row: Row, a: Mapping[str, Any]) -> None:
        self._view, self._index, self._row = view, index, row
        self._stops: Sequence[str] = a["stop"]
        self._told, self._characters = a.get("after", {}).get(str(index), [0, 0])
        self._made: tuple[str, int, int, str | None] = ("", 0, 0, None)
        self._over = False
        self._each = bool(a["stop"]) or a["stream"]

    def note(self) -> bool:
        row = self._row
        if row.finish is None and not self._each:
            return True
        with self._view._lock:
            text = self._view._engine.decode(row.made)
        ends = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        finish = None
        if ends:
            text, finish = text[: min(ends)], "stop"
        elif row.finish is not None:
            finish = "stop" if row.finish == "eos" else "length"
        safe = _sure(text, self._stops) if finish is None else len(text)
        self._made = text, safe, len(row.made), finish
        return not ends

    def piece(self, now: bool) -> dict[str, Any] | None:
        """What is new; None where nothing is, or where it is not the time."""
        whole, safe, count, finish = self._made
        if self._over or not now or (finish is None and safe <= self._characters):
            return None
        self._over = finish is not None
        row, start = self._row, self._told
        self._told = count
        text = whole[self._characters : safe]
        self._characters = max(safe, self._characters)
        ids = row.made[start:count]
        piece: dict[str, Any] = {"row": self._index, "text": text, "token_ids": ids}
        piece |= {"strings": [], "logprobs": [], "alternatives": [], "finish": finish}
        if row.told is not None:
            shown = count - (finish is not None and row.finish == "eos")
            piece["strings"] = self._view.token_strings(row.made[start:shown])
            piece["logprobs"] = [_finite(value) for value in row.logprobs[start:shown]]
            piece["alternatives"] = _alternatives(self._view, row.alternatives[start:shown])
        return piece


def _sure(text: str, stops: Sequence[str]) -> int:
    """How many characters are certain, whatever comes."""
    sure = len(text.rstrip("\ufffd"))
    for stop in stops:
        for size in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:size]):
                sure = min(sure, len(text) - size)
                break
    return sure


def _alternatives(
    view: Suspect, listed: Sequence[Sequence[tuple[int, float]]]
) -> list[list[tuple[str, float]]]:
    ids = [token for one in listed for token, _ in one]
    names = dict(zip(ids, view.token_strings(ids), strict=True))
    return [[(names[token], _finite(value)) for token, value in one] for one in listed]


def _finite(value: float) -> float:
    return max(value, -9999.0)


def _refuse_much(view: Suspect, prompts: Sequence[tuple[int, ...]], told: int) -> None:
    floats = max(map(len, prompts), default=0) * view.vocabulary
    if told and floats > FLOATS_AT_MOST:
        raise BadParameter(
            f"{floats} alternatives of one prompt, where {FLOATS_AT_MOST} are looked through",
            hint="Ask for logprobs = 0, or for a shorter prompt.",
        )


def _read(
    view: Suspect, desk: Desk, prompts: Sequence[tuple[int, ...]], a: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The prompts' own log-probabilities, a turn for as many as can be held at once."""
    most = max(1, FLOATS_AT_MOST // (view.vocabulary * max(map(len, prompts), default=1)))
    read = []
    for start in range(0, len(prompts), most):
        with desk.stretch():
            scored = view.logprobs(
                prompts[start : start + most],
                interventions=a["interventions"],
                distributions=a["told"] > 0,
            )
        read += [_told(view, one, a["told"]) for one in scored]
    return read


def _told(view: Suspect, scored: TokenLogprobs, most: int) -> dict[str, Any]:
    listed: list[list[tuple[int, float]]] = [[] for _ in scored.token_ids[1:]]
    if scored.distributions is not None:
        table = scored.distributions[:-1]
        order = (-table).argsort(axis=-1, kind="stable")[:, :most]
        listed = [
            [(int(i), float(row[i])) for i in chosen]
            for row, chosen in zip(table, order, strict=True)
        ]
    return {
        "strings": view.token_strings(scored.token_ids),
        "logprobs": [_finite(float(value)) for value in scored.logprobs],
        "alternatives": _alternatives(view, listed),
    }


def _whole(rows: Sequence[Row]) -> int:
    return sum(len(row.draw.prompt.token_ids) for row in rows)


def _active(
    view: Suspect, desk: Desk, rows: Sequence[Row], a: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The strongest latents of each token, read again as one text under the same interventions."""
    from workbench.suspects.latents import Latents

    wanted = a["latents"]
    latents = Latents.load(wanted["sae"], "cpu")
    texts = [(*row.draw.prompt.token_ids, *row.made) for row in rows]
    found: dict[int, dict[str, Any]] = {}
    with desk.stretch():
        for part in view.activations(
            texts, [wanted["hook_name"]], interventions=a["interventions"]
        ):
            values = part.values[wanted["hook_name"]]
            if values.shape[-1] != latents.W_dec.shape[1]:
                raise BadParameter(
                    f"an SAE of width {latents.W_dec.shape[1]} at a hook of {values.shape[-1]}",
                    hint="Name the hook that it was trained on.",
                )
            for i, index in enumerate(part.rows):
                amounts = latents.encode(values[i][part.mask[i]])
                best = amounts.topk(min(wanted["top"], amounts.shape[-1]), dim=-1)
                found[index] = {
                    "row": index,
                    "prompt_tokens": len(rows[index].draw.prompt.token_ids),
                    "strings": view.token_strings(texts[index]),
                    "latents": [
                        [pair for pair in zip(ids, row, strict=True) if pair[1] > 0]
                        for ids, row in zip(
                            best.indices.tolist(), best.values.tolist(), strict=True
                        )
                    ],
                }
    return [found[i] for i in range(len(rows))]
