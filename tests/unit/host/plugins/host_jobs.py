"""A technique for jobs: it asks, waits as long as it is told, and says what it heard."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from workbench.access import Access
from workbench.findings import Finding


@dataclasses.dataclass(frozen=True)
class Asking:
    """Asks for replies to one word and reports the first."""

    name: ClassVar[str] = "asking"
    version: ClassVar[int] = 1
    needs: ClassVar[Access] = Access.CHAT
    uses: ClassVar[Access] = Access.NONE
    word: str = "hello"
    times: int = 1
    pause_seconds: float = 0.0

    def run(self, suspect: Any, *, seed: int, artifacts: Any) -> Iterator[Finding]:
        turns = [[{"role": "user", "content": self.word}]]
        replies = [suspect.chat(turns, n=2)[0] for _ in range(self.times)]
        time.sleep(self.pause_seconds)
        yield Finding(f"it says '{replies[0][0].text}'", 0.4)
