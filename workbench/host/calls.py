"""A metered call from its reservation to its place in the chain."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from workbench.access import Access
from workbench.errors import BudgetExceeded, WorkbenchError
from workbench.host.guard import Gate
from workbench.host.link import Ended, Link, Question, WorkerFailed
from workbench.host.records import Call, Client, Receipt, Whose
from workbench.host.store import Store
from workbench.host.verbs import GENERATE, Asked, Generate, Verb
from workbench.suspects.wire import Frame, error_document, error_from

KEPT_BYTES = 1 << 20
"""A longer answer is not stored; for a key that is sent again it is computed again."""

OK = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """A JSON answer on its way out."""

    content: bytes
    error: WorkbenchError | None
    receipt: Receipt


class Calls:
    """Reserve, run, settle. A key is charged once, whatever dies in between and however often it is
    sent; calls under one key wait for each other.

    links: the worker of each suspect by its name. sae: the directory behind a client's name for an
    SAE. gate: asked again in the moment of charging.
    """

    def __init__(
        self,
        store: Store,
        links: Mapping[str, Link],
        sae: Callable[[Client, str], str],
        gate: Gate,
    ) -> None:
        self._store, self._links, self._sae, self._gate = store, links, sae, gate
        self._keys: dict[tuple[str, str], list[Any]] = {}
        self._lock = threading.Lock()

    def answer(self, client: Client, verb: Verb, asked: Asked, key: str, body: str) -> Answered:
        """The JSON answer to a metered verb, on the disk before it is returned.

        Raises BudgetExceeded, WorkerFailed (nothing is charged then), and what the suspect refuses
        before it computes.
        """
        with self._alone(client, key):
            call = self._store.call(client.name, key, verb.name, body)
            if call is not None and call.reply is not None:
                return _stored(call, self._store.receipt())
            call, question = self._reserved(client, verb, asked, key, body, call)
            ended = Ended()
            with self._refunding(call):
                document = self._links[client.suspect].document(question, ended)
            content = _content(document, ended)
            status = OK if ended.error is None else 400
            digest = hashlib.sha256(content).hexdigest()
            kept = content if len(content) <= KEPT_BYTES else None
            receipt = self._store.settle(call, ended.spent, status, kept, digest)
            return Answered(content, ended.error, receipt)

    def frames(
        self, client: Client, verb: Verb, asked: Asked, key: str, body: str
    ) -> Generator[Frame, None, None]:
        """The frames of a metered verb: first what it costs, last the chain or an error.

        What it costs is reserved before this yields; raises as `answer` does until then.
        """
        with self._alone(client, key):
            call = self._store.call(client.name, key, verb.name, body)
            call, question = self._reserved(client, verb, asked, key, body, call)
            yield Frame({"spent": dict(call.reserved)})
            ended = Ended()
            hashed = hashlib.sha256()
            delivered = False
            try:
                for frame in self._links[client.suspect].frames(question, ended):
                    hashed.update(frame.pack())
                    delivered = True
                    yield frame
            except WorkerFailed as error:
                if not delivered:
                    self._store.refund(call)
                # else it stays open: paid for, and answered in full when its key is sent again
                yield _failed(error)
                return
            except GeneratorExit:  # the client left: it has paid, and may ask again
                self._store.settle(call, call.reserved, OK, None, "")
                raise
            status = OK if ended.error is None else 400
            receipt = self._store.settle(call, call.reserved, status, None, hashed.hexdigest())
            if ended.error is not None:
                yield _failed(ended.error)
                return
            yield Frame({"end": True, "chain": [receipt.seq, receipt.head]})

    def parts(
        self,
        client: Client,
        asked: Generate,
        key: str,
        body: str,
        composed: Callable[[WorkbenchError | None, Mapping[str, int]], bytes],
        file: Callable[[], None],
    ) -> Generator[dict[str, Any], None, Receipt]:
        """The parts of an answer to `generate`, after an empty one as soon as it is paid for;
        returns the chain.

        Raises as `answer` does before the first part, and after it WorkerFailed and what the
        suspect raised. composed: the answer to keep, from the error it ended with and what was
        spent. file: keeps the exchange, in the transaction that settles the call. A client who
        leaves has paid for what was sampled until then. A key that was answered gives the answer
        again, as the only part: {"again": bytes}.
        """
        with self._alone(client, key):
            call = self._store.call(client.name, key, GENERATE.name, body)
            if call is not None and call.reply is not None:
                if call.status != OK:
                    raise error_from(json.loads(call.reply)["error"])
                yield {"again": call.reply}
                return self._store.receipt()
            call, question = self._reserved(client, GENERATE, asked, key, body, call)
            ended, spent, delivered = Ended(), {}, False
            try:
                yield {}
                for part in self._links[client.suspect].parts(question, ended):
                    spent = part["spent"]
                    delivered = delivered or bool(part["pieces"] or part["read"])
                    yield part
            except WorkerFailed as error:
                if delivered:
                    self._settled(call, spent, composed, error, file)
                else:
                    self._store.refund(call)
                raise
            except GeneratorExit:
                self._settled(call, spent, composed, None, file)
                raise
            receipt = self._settled(call, ended.spent, composed, ended.error, file)
            if ended.error is not None:
                raise ended.error
            return receipt

    def _settled(
        self,
        call: Call,
        spent: Mapping[str, int],
        composed: Callable[[WorkbenchError | None, Mapping[str, int]], bytes],
        error: WorkbenchError | None,
        file: Callable[[], None],
    ) -> Receipt:
        content = composed(error, spent)
        kept = content if len(content) <= KEPT_BYTES else None
        digest = hashlib.sha256(content).hexdigest()
        with self._store.writing():
            if error is None:
                file()
            return self._store.settle(call, spent, OK if error is None else 400, kept, digest)

    def _reserved(
        self,
        client: Client,
        verb: Verb,
        asked: Asked,
        key: str,
        body: str,
        call: Call | None,
    ) -> tuple[Call, Question]:
        """The call, filed and paid for, and what to ask the worker. One that was filed before is
        asked again as it was then, and not paid for again."""
        arguments = asked.model_dump()
        within = {m: n for m, n in arguments.pop("within").items() if n is not None}
        of = arguments.pop("of")
        for edit in arguments.get("interventions", ()):
            if edit["sae"]:
                edit["sae"] = self._sae(client, edit["sae"])
        if arguments.get("latents"):
            named = arguments["latents"]
            named["sae"] = self._sae(client, named["sae"])
        access = client.access & ~Access.REFERENCE if of == "reference" else client.access
        question = Question(verb.name, of, access, within, arguments)
        if call is not None:
            arguments.update(call.arguments)
            return call, dataclasses.replace(question, within={})
        self._refuse_hopeless(client, of, asked.least)
        costs = self._links[client.suspect].costs(question)
        decided: dict[str, Any] = {}
        if verb.name == "corpus/batch":
            decided["rows"] = self._rows(client, question, costs.get("documents", 0))
            costs = {"documents": decided["rows"]}
            arguments.update(decided)
        with self._store.writing():
            self._gate.admit(client, verb.name, writes=True)
            filed = self._store.reserve(client.name, key, verb.name, of, body, costs, decided)
        return filed, question

    def _refuse_hopeless(self, client: Client, of: Whose, least: Mapping[str, int]) -> None:
        """Raises BudgetExceeded where even the least that it costs is not left: whoever has spent
        all gets no work out of the model's process, not even a price."""
        for meter, amount in least.items():
            left = self._store.left(client.name, of, meter)
            if left is not None and amount > left:
                raise BudgetExceeded(
                    f"{amount} {meter} asked at least, {left} left",
                    hint="Ask for less, or for a larger budget.",
                )

    def _rows(self, client: Client, question: Question, wanted: int) -> int:
        """As many rows as both budgets reach; BudgetExceeded where that is none of some."""
        bounds = [
            self._store.left(client.name, question.of, "documents"),
            question.within.get("documents"),
        ]
        rows = min([wanted, *(bound for bound in bounds if bound is not None)])
        if wanted and rows <= 0:
            raise BudgetExceeded(
                f"{wanted} documents asked, 0 left", hint="Ask for a larger budget."
            )
        return rows

    @contextmanager
    def _refunding(self, call: Call) -> Iterator[None]:
        try:
            yield
        except WorkerFailed:
            self._store.refund(call)
            raise

    @contextmanager
    def _alone(self, client: Client, key: str) -> Iterator[None]:
        """One thread at a time per key; those who wait find what the first one left."""
        place = (client.name, key)
        with self._lock:
            entry = self._keys.setdefault(place, [threading.Semaphore(1), 0])
            entry[1] += 1
        try:
            entry[0].acquire()
            try:
                yield
            finally:
                entry[0].release()
        finally:
            with self._lock:
                entry[1] -= 1
                if not entry[1]:
                    del self._keys[place]


def digest_of(verb: Verb, content: bytes) -> str:
    """What an idempotency key stands for: the verb and the very bytes of the request."""
    return hashlib.sha256(verb.name.encode() + b"\0" + content).hexdigest()


def _content(document: Mapping[str, Any], ended: Ended) -> bytes:
    if ended.error is not None:
        return json.dumps({"error": error_document(ended.error)}).encode()
    return json.dumps({**document, "spent": dict(ended.spent)}).encode()


def _stored(call: Call, receipt: Receipt) -> Answered:
    assert call.reply is not None
    failed = call.status != OK
    error = error_from(json.loads(call.reply)["error"]) if failed else None
    return Answered(call.reply, error, receipt)


def _failed(error: WorkbenchError) -> Frame:
    return Frame({"end": True, "error": error_document(error)})
