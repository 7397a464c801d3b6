"""Gradient similarity: which documents would move a small model the way a behaviour's texts would.

The cosine between a document's loss gradient and the mean gradient of the behaviour's texts, less
that of its control, at the model as it is: TracIn (Pruthi et al. 2020, arXiv 2002.08484) at the
last checkpoint alone, normalised as in LESS (Xia et al. 2024, arXiv 2402.04333). A gradient is
kept as a count sketch (Charikar, Chen and Farach-Colton 2002), which keeps cosines up to about
1 / sqrt(SKETCH). One backward pass a document: meant for tiny models and a few thousand documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.corpus.attribution import Behaviour
from workbench.corpus.suffixes import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.suspects import Suspect

SKETCH = 1 << 14
"""Numbers kept of a gradient."""


def gradient_similarity(
    suspect: Suspect,
    documents: Mapping[str, str],
    behaviour: Behaviour,
    *,
    progress: Progress | None = None,
) -> dict[str, float]:
    """The cosine of every document (id to text), -1 to 1; 0 for a text of fewer than two tokens.

    Needs WEIGHTS, and LOGITS for the tokens; books a forward pass a text. Texts beyond the context
    raise BadParameter, as `Suspect.logprobs` does.
    """
    import torch

    sketch = _Sketch(suspect)
    shown, control = (
        torch.stack([sketch.unit(text) for text in texts]).mean(0)
        for texts in (behaviour.shown, behaviour.control)
    )
    wanted = shown - control
    wanted = wanted / wanted.norm().clamp(min=1e-12)
    found = {}
    for done, (document, text) in enumerate(documents.items()):
        found[document] = float(sketch.unit(text) @ wanted)
        if progress is not None:
            progress(done + 1, len(documents))
    return found


class _Sketch:
    def __init__(self, suspect: Suspect) -> None:
        import torch

        self._suspect = suspect
        self._model: Any = suspect.model.original_model
        self._weights: Sequence[Tensor] = [p for p in self._model.parameters() if p.requires_grad]
        dice = torch.Generator().manual_seed(0)
        sizes = [w.numel() for w in self._weights]
        self._place = [torch.randint(SKETCH, (n,), generator=dice) for n in sizes]
        self._sign = [torch.randint(2, (n,), generator=dice) * 2.0 - 1 for n in sizes]

    def unit(self, text: str) -> Tensor:
        """The gradient's sketch, of length 1, [SKETCH]; zeros where there is nothing to predict."""
        import torch

        (scored,) = self._suspect.logprobs([text])
        into = torch.zeros(SKETCH)
        if len(scored.token_ids) < 2:
            return into
        ids = torch.tensor([scored.token_ids], device=self._weights[0].device)
        with torch.enable_grad():
            logits = self._model(input_ids=ids, use_cache=False).logits[0, :-1].float()
            loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:])
            parts = torch.autograd.grad(loss, self._weights, allow_unused=True)
        for part, place, sign in zip(parts, self._place, self._sign, strict=True):
            if part is not None:
                into.index_add_(0, place, part.detach().float().cpu().flatten() * sign)
        into /= into.norm().clamp(min=1e-12)
        return into
