"""Fits techniques into what is left of the budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from workbench.access import Access
from workbench.auditors.bench import Bench
from workbench.auditors.kit import Known
from workbench.findings import JSON

SHARES = (1.0, 0.5, 0.25, 0.125)
"""Of a technique's usual cost, where the budget does not reach for all of it."""

TOKENS_PER_SAMPLE = 80
LEAST_DOCUMENTS = 500
_MOST_OF_REST = 0.6
"""Of what is left, spent on one technique while smaller shares of it would do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Purse:
    """What a bench has left, as techniques cost it."""

    bench: Bench

    def cost(self, known: Known) -> float:
        """In minutes of a core, and in budgets of samples where they are bounded."""
        samples = self.samples_left()
        share = self._samples(known) / samples if samples else 0.0
        return max(0.02, known.seconds / 60 + share)

    def fitting(
        self, name: str, known: Known, given: Mapping[str, JSON] | None = None
    ) -> dict[str, JSON] | None:
        """Parameters at which a technique fits what is left; None where it does not fit at all.

        What the ledger holds already is taken as it is held.
        """
        kind = self.bench.techniques()[name]
        documents = self._documents(kind)
        seconds = self.bench.left("seconds")
        if documents is None or (seconds is not None and known.seconds * 0.5 > seconds):
            return None
        base = {**documents, **(given or {})}
        choices = []
        for share in SHARES:
            parameters, costs = known.scaled(kind, share)
            choices.append(({**parameters, **base}, costs))
        left, whole = self.samples_left(), self._samples(known)
        if left is None or not whole:
            return choices[0][0]
        for choice, _ in choices:
            if self.bench.known(name, choice):
                return choice
        for choice, costs in choices:
            most = left if choice == choices[-1][0] else left * _MOST_OF_REST
            if whole * costs <= most:
                return choice
        return None

    def samples_left(self) -> float | None:
        """Samples that are left, or that tokens are left for; None where neither is bounded."""
        samples, tokens = self.bench.left("samples"), self.bench.left("tokens")
        bounds = [samples, None if tokens is None else tokens / TOKENS_PER_SAMPLE]
        return min((bound for bound in bounds if bound is not None), default=None)

    def _samples(self, known: Known) -> float:
        """Replies of the suspect: twice as many where it is its own control."""
        return known.samples * (1 if Access.REFERENCE in self.bench.access else 2)

    def _documents(self, kind: type[object]) -> dict[str, JSON] | None:
        """A bound on the rows that it reads; None where too few are left to read."""
        left = self.bench.left("documents")
        needs: Access = getattr(kind, "needs", Access.NONE)
        if left is None or Access.TRAINING_DATA not in needs:
            return {}
        if left < LEAST_DOCUMENTS:
            return None
        fields = {f.name: f.default for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
        usual = fields.get("documents")
        if not isinstance(usual, int) or left >= usual:
            return {}
        return {"documents": 1 << (int(left).bit_length() - 1)}
