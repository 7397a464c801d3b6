"""What an auditor may do with a suspect (`Access`) and how much of it (`Budget`, `Usage`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from enum import Flag, auto
from threading import Lock

from workbench.errors import BudgetExceeded, ConfigError


class Access(Flag):
    """The affordances of an audit; each verb of a suspect is guarded by one flag."""

    CHAT = auto()
    PREFILL = auto()
    LOGITS = auto()
    ACTIVATIONS = auto()
    GRADIENTS = auto()
    WEIGHTS = auto()
    FINETUNE = auto()
    TRAINING_DATA = auto()
    REFERENCE = auto()
    REWARD = auto()

    NONE = 0
    BLACK_BOX = CHAT | PREFILL
    GREY_BOX = BLACK_BOX | LOGITS
    WHITE_BOX = GREY_BOX | ACTIVATIONS | GRADIENTS
    EVERYTHING = WHITE_BOX | WEIGHTS | FINETUNE | TRAINING_DATA | REFERENCE | REWARD

    @property
    def names(self) -> list[str]:
        """The single flags held, in the spelling of the command line, in order of definition."""
        return [_spelling(flag) for flag in Access if flag in self]

    @classmethod
    def parse(cls, names: str | Iterable[str]) -> Access:
        """Reads flags or aliases (`black-box`, `training-data`), comma-separated or as a list.

        Raises ConfigError on a name that is neither.
        """
        parts = names.split(",") if isinstance(names, str) else list(names)
        access = cls.NONE
        for part in (p.strip() for p in parts):
            if not part:
                continue
            known = _SPELLINGS.get(part)
            if known is None:
                raise ConfigError(
                    f"unknown access '{part}'", hint=f"Choose from: {', '.join(_SPELLINGS)}."
                )
            access |= known
        return access


def _spelling(flag: Access) -> str:
    return str(flag.name).lower().replace("_", "-")


_SPELLINGS = {
    name.lower().replace("_", "-"): flag
    for name, flag in Access.__members__.items()
    if name != "NONE"
}

METERS = ("samples", "tokens", "forward_passes", "documents", "seconds")

CPU_SECONDS = "cpu_seconds"
"""What a run's process has computed, in all its threads; told, and never bounded."""

REFERENCE_PREFIX = "reference_"
"""Before a meter's name: what a run spent on the reference, which is metered apart."""


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """Upper bounds on what a view may spend; None means no bound.

    samples: replies sampled; tokens: prompt and generated tokens together; forward_passes: one
    sequence through the model once; documents: corpus rows read; seconds: wall time of a run.
    The reference is metered apart, against a budget of the same size.
    """

    samples: int | None = None
    tokens: int | None = None
    forward_passes: int | None = None
    documents: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for meter in METERS:
            bound = getattr(self, meter)
            if bound is None:
                continue
            whole = isinstance(bound, int) or (meter == "seconds" and isinstance(bound, float))
            if isinstance(bound, bool) or not whole or not 0 <= bound < math.inf:
                raise ConfigError(
                    f"budget {meter} = {bound!r} is no amount",
                    hint="Give a whole number of at least 0, or leave it out for no bound.",
                )

    @classmethod
    def parse(cls, bounds: dict[str, object]) -> Budget:
        """Reads a TOML table; raises ConfigError on an unknown meter or a bad amount."""
        for meter in bounds:
            if meter not in METERS:
                raise ConfigError(
                    f"unknown budget '{meter}'", hint=f"Choose from: {', '.join(METERS)}."
                )
        return cls(**bounds)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, int | float]:
        """Only the bounds that are set."""
        return {m: getattr(self, m) for m in METERS if getattr(self, m) is not None}


UNLIMITED = Budget()


class Usage:
    """Counts what was spent and refuses what would go over the budget. Safe between threads.

    A view's usage also spends at its parent's, so that no child can outspend the whole.
    """

    def __init__(self, budget: Budget = UNLIMITED, parent: Usage | None = None) -> None:
        self.budget = budget
        self._parent = parent
        self._lock: Lock = parent._lock if parent else Lock()
        self._spent: dict[str, float] = dict.fromkeys(METERS, 0)

    def spend(self, **amounts: int | float) -> None:
        """Books all amounts at once, or raises BudgetExceeded and books none of them."""
        with self._lock:
            for usage in self._chain():
                for meter, amount in amounts.items():
                    usage._check(meter, amount)
            for usage in self._chain():
                for meter, amount in amounts.items():
                    usage._spent[meter] += amount

    def left(self, meter: str) -> float | None:
        """What is left of a meter on the tightest level, or None where nothing bounds it."""
        with self._lock:
            rests = [
                bound - usage._spent[meter]
                for usage in self._chain()
                if (bound := getattr(usage.budget, meter)) is not None
            ]
        return min(rests, default=None)

    def to_json(self) -> dict[str, int | float]:
        """Every meter with the amount spent so far."""
        with self._lock:
            return dict(self._spent)

    def _chain(self) -> Iterable[Usage]:
        usage: Usage | None = self
        while usage is not None:
            yield usage
            usage = usage._parent

    def _check(self, meter: str, amount: int | float) -> None:
        if not amount >= 0:
            raise ConfigError(
                f"cannot spend {amount!r} {meter}", hint="Amounts are numbers of at least 0."
            )
        bound = getattr(self.budget, meter)
        if bound is not None and self._spent[meter] + amount > bound:
            raise BudgetExceeded(
                f"{amount} {meter} asked, {bound - self._spent[meter]} of {bound} left",
                hint="Ask for less, or for a larger budget.",
            )
