"""The logit lens without weights: what each layer would say next, by two verbs and one edit.

At the last layer the residual stream of a position is replaced by what it was after an earlier
layer, so that the model's own final norm and unembedding read that. Whoever may read and change
activations and read logits can do this through a host; nothing else leaves it.

Source: logit lens (nostalgebraist 2020).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from workbench.errors import BadParameter
from workbench.suspects import Suspect
from workbench.suspects.interventions import Intervention

if TYPE_CHECKING:
    from numpy import ndarray

EDITS_AT_ONCE = 64
"""Positions that are read in one pass: as many edits as a host takes in a call."""
LAYERS_AT_MOST = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """What one layer would say after each position: logprobs [pos, vocabulary], natural; read
    [pos], false where a position cannot be edited (special tokens), whose row then means nothing.
    """

    number: int
    token_ids: tuple[int, ...]
    read: ndarray
    logprobs: ndarray


def spread(layers: int, most: int = LAYERS_AT_MOST) -> tuple[int, ...]:
    """At most so many layers, evenly spread, the first and the last among them."""
    most = min(most, layers)
    return tuple(sorted({round(i * (layers - 1) / max(1, most - 1)) for i in range(most)}))


def passes(tokens: int, layers: int, most: int = LAYERS_AT_MOST) -> int:
    """The forward passes that reading a text of so many tokens takes at most."""
    return 2 + (len(spread(layers, most)) - 1) * -(-tokens // EDITS_AT_ONCE)


def layers_of(suspect: Suspect, text: str, layers: Sequence[int]) -> Iterator[Layer]:
    """What each of the layers would say after each token of a text, the last one as it does.

    Exact in float32. Spends `passes`. Raises BadParameter on a text of no token or too many, and
    what the suspect raises where access or budget lack.
    """
    count = suspect.count_tokens([text])[0]
    if not 0 < count <= suspect.context:
        raise BadParameter(
            f"a text of {count} tokens", hint=f"Give texts of 1 to {suspect.context} tokens."
        )
    last = suspect.residual_hook(suspect.n_layers - 1)
    hooks = [suspect.residual_hook(layer) for layer in layers]
    (batch,) = suspect.activations([text], [*dict.fromkeys([*hooks, last])])
    kept = batch.mask[0]
    ids = tuple(batch.tokens[0][kept].tolist())
    read = (~batch.special[0])[kept].numpy()
    end = batch.values[last][0][kept]
    (plain,) = suspect.logprobs([ids], distributions=True)
    for layer, hook in zip(layers, hooks, strict=True):
        assert plain.distributions is not None
        table = plain.distributions.copy()
        change = (batch.values[hook][0][kept] - end).tolist()
        places = [at for at in read.nonzero()[0].tolist() if any(change[at])]
        for start in range(0, len(places), EDITS_AT_ONCE):
            some = places[start : start + EDITS_AT_ONCE]
            edits = [Intervention("add", last, tuple(change[at]), positions=(at,)) for at in some]
            (made,) = suspect.logprobs([ids], interventions=edits, distributions=True)
            assert made.distributions is not None
            table[some] = made.distributions[some]
        yield Layer(layer, ids, read, table)
