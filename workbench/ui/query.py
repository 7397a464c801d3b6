"""A person's SQL on the ledger, in a process of its own that is ended where it runs away.

The connection is read-only and sealed off from files, extensions and the network, and answers one
SELECT (`Ledger.query`). The process adds what a connection cannot promise: bounds on memory, time
and what comes back. Its folder is empty and it can write no file.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from workbench.errors import BudgetExceeded, WorkbenchError
from workbench.host.processes import start
from workbench.suspects.wire import error_document, error_from

SECONDS = 10.0
MEMORY_BYTES = 1 << 30
"""Address space of the process, of which Python and DuckDB take a good part before any query."""
ROWS = 1_000
CELL = 2_000
ANSWER_BYTES = 16 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class QuerySettings:
    """descriptor: the process's end of the socket pair."""

    ledger: str
    sql: str
    folder: str
    seconds: float
    descriptor: int


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Columns and rows of plain JSON values; `cut` where there were more than ROWS."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    cut: bool


def ask(ledger: str, sql: str, *, seconds: float = SECONDS) -> Answer:
    """The answer to one SELECT. Raises ConfigError on anything else and on wrong SQL, and
    BudgetExceeded where it takes too long or too much."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory() as folder, closing(Connection(ours.detach())) as connection:
        with theirs:
            whole = str(Path(ledger).resolve())
            settings = QuerySettings(whole, sql, folder, seconds, theirs.fileno())
            process = start("workbench.ui.query:serve", settings, (theirs.fileno(),))
        try:
            answer = _received(connection, process, seconds)
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
    if "error" in answer:
        raise error_from(answer["error"])
    rows = tuple(tuple(row) for row in answer["rows"])
    return Answer(tuple(answer["columns"]), rows, bool(answer["cut"]))


def _received(
    connection: Connection, process: subprocess.Popen[bytes], seconds: float
) -> dict[str, Any]:
    try:
        if connection.poll(seconds):
            made: dict[str, Any] = json.loads(connection.recv_bytes(ANSWER_BYTES))
            return made
    except (EOFError, OSError):
        raise BudgetExceeded(
            "the query needed more memory, or gave more, than it is allowed",
            hint=f"It has {MEMORY_BYTES >> 20} MB: select less, or aggregate.",
        ) from None
    raise BudgetExceeded(
        f"the query was ended after {seconds:g} seconds",
        hint="Select less, or aggregate; `workbench ledger query` has no such bound.",
    )


def serve(settings: QuerySettings) -> None:
    """Answers once, and leaves."""
    import os
    import resource

    import duckdb  # noqa: F401  (before the bounds: what it maps is no query's doing)

    os.chdir(settings.folder)
    os.environ.clear()
    for limit, value in (
        (resource.RLIMIT_AS, _mapped() + MEMORY_BYTES),
        (resource.RLIMIT_CPU, int(settings.seconds) + 2),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    with Connection(settings.descriptor) as connection:
        connection.send_bytes(json.dumps(_answered(settings)).encode())


def _answered(settings: QuerySettings) -> dict[str, Any]:
    from workbench.ledger import Ledger

    try:
        table = Ledger(settings.ledger).query(settings.sql, most=ROWS + 1)
    except WorkbenchError as error:
        return {"error": error_document(error)}
    except MemoryError:
        shortage = BudgetExceeded(
            "the query needed more memory than it is allowed",
            hint=f"It has {MEMORY_BYTES >> 20} MB: select less, or aggregate.",
        )
        return {"error": error_document(shortage)}
    rows = [_plain(row) for row in table.rows[:ROWS]]
    return {"columns": list(table.columns), "rows": rows, "cut": len(table.rows) > ROWS}


def _plain(row: Sequence[Any]) -> list[Any]:
    return [value if _is_plain(value) else _cut(str(value)) for value in row]


def _is_plain(value: Any) -> bool:
    small = isinstance(value, int) and abs(value) < 1 << 63
    return value is None or small or isinstance(value, float)


def _cut(text: str) -> str:
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _mapped() -> int:
    """Bytes of address space that this process has already."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * 4096
