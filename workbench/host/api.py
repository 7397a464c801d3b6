"""The API process: HTTP on one side, the model worker's socket on the other.

Every request passes the same checks in the same order: token, phase, access, budget, call or job,
hash chain. This process holds neither weights nor truth, and is the only one that writes the
host's state and its ledger.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from workbench.access import Access
from workbench.battery import Battery
from workbench.errors import BadParameter
from workbench.host import guard
from workbench.host.calls import Calls, digest_of
from workbench.host.exchanges import Exchanges
from workbench.host.heads import Prompt
from workbench.host.jobs import Jobs
from workbench.host.kept import Kept
from workbench.host.link import Ended, Link, Question
from workbench.host.openai.description import described_with
from workbench.host.openai.door import Door, refusal, told
from workbench.host.records import Client
from workbench.host.saes import Saes
from workbench.host.store import Store
from workbench.host.verbs import VERBS, Asked, Verb, openapi
from workbench.ledger import Ledger
from workbench.suspects.wire import BODY_BYTES_AT_MOST, PROTOCOL, SAE_BYTES_AT_MOST, Frame

THREADS = 64
SHARE = 16
"""Requests that are worked on at once, and calls of one client; others wait. Twice as many bodies
of one client are held at once."""

CONNECTIONS_AT_MOST = 1_000
STEPS_AT_MOST = 256
FILED_BYTES_AT_MOST = 1 << 20
"""Techniques of one job, and bytes of a job or a finding: what is checked and kept for a client."""

Frames = Generator[Frame, None, None]
Handler = Callable[[Client, Request], Awaitable[Response]]


@dataclasses.dataclass(frozen=True, slots=True)
class ApiSettings:
    """state: the host's directory. listener: an inherited descriptor. workers: by the name of each
    suspect, its worker's socket and its public id; the name is empty where there is only one.
    url: where this API is reached. ledger: one that others write too; None is the state
    directory's own. anyone: the client for whom requests without a known token count at the OpenAI
    door; empty where there is none."""

    state: Path
    listener: int
    workers: Mapping[str, tuple[Path, str]]
    url: str
    call_seconds: float
    calls_per_second: float
    ledger: Path | None = None
    anyone: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """A route that a game adds: what it does with a client, the request's body and its key gives
    the JSON answer. `writes`: asked by POST, and of the gate as such."""

    path: str
    name: str
    act: Callable[[Client, bytes, str], Any]
    writes: bool = False


Extension = Callable[[Store, Ledger], tuple[guard.Gate, Sequence[Move]]]


def main(settings: ApiSettings) -> None:
    """Serves until it is told to stop or its parent goes."""
    serve(settings, lambda store, ledger: (guard.Open(), ()))


def serve(settings: ApiSettings, extend: Extension) -> None:
    """`main`, with a gate and moves of a game's own."""
    store = Store(settings.state / "host.sqlite")
    store.check()  # what is damaged is not gone on with
    ledger = Ledger(settings.ledger or settings.state / "ledger.duckdb")
    with ledger.exclusive() if settings.ledger is None else nullcontext():
        gate, moves = extend(store, ledger)
        jobs = Jobs(store, ledger, settings.state / "artifacts", settings.url, gate)
        ids = {name: id for name, (_, id) in settings.workers.items()}
        kept, exchanges = Kept(store, ledger, ids, gate), Exchanges(store, ledger, ids)
        api = Api(store, jobs, kept, exchanges, settings, gate, moves)
        jobs.start()
        exchanges.start()
        # uvicorn ends when it is told to, and then raises the signal again: the rest must still run
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        try:
            api.server().run(sockets=[socket.socket(fileno=settings.listener)])
        finally:
            jobs.stop()
            exchanges.stop()
            store.close()


class Api:
    """The routes, and what each request passes on its way."""

    def __init__(
        self,
        store: Store,
        jobs: Jobs,
        kept: Kept,
        exchanges: Exchanges,
        settings: ApiSettings,
        gate: guard.Gate,
        moves: Sequence[Move] = (),
    ) -> None:
        self._store, self._jobs, self._kept, self._moves = store, jobs, kept, moves
        self._links = {
            name: Link(worker, settings.call_seconds)
            for name, (worker, _) in settings.workers.items()
        }
        self._saes = Saes(settings.state / "saes")
        self._gate = gate
        self._rates = guard.Rates(settings.calls_per_second)
        self._calls = Calls(store, self._links, self._saes.directory, gate)
        self._door = Door(
            self._calls,
            exchanges,
            {name: id for name, (_, id) in settings.workers.items()},
            self._in_thread,
            self._turn,
        )
        self._anyone = settings.anyone
        self._log = settings.state / "errors.log"
        self._free: dict[tuple[str, str, str, Access], dict[str, Any]] = {}
        self._threads: anyio.CapacityLimiter | None = None
        self._shares: dict[str, anyio.CapacityLimiter] = {}
        self._bodies: dict[str, anyio.CapacityLimiter] = {}

    def server(self) -> uvicorn.Server:
        """The HTTP server; it runs on sockets that it is given."""
        config = uvicorn.Config(
            self.application(),
            http=Prompt,
            access_log=False,
            log_level="warning",
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_AT_MOST,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
        )
        return uvicorn.Server(config)

    def application(self) -> Starlette:
        """All routes."""
        described = json.dumps(described_with(openapi())).encode()

        async def description(request: Request) -> Response:
            return guard.answer(described, 200, {})

        async def health(request: Request) -> Response:
            return guard.answer(b'{"status": "ok"}', 200, {})

        routes = [
            Route("/openapi.json", description),
            Route("/health", health),
            *self._routes(),
            *(
                Route(
                    move.path,
                    self._admitted(move.name, self._moved(move), writes=move.writes),
                    methods=["POST" if move.writes else "GET"],
                )
                for move in self._moves
            ),
        ]
        return Starlette(routes=routes, exception_handlers={404: _nothing, 405: _nothing})

    def _routes(self) -> list[Route]:
        """The routes of one suspect, or of each of several by its name."""
        asked: list[tuple[str, str, str, Handler]] = [
            ("GET", "/audit/budget", "budget", self._budget),
            ("POST", "/audit/saes", "saes", self._keep_sae),
            ("GET", "/audit/findings", "findings", self._list_kept),
            ("POST", "/audit/findings", "findings", self._keep),
            ("GET", "/audit/jobs", "jobs", self._list_jobs),
            ("POST", "/audit/jobs", "jobs", self._add_job),
            ("GET", "/audit/jobs/{id}", "jobs", self._job),
            ("GET", "/audit/jobs/{id}/findings", "jobs", self._findings),
            ("POST", "/audit/jobs/{id}/cancel", "jobs", self._cancel),
            *((v.method, v.path, v.name, self._verb(v)) for v in VERBS.values()),
        ]
        door: list[tuple[str, str, str, Handler]] = [
            ("GET", "/v1/models", "suspect", self._door.models),
            ("GET", "/v1/models/{model:path}", "suspect", self._door.models),
            ("POST", "/v1/chat/completions", "chat", self._door.chat),
            ("POST", "/v1/completions", "complete", self._door.completion),
        ]
        prefix = "" if "" in self._links else "/suspects/{suspect}"
        ours = [
            Route(prefix + path, self._admitted(name, handler, method == "POST"), methods=[method])
            for method, path, name, handler in asked
        ]
        return ours + [
            Route(
                prefix + path,
                self._admitted(name, handler, method == "POST", refusal, self._knocking),
                methods=[method],
            )
            for method, path, name, handler in door
        ]

    def _admitted(
        self,
        name: str,
        handler: Handler,
        writes: bool,
        refuse: Callable[[Exception, Path], Response] = guard.refusal,
        asking: Callable[[Request], Client] | None = None,
    ) -> Callable[[Request], Awaitable[Response]]:
        """Token, rate and phase before the handler; every error as a clear body after it."""
        who = asking or self._asking

        async def endpoint(request: Request) -> Response:
            try:
                client = await self._in_thread(who, request)
                self._rates.take(client.team)
                await self._in_thread(self._ask_gate, client, name, writes)
                if not writes:
                    return await handler(client, request)
                async with self._bodies.setdefault(client.team, anyio.CapacityLimiter(2 * SHARE)):
                    return await handler(client, request)
            except Exception as error:  # the boundary: nothing of ours leaves
                return refuse(error, self._log)

        return endpoint

    def _asking(self, request: Request) -> Client:
        """Whom the token speaks for: where a suspect is named, the team's seat there."""
        client = guard.authenticated(self._store, request)
        suspect = request.path_params.get("suspect")
        return client if suspect is None else self._store.seat(client, suspect)

    def _knocking(self, request: Request) -> Client:
        """Whom a request at the OpenAI door is for: where it is open to anyone, a request with no
        known token too, unless a web page of another origin may have sent it."""
        if not self._anyone:
            return self._asking(request)
        try:
            return self._asking(request)
        except guard.Refused:
            guard.refuse_browsers(request)
            return self._store.known(self._anyone)

    def _ask_gate(self, client: Client, name: str, writes: bool) -> None:
        self._gate.admit(client, name, writes=writes)

    def _moved(self, move: Move) -> Handler:
        async def handle(client: Client, request: Request) -> Response:
            content = await _filed(request) if move.writes else b""
            document = await self._in_thread(move.act, client, content, guard.key(request))
            receipt = await self._in_thread(self._store.receipt)
            return guard.answer(json.dumps(document).encode(), 200, guard.chain(receipt))

        return handle

    def _verb(self, verb: Verb) -> Handler:
        async def handle(client: Client, request: Request) -> Response:
            guard.require(client, verb.needs, verb.name)
            content = await guard.body(request, BODY_BYTES_AT_MOST)
            asked = guard.parsed(verb, request, content)
            guard.require(client, asked.needs, verb.name)
            if not verb.metered:
                async with self._turn(client):
                    document = await self._in_thread(self._unmetered, client, verb, asked)
                return guard.answer(json.dumps(document).encode(), 200, {})
            key, digest = guard.key(request), digest_of(verb, content)
            if verb.framed:
                frames = self._calls.frames(client, verb, asked, key, digest)
                return await self._streamed(self._turn(client), frames)
            async with self._turn(client):
                answered = await self._in_thread(
                    self._calls.answer, client, verb, asked, key, digest
                )
            if answered.error is not None:
                raise answered.error
            return guard.answer(answered.content, 200, guard.chain(answered.receipt))

        return handle

    def _unmetered(self, client: Client, verb: Verb, asked: Asked) -> dict[str, Any]:
        arguments = asked.model_dump()
        of = arguments.pop("of")
        access = client.access & ~Access.REFERENCE if of == "reference" else client.access
        place = (client.suspect, verb.name, of, access)
        if place in self._free:
            return self._free[place]
        ended = Ended()
        question = Question(verb.name, of, access, {}, arguments)
        document = self._links[client.suspect].document(question, ended)
        if ended.error is not None:
            raise ended.error
        if verb.name == "suspect":
            document["protocol"] = PROTOCOL
        if verb.method == "GET":  # the suspect does not change while the host runs
            self._free[place] = document
        return document

    def _turn(self, client: Client) -> anyio.CapacityLimiter:
        """A team's share of what is worked on at once; entered for each call."""
        return self._shares.setdefault(client.team, anyio.CapacityLimiter(SHARE))

    async def _streamed(self, share: anyio.CapacityLimiter, frames: Frames) -> Response:
        """The first frame is taken before the answer starts, so that a refusal has its status."""
        stream = object()
        await share.acquire_on_behalf_of(stream)

        async def close() -> None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(frames.close)
            share.release_on_behalf_of(stream)

        async def content() -> AsyncIterator[bytes]:
            frame: Frame | None = first
            try:
                while frame is not None:
                    yield frame.pack()
                    frame = await self._in_thread(next, frames, None)
            finally:
                await close()

        try:
            first = await self._in_thread(next, frames)
        except BaseException:
            await close()
            raise
        return StreamingResponse(content(), media_type="application/vnd.workbench.frames")

    async def _budget(self, client: Client, request: Request) -> Response:
        amounts = await self._in_thread(self._store.budget, client.name)
        receipt = self._store.receipt()
        document = {
            "client": client.team,
            "access": client.access.names,
            "budget": amounts,
            "chain": [receipt.seq, receipt.head],
        }
        return guard.answer(json.dumps(document).encode(), 200, guard.chain(receipt))

    async def _keep_sae(self, client: Client, request: Request) -> Response:
        guard.require(client, Access.ACTIVATIONS, "an SAE")
        content = await guard.body(request, SAE_BYTES_AT_MOST)
        name = await self._in_thread(self._saes.keep, client, content)
        return guard.answer(json.dumps({"name": name}).encode(), 200, {})

    async def _keep(self, client: Client, request: Request) -> Response:
        content = await _filed(request)
        return await self._said(self._kept.keep, client, content, guard.key(request))

    async def _list_kept(self, client: Client, request: Request) -> Response:
        return await self._said(self._kept.listed, client)

    async def _add_job(self, client: Client, request: Request) -> Response:
        content = await _filed(request)
        try:
            document = json.loads(content)
            body = json.dumps(document, sort_keys=True, allow_nan=False)
        except (ValueError, RecursionError):
            raise BadParameter("the request is no JSON document", hint="Send a battery.") from None
        battery = await self._in_thread(_battery, document)
        made = await self._in_thread(self._jobs.add, client, battery, body, guard.key(request))
        return guard.answer(json.dumps(made).encode(), 200, {})

    async def _list_jobs(self, client: Client, request: Request) -> Response:
        return await self._said(self._jobs.listed, client)

    async def _job(self, client: Client, request: Request) -> Response:
        return await self._said(self._jobs.get, client, request.path_params["id"])

    async def _findings(self, client: Client, request: Request) -> Response:
        return await self._said(self._jobs.findings, client, request.path_params["id"])

    async def _cancel(self, client: Client, request: Request) -> Response:
        return await self._said(self._jobs.cancel, client, request.path_params["id"])

    async def _said(self, function: Callable[..., Any], *arguments: Any) -> Response:
        document = await self._in_thread(function, *arguments)
        return guard.answer(json.dumps(document).encode(), 200, {})

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(THREADS)
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self._threads)


def _battery(document: Any) -> Battery:
    steps = document.get("techniques") if isinstance(document, dict) else None
    if isinstance(steps, list) and len(steps) > STEPS_AT_MOST:
        raise BadParameter(
            f"{len(steps)} techniques, where one job takes {STEPS_AT_MOST}", hint="Send several."
        )
    return Battery.parse(document, origin="battery")


async def _filed(request: Request) -> bytes:
    """A job or a finding, read whole, so that one that is too long gets its answer."""
    content = await guard.body(request, BODY_BYTES_AT_MOST)
    if len(content) > FILED_BYTES_AT_MOST:
        error = BadParameter(f"more than {FILED_BYTES_AT_MOST} bytes", hint="Send less at once.")
        raise guard.Refused(413, error, {})
    return content


async def _nothing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    failure = BadParameter("nothing is here", hint="What there is stands in /openapi.json.")
    if "/v1/" in request.url.path:
        return told(failure, status)
    return guard.answer(guard.error_answer(failure), status, {})
