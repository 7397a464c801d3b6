"""HTTP that does not wait for ever: a connection says what it wants, or is closed."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 5.0
"""How long the head of a request may take, from the connection or the last answer on."""


class Prompt(H11Protocol):
    """Closes connections without a request: all together they would keep everybody out."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head(after=None)

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        self._await_head(after=answered)

    def _await_head(self, after: Any) -> None:
        def close() -> None:
            if self.cycle is after:
                self.transport.close()

        self.loop.call_later(HEAD_SECONDS, close)
