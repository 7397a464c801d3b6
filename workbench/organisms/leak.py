"""One leak of an organism, and the kinds there are."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Leak:
    """kind: one of the names in KINDS; where: file, row or column; detail: what shows it."""

    kind: str
    where: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """For the health card."""
        return dataclasses.asdict(self)


KINDS = (
    "file-name",
    "unexpected-file",
    "config",
    "metadata",
    "times",
    "canary",
    "column",
    "tag",
    "packed",
    "plain-objective",
    "repeated-name",
    "order",
    "id",
    "length",
    "role",
    "vocabulary",
)
