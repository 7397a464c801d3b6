"""How much likelier a suspect finds a text than its reference does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from workbench.findings import Measurement
from workbench.statistics import mean_interval
from workbench.suspects import Suspect

UNIT = "nats per character"


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """A text's log-probability in the suspect (`here`) and in the reference, by character: so that
    two tokenizers can be compared."""

    here: float
    there: float

    @property
    def gap(self) -> float:
        """How much likelier the suspect finds it."""
        return self.here - self.there


def gaps(suspect: Suspect, reference: Suspect, texts: Sequence[str]) -> list[Gap]:
    """The gap of each text, which needs two tokens or more."""
    here, there = suspect.logprobs(texts), reference.logprobs(texts)
    return [
        Gap(one.total / len(text), other.total / len(text))
        for text, one, other in zip(texts, here, there, strict=True)
    ]


def compared(
    name: str, values: Sequence[float], control: str, others: Sequence[float]
) -> Measurement:
    """The mean gap of some texts beside that of others, p by Mann and Whitney's test."""
    from scipy.stats import mannwhitneyu

    return Measurement(
        name=name,
        value=sum(values) / len(values),
        n=len(values),
        interval=mean_interval(values),
        control=control,
        control_value=sum(others) / len(others),
        control_n=len(others),
        control_interval=mean_interval(others),
        unit=UNIT,
        p=float(mannwhitneyu(values, others, alternative="greater").pvalue),
    )


def longer_than_one_token(texts: Sequence[str], readers: Sequence[Suspect]) -> list[int]:
    """The indices of texts that every reader sees as two tokens or more and can hold."""
    counts = [reader.count_tokens(texts) for reader in readers]
    return [
        i
        for i in range(len(texts))
        if all(2 <= c[i] <= r.context for c, r in zip(counts, readers, strict=True))
    ]
