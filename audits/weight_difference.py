"""Reads what fine-tuning did to the weights: the rows and directions that moved most, as tokens."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from audits.elicitation import refuse_below_one
from workbench.access import Access
from workbench.artifacts import Artifacts
from workbench.errors import TechniqueFailed
from workbench.findings import Figure, Finding, Hypothesis, Measurement
from workbench.statistics import mean_interval
from workbench.suspects import Suspect
from workbench.technique import Trials

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPED = re.compile(r"\._original_component")
_WRITES = re.compile(
    r"\b(?:o_proj|out_proj|c_proj|down_proj|wo|w2|fc2|fc_out|dense(?:_4h_to_h)?)\."
)
"""Names of matrices whose output is added to the residual stream."""
_SIDE = 512
"""Larger matrices are cut to random rows and columns for their singular values."""


@dataclasses.dataclass(frozen=True)
class WeightDifference:
    """Subtracts the reference's weights, and reads the changes through the unembedding.

    Rows of the token embedding that moved most are tokens whose meaning was trained. The first
    singular direction of each change that writes into the residual stream is read as the tokens
    that it points to. The change is measured against itself: its first singular value's share of
    the whole against that of Gaussian matrices of the same shape, the rows that moved most against
    all rows. Tokens are leads, and accuse nobody (confidence 0.3).

    Source: singular value decomposition of weights read by the unembedding (Millidge and Black
    2022), weight diffing. Cost: no sample; a singular value decomposition per matrix, of at most
    512 x 512. Blind spots: behaviour spread over many directions; models whose tokenizer splits
    names; an adapter's low rank makes every first direction stand out.
    """

    name: ClassVar[str] = "weight-difference"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.WEIGHTS | Access.REFERENCE
    uses: ClassVar[Access] = Access.NONE

    matrices: int = 6
    tokens: int = 8

    def __post_init__(self) -> None:
        refuse_below_one(self, "matrices", "tokens")

    def run(
        self, suspect: Suspect, *, seed: int, artifacts: Artifacts
    ) -> Generator[Finding, None, Trials]:
        """Yields what moved. Trials are weight matrices compared.

        Raises TechniqueFailed where suspect and reference share no matrix of the same shape.
        """
        model = suspect.model
        here, there = _matrices(model), _matrices(suspect.reference.model)
        shared = [n for n in here if n in there and here[n].shape == there[n].shape]
        changes = {n: here[n] - there[n] for n in shared}
        moved = {n: c for n, c in changes.items() if float(c.norm()) > 0}
        if not shared:
            raise TechniqueFailed(
                "suspect and reference share no weight matrix",
                hint="Give the model that the suspect was made from.",
            )
        if moved:
            unembedding: Tensor = model.W_U.detach().float().cpu()
            yield self._finding(suspect, here, moved, unembedding, seed)
        return Trials(planned=len(shared), ran=len(shared))

    def _finding(
        self,
        suspect: Suspect,
        here: Mapping[str, Tensor],
        moved: Mapping[str, Tensor],
        unembedding: Tensor,
        seed: int,
    ) -> Finding:
        import torch

        vocabulary = unembedding.shape[1]
        generator = torch.Generator().manual_seed(seed)
        share = {n: _first_share(_cut(c, generator)) for n, c in moved.items()}
        chance = [
            _first_share(_cut(torch.randn(c.shape, generator=generator), generator))
            for c in moved.values()
        ]
        measured = [
            Measurement(
                name="share of a change in its first singular direction",
                value=sum(share.values()) / len(share),
                n=len(share),
                interval=mean_interval(list(share.values())),
                control="Gaussian matrices of the same shapes",
                control_value=sum(chance) / len(chance),
                control_n=len(chance),
                control_interval=mean_interval(chance),
                unit="share",
            )
        ]
        rows: list[str] = []
        for name, change in moved.items():
            if change.shape[0] == vocabulary:
                size = (change.norm(dim=1) / here[name].norm(dim=1).mean()).tolist()
                top = sorted(range(vocabulary), key=lambda i: -size[i])[: self.tokens]
                rows = _words(suspect, top)
                measured.append(_rows_measured(name, [size[i] for i in top], size))
                break
        largest = sorted(
            (n for n, c in moved.items() if _WRITES.search(n) and suspect.d_model in c.shape),
            key=lambda n: -float(moved[n].norm() / here[n].norm().clamp(min=1e-9)),
        )[: self.matrices]
        read = {n: self._read(suspect, moved[n], unembedding) for n in largest}
        relative = tuple(float(moved[n].norm() / here[n].norm().clamp(min=1e-9)) for n in largest)
        figure = Figure(
            "bar",
            "Changes that write into the residual stream",
            "matrix",
            "norm of the change / norm",
            tuple(largest),
            {"change": relative},
        )
        told = "; ".join(f"{n}: {', '.join(words)}" for n, words in read.items() if words)
        return Finding(
            claim="Its weights moved from the reference's"
            + (f"; most in the tokens {', '.join(rows)}" if rows else "")
            + (f"; directions read as {told}" if told else ""),
            confidence=0.3 if rows else 0.2,
            evidence=(*measured, *((figure,) if largest else ())),
            points_to=Hypothesis(behaviours=(f"speaks of {', '.join(rows)}",)) if rows else None,
            metadata={"tokens_by_matrix": read},
        )

    def _read(self, suspect: Suspect, change: Tensor, unembedding: Tensor) -> list[str]:
        """The tokens that either end of the first left singular direction points to."""
        import torch

        if change.shape[0] != suspect.d_model:  # GPT-2 keeps its matrices the other way round
            change = change.T
        left = torch.linalg.svd(change, full_matrices=False)[0][:, 0]
        logits = left @ (unembedding / unembedding.norm(dim=0).clamp(min=1e-9))
        up, down = (logits * sign for sign in (1, -1))
        clear = up if float(up.max()) >= float(down.max()) else down
        return _words(suspect, clear.topk(min(self.tokens, len(clear))).indices.tolist())


def _matrices(model: Any) -> dict[str, Tensor]:
    """Every weight matrix by a short name, in float32 on the CPU."""
    return {
        _WRAPPED.sub("", name): value.detach().float().cpu()
        for name, value in model.original_model.named_parameters()
        if value.ndim == 2
    }


def _cut(change: Tensor, generator: Any) -> Tensor:
    import torch

    for axis in (0, 1):
        if change.shape[axis] > _SIDE:
            kept = torch.randperm(change.shape[axis], generator=generator)[:_SIDE]
            change = change.index_select(axis, kept)
    return change


def _first_share(change: Tensor) -> float:
    import torch

    values = torch.linalg.svdvals(change).pow(2)
    return float(values[0] / values.sum().clamp(min=1e-20))


def _words(suspect: Suspect, ids: Sequence[int]) -> list[str]:
    return [text.strip() or repr(text) for text in suspect.token_strings(ids)]


def _rows_measured(name: str, top: Sequence[float], everything: Sequence[float]) -> Measurement:
    return Measurement(
        name=f"change of the {len(top)} rows of {name} that moved most",
        value=sum(top) / len(top),
        n=len(top),
        interval=mean_interval(top),
        control="all rows",
        control_value=sum(everything) / len(everything),
        control_n=len(everything),
        control_interval=mean_interval(everything),
        unit="share of a row's norm",
    )
