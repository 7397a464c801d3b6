"""HTTP that does not wait for ever: a connection says what it wants, or is closed."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 5.0
"""How long the head of a request may take, from the connection or the last answer on."""


OPEN_AT_MOST = 500
"""Connections at once; beyond them the one that has said nothing for longest makes room."""


class Prompt(H11Protocol):
    """Closes connections without a request: all together they would keep everybody out."""

    open: ClassVar[dict[Prompt, None]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.open[self] = None
        if len(self.open) > OPEN_AT_MOST:
            silent = next((one for one in self.open if one.says_nothing), None)
            if silent is not None:
                del self.open[silent]
                silent.transport.close()
        self._await_head(after=None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.pop(self, None)
        super().connection_lost(exc)

    @property
    def says_nothing(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        self._await_head(after=answered)

    def _await_head(self, after: Any) -> None:
        def close() -> None:
            if self.cycle is after:
                self.transport.close()

        self.loop.call_later(HEAD_SECONDS, close)
