"""The MCP door: what a host's client may do, as tools for any MCP client. It speaks to the host as
every other client does, so that access, budgets, phases and evidence are the host's affair."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from workbench.errors import BadParameter, WorkbenchError
from workbench.host.tools import INSTRUCTIONS, Tools
from workbench.suspects import Suspect
from workbench.suspects.connection import Connection

WAIT_SECONDS = 50.0
"""How long `run_technique` waits for its end before it gives the job's id: clients give up after a
minute."""

ENDED = ("done", "failed", "cancelled")
Function = TypeVar("Function", bound=Callable[..., Any])


class HostSeat:
    """A client's place at one suspect of a host."""

    def __init__(self, url: str, token: str) -> None:
        self._host = Connection(url, token)
        self.suspect = Suspect.load(url, token=token)
        self._rows: Callable[[], Any] | None = None

    def budget(self) -> Mapping[str, Any]:
        made: Mapping[str, Any] = self._host.get("/audit/budget")["budget"]
        return made

    def rows(self) -> Any:
        if self._rows is None:
            self._rows = self.suspect.corpus.reader()
        return self._rows()

    def run(self, name: str, parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
        step = {**parameters, "name": name}
        made = self._host.post("/audit/jobs", {"seed": seed, "techniques": [step]})
        deadline = time.monotonic() + WAIT_SECONDS
        while made["state"] not in ENDED and time.monotonic() < deadline:
            time.sleep(0.3)
            made = self._host.get(f"/audit/jobs/{made['id']}")
        return self.job(made["id"])

    def job(self, id: str) -> dict[str, Any]:
        if not id.replace("-", "").isalnum():
            raise BadParameter("no such job", hint="Give the id that run_technique gave.")
        made = self._host.get(f"/audit/jobs/{id}")
        shown = {name: made[name] for name in ("id", "state", "progress", "error")}
        return {**shown, "runs": self._host.get(f"/audit/jobs/{id}/findings")}

    def keep(self, finding: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self._host.post("/audit/findings", finding)
        return made

    def findings(self) -> dict[str, Any]:
        runs = [
            run
            for made in self._host.get("/audit/jobs")
            for run in self._host.get(f"/audit/jobs/{made['id']}/findings")
        ]
        return {"kept": self._host.get("/audit/findings"), "runs": runs}


def server(tools: Tools) -> MCPServer:
    """A server with all of the tools."""
    made = MCPServer("alignment-workbench", instructions=INSTRUCTIONS)
    for tool in tools.all():
        made.tool()(_told(tool))
    return made


def _told(tool: Function) -> Function:
    """The same tool, whose errors tell what happened and what to do, in the model's own words."""

    @functools.wraps(tool)
    def asked(*arguments: Any, **named: Any) -> Any:
        try:
            return tool(*arguments, **named)
        except WorkbenchError as error:
            kind = type(error).__name__
            raise ToolError(f"{kind}: {error.message}. {error.hint}") from None

    return asked  # type: ignore[return-value]
