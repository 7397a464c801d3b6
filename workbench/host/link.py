"""The API's end of the model worker's socket."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from workbench.access import Access
from workbench.errors import SuspectError, WorkbenchError
from workbench.host import replies
from workbench.host.records import Whose
from workbench.suspects.wire import BrokenStream, Frame, error_from, read_frame

TRIES = 3
"""How often a call is made that the worker dies under while it computes; one that ran out of time
is not repeated. One that was still waiting for its turn is asked again without being counted."""


class WorkerFailed(SuspectError):
    """The model's process died or hung under a call; what was reserved for it is given back."""


@dataclasses.dataclass(slots=True)
class Ended:
    """How an answer ended: what the worker booked, and the error that it met, if any.

    begun: when it last began to be computed, by this process's clock; None while it waits.
    """

    spent: Mapping[str, int] = dataclasses.field(default_factory=dict)
    error: WorkbenchError | None = None
    begun: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What the worker is asked: a verb with checked arguments, on a view of one of its models."""

    verb: str
    of: Whose
    access: Access
    within: Mapping[str, int]
    arguments: Mapping[str, Any]

    def frame(self, price: bool) -> bytes:
        """The question as it travels."""
        asked = dataclasses.asdict(self) | {"access": self.access.names, "price": price}
        return Frame(asked).pack()


class Link:
    """Asks the worker, one connection per question. The worker is restarted by others; a question
    that it dies under is asked again."""

    def __init__(self, path: Path, call_seconds: float) -> None:
        self._path = str(path)
        self._call_seconds = call_seconds

    def costs(self, question: Question) -> dict[str, int]:
        """The most that it can cost, by meter; raises what the call would raise at once."""
        ended = Ended()
        (frame,) = self._whole(question, ended, price=True) or (Frame({}),)
        if ended.error is not None:
            raise ended.error
        return {str(meter): int(amount) for meter, amount in frame.header["costs"].items()}

    def document(self, question: Question, ended: Ended) -> dict[str, Any]:
        """The JSON answer, checked against the verb's reply type; empty where `ended` has an
        error. Raises WorkerFailed."""
        frames = self._whole(question, ended, price=False)
        if ended.error is not None:
            return {}
        (frame,) = frames or (Frame({}),)
        try:
            return replies.document(question.verb, frame.header, question.access)
        except BrokenStream as error:
            raise _failed(error) from None

    def frames(self, question: Question, ended: Ended) -> Iterator[Frame]:
        """The frames of an answer, each checked against the verb's reply type; raises WorkerFailed.

        Where the worker dies, what came before it is not given twice.
        """
        seen = tries = 0
        while True:
            try:
                for number, frame in enumerate(self._ask(question, ended, price=False)):
                    if number >= seen:
                        seen += 1
                        yield replies.frame(question.verb, frame)
                return
            except (OSError, BrokenStream) as error:
                tries += self._counted(ended)
                if tries >= TRIES:
                    raise _failed(error) from None

    def parts(self, question: Question, ended: Ended) -> Iterator[dict[str, Any]]:
        """The parts of an answer to `generate`, each checked; raises WorkerFailed.

        Where the worker dies, the same replies are sampled again and what was told is left out.
        """
        told: dict[str, list[int]] = {}
        tries = 0
        while True:
            try:
                asked = {**question.arguments, "after": told}
                again = dataclasses.replace(question, arguments=asked)
                for frame in self._ask(again, ended, price=False):
                    part = replies.generated(frame.header)
                    for piece in part["pieces"]:
                        tokens, characters = told.get(str(piece["row"]), [0, 0])
                        tokens += len(piece["token_ids"])
                        told[str(piece["row"])] = [tokens, characters + len(piece["text"])]
                    yield part
                return
            except (OSError, BrokenStream) as error:
                tries += self._counted(ended)
                if tries >= TRIES:
                    raise _failed(error) from None

    def _whole(self, question: Question, ended: Ended, price: bool) -> list[Frame]:
        tries = 0
        while True:
            try:
                return list(self._ask(question, ended, price))
            except (OSError, BrokenStream) as error:
                tries += self._counted(ended)
                if tries >= TRIES:
                    raise _failed(error) from None

    def _counted(self, ended: Ended) -> int:
        """What a failure counts for: nothing before its turn, all when it ran out of time."""
        time.sleep(0.05)
        if ended.begun is None:
            return 0
        return TRIES if time.monotonic() - ended.begun >= self._call_seconds else 1

    def _ask(self, question: Question, ended: Ended, price: bool) -> Iterator[Frame]:
        ended.begun = None
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect(self._path)
            connection.sendall(question.frame(price))
            with connection.makefile("rb") as stream:
                while True:
                    frame = read_frame(stream.read)
                    if "begun" in frame.header:
                        ended.begun = time.monotonic() - float(frame.header["begun"])
                    elif "waits" in frame.header:
                        ended.begun = None
                    elif "end" in frame.header:
                        error = frame.header.get("error")
                        ended.error = None if error is None else error_from(error)
                        ended.spent = _whole_amounts(frame.header.get("spent"))
                        return
                    else:
                        yield frame
                        ended.begun = ended.begun and time.monotonic()


def _failed(error: Exception) -> WorkerFailed:
    return WorkerFailed(
        f"the model's process failed under this call: {error or type(error).__name__}",
        hint="Nothing was spent. Ask for less, or again later.",
    )


def _whole_amounts(document: Any) -> dict[str, int]:
    parts = document if isinstance(document, dict) else {}
    return {str(m): n for m, n in parts.items() if type(n) is int and n >= 0}
