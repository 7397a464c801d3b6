"""A text through the logit lens, read in the process that keeps the suspect open."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from audits.keyness import content_words
from probes.lens import layers_of, passes, spread
from workbench.access import Access
from workbench.errors import BadParameter
from workbench.suspects import Suspect
from workbench.ui.reads import held

if TYPE_CHECKING:
    from numpy import ndarray

SHOWN_TOKENS = 128
LIKELIEST = 5
WORDS = 12
CANDIDATES = 200
"""Tokens among which the words are looked for that middle layers lean to."""
CLEAR, TIMES = 0.05, 3
"""A word counts as thought of from this mean probability, at so many times its control's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Leaning:
    """A word, its mean probability in the middle layers, here and in the control (None: there is
    none), whether the text says it, and whether it is clearly thought of."""

    word: str
    here: float
    there: float | None
    said: bool
    clear: bool


def lens(suspect: str, said: str, text: str, both: bool) -> dict[str, Any]:
    """What each layer would say at each token of a text, or of a reply to a question.

    both: read the reference beside it, where it is granted and speaks the same tokens. top: by
    layer and position the likeliest [token, probability], empty where a token is special. words:
    what the middle layers lean to over the tokens shown.
    """
    model = held.suspect(suspect)
    head = model.render([{"role": "user", "content": said}], True) if said.strip() else ""
    start = max(0, model.count_tokens([head])[0] - 1) if head else 0
    count = model.count_tokens([head + text])[0]
    if count - start > SHOWN_TOKENS:
        raise BadParameter(
            f"a text of {count - start} tokens", hint=f"Give at most {SHOWN_TOKENS} of them."
        )
    top, here, ids = _read(model, head + text, start)
    there = None
    if both and Access.REFERENCE in model.access and _same_tokens(model, head + text):
        _, there, _ = _read(model.reference, head + text, start)
    strings = dict.fromkeys(id for layer in top for row in layer for id, _ in row)
    names = dict(zip(strings, model.token_strings(list(strings)), strict=True))
    return {
        "tokens": model.token_strings(ids[start:]),
        "layers": list(spread(model.n_layers)),
        "middle": list(_middle(model)),
        "of": model.n_layers,
        "top": [[[[names[id], p] for id, p in row] for row in layer] for layer in top],
        "words": [dataclasses.asdict(one) for one in _leanings(model, here, there, text)],
        "beside": there is not None,
    }


def lens_costs(suspect: str, said: str, text: str) -> dict[str, int]:
    """What `lens` takes of the suspect at most, by meter; as much of its reference."""
    model = held.suspect(suspect)
    head = model.render([{"role": "user", "content": said}], True) if said.strip() else ""
    count = model.count_tokens([head + text])[0]
    needed = passes(count, model.n_layers)
    return {"forward_passes": needed, "tokens": needed * count}


def _leanings(model: Suspect, here: ndarray, there: ndarray | None, text: str) -> list[Leaning]:
    """The words that rise most over the control, or are likeliest where there is none. here, there:
    [vocabulary]."""
    spoken = content_words(text)
    rise = here if there is None else here - there
    ids = [id for id in (-rise).argsort()[:CANDIDATES].tolist() if rise[id] > 0]
    found = []
    for id, token in zip(ids, model.token_strings(ids), strict=True):
        word = token.strip()
        begins = token[:1].isspace() or token[:1].isupper()
        if begins and content_words(word) == {word.lower()}:
            usual = None if there is None else float(there[id])
            clear = usual is not None and here[id] >= max(CLEAR, TIMES * usual)
            found.append(Leaning(word, float(here[id]), usual, word.lower() in spoken, bool(clear)))
    return found[:WORDS]


def _middle(model: Suspect) -> tuple[int, ...]:
    """The layers from a third of the depth to the last but one, as far as they are read."""
    inner = [n for n in spread(model.n_layers) if model.n_layers // 3 <= n < model.n_layers - 1]
    return tuple(inner or spread(model.n_layers)[:1])


def _read(
    model: Suspect, text: str, start: int
) -> tuple[list[list[list[tuple[int, float]]]], ndarray, tuple[int, ...]]:
    """(by layer and position the likeliest (id, probability), mean probabilities [vocabulary] of
    the middle layers, the text's tokens)."""
    import numpy as np

    middle, top = _middle(model), []
    total, read = np.zeros(model.vocabulary), 0
    ids: tuple[int, ...] = ()
    for layer in layers_of(model, text, spread(model.n_layers)):
        ids = layer.token_ids
        chances = np.exp(layer.logprobs[start:])
        order = (-chances).argsort(1)[:, :LIKELIEST]
        top.append(
            [
                [(int(id), float(chances[at, id])) for id in row] if ok else []
                for at, (row, ok) in enumerate(zip(order, layer.read[start:], strict=True))
            ]
        )
        if layer.number in middle:
            total += chances[layer.read[start:]].sum(0)
            read += int(layer.read[start:].sum())
    return top, total / max(1, read), ids


def _same_tokens(model: Suspect, text: str) -> bool:
    """Whether suspect and reference read a text as the same tokens, out of as many."""
    other = model.reference
    some = list(range(0, model.vocabulary, max(1, model.vocabulary // 200)))
    return (
        other.vocabulary == model.vocabulary
        and other.count_tokens([text]) == model.count_tokens([text])
        and other.token_strings(some) == model.token_strings(some)
    )


ANSWERS: Mapping[str, Callable[..., Any]] = {"lens": lens, "lens_costs": lens_costs}
