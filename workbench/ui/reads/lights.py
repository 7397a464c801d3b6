"""What a latent or a probe says of each token: of texts, and of replies in their conversation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from probes.shelf import shelved
from workbench.config import artifacts_root
from workbench.errors import BadParameter
from workbench.suspects import Suspect
from workbench.ui.reads import held

if TYPE_CHECKING:
    from torch import Tensor


def probes(suspect: str) -> list[dict[str, Any]]:
    """The suspect's probes in the cache with their cards, the newest first."""
    tensors = str(held.suspect(suspect).fingerprint()["tensors"])
    found = shelved(artifacts_root(), tensors)
    return [{"name": one.name, "title": one.title, "card": one.card} for one in found]


def texts(suspect: str, by: Mapping[str, Any], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Tokens of each text, which of them are special, and their values.

    by: {"sae", "latent"} or {"probe"}. A special token, which neither reads, has the value 0.
    """
    model = held.suspect(suspect)
    longest = max(model.count_tokens(texts), default=0)
    if not longest or longest > model.context:
        raise BadParameter(
            f"a text of {longest} tokens", hint=f"Give texts of 1 to {model.context} tokens."
        )
    return [dataclasses.asdict(one) for one in _read(model, by, texts)]


def replies(
    suspect: str,
    of_reference: bool,
    by: Mapping[str, Any],
    conversation: Sequence[Mapping[str, str]],
    prefill: str,
    replies: Sequence[Sequence[int]],
) -> list[list[float]]:
    """By reply, given as token ids, the value of each token; empty where the reply is read back as
    other tokens, or does not fit the context."""
    model = held.suspect(suspect)
    model = model.reference if of_reference else model
    head = model.render([dict(turn) for turn in conversation], True) + prefill
    whole = [head + "".join(model.token_strings(ids)) for ids in replies]
    counts = model.count_tokens(whole)
    fits = [bool(ids) and n <= model.context for ids, n in zip(replies, counts, strict=True)]
    read = iter(_read(model, by, [text for text, fit in zip(whole, fits, strict=True) if fit]))
    made: list[list[float]] = []
    for ids, fit in zip(replies, fits, strict=True):
        one = next(read) if fit else None
        same = one is not None and list(one.ids[-len(ids) :]) == list(ids)
        made.append(one.values[-len(ids) :] if one is not None and same else [])
    return made


@dataclasses.dataclass(frozen=True, slots=True)
class _Lit:
    ids: list[int]
    tokens: list[str]
    special: list[bool]
    values: list[float]


def _read(model: Suspect, by: Mapping[str, Any], texts: Sequence[str]) -> list[_Lit]:
    hook, score = _scorer(model, by)
    made: dict[int, _Lit] = {}
    for batch in model.activations(texts, [hook]) if texts else ():
        values = score(batch.values[hook]) * ~batch.special
        for row, ids, mask, special, line in zip(
            batch.rows, batch.tokens, batch.mask, batch.special, values, strict=True
        ):
            kept = ids[mask].tolist()
            made[row] = _Lit(
                kept, model.token_strings(kept), special[mask].tolist(), line[mask].tolist()
            )
    return [made[row] for row in range(len(texts))]


def _scorer(model: Suspect, by: Mapping[str, Any]) -> tuple[str, Callable[[Tensor], Tensor]]:
    """(hook, function from activations [batch, pos, d_in] to values [batch, pos])."""
    score: Callable[[Tensor], Tensor]
    if "probe" in by:
        probe = held.probe(str(by["probe"]))
        width, hook, score = len(probe.direction), probe.hook_name, probe.score_tokens
    else:
        sae, latent = held.sae(str(by["sae"])), int(by["latent"])
        sae.direction(latent)
        width, hook, score = sae.d_in, sae.hook_name, lambda x: sae.encode(x)[..., latent]
    if width != model.d_model:
        raise BadParameter(
            f"it reads {width} numbers, '{model.id}' has {model.d_model} at {hook}",
            hint="Choose one that was made on this suspect or its reference.",
        )
    return hook, score


ANSWERS: Mapping[str, Callable[..., Any]] = {
    "probes": probes,
    "light_texts": texts,
    "light_replies": replies,
}
