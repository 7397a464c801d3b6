"""A suspect that a host serves: the same verbs over HTTP, under a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from workbench.access import METERS, Access, Budget
from workbench.corpus import Corpus
from workbench.errors import BadParameter, ModelUnavailable
from workbench.suspects import batches
from workbench.suspects.answers import Activations, Conversation, Finish, Reply, TokenLogprobs
from workbench.suspects.connection import Connection
from workbench.suspects.engine import Engine
from workbench.suspects.interventions import Intervention
from workbench.suspects.remote_corpus import RemoteCorpus
from workbench.suspects.remote_saes import SharedSaes
from workbench.suspects.suspect import Suspect
from workbench.suspects.wire import PROTOCOL, BrokenStream, Frame, amounts, unpack_arrays

SPENT = tuple(meter for meter in METERS if meter != "seconds")
"""The meters that a host books by call."""


def connect(url: str, token: str) -> Suspect:
    """The suspect behind a URL.

    Raises ModelUnavailable where nobody answers in time, AccessDenied on a token that is not valid.
    """
    host = Connection(url, token)
    card = host.get("/audit/suspect")
    if not isinstance(card, dict) or card.get("protocol") != PROTOCOL:
        raise ModelUnavailable(
            f"the host at {url} speaks another protocol", hint="Update the older of the two."
        )
    return RemoteSuspect(host, card, "suspect")


class RemoteSuspect(Suspect):
    """A suspect or its reference (`of`) on a host, which computes, guards and meters.

    Access and budgets of views are checked here too, so that a technique meets the same errors as
    on a local suspect. Weights, gradients and fine-tuning are never served.
    """

    def __init__(self, host: Connection, card: Mapping[str, Any], of: str) -> None:
        access = Access.parse(card["access"])
        super().__init__(
            cast(Engine, _RemoteEngine(host, card, of)),
            id=str(card["id"]),
            access=access,
            assistant=card.get("assistant"),
            reference=lambda: RemoteSuspect(
                host, host.get("/audit/suspect?of=reference"), "reference"
            ),
            reward=_RemoteReward(host, of),
        )
        self.access = access
        self._host = host
        self._of = of
        self._card = card
        self._saes = SharedSaes(host)

    def chat(
        self,
        conversations: Sequence[Conversation],
        *,
        n: int = 1,
        prefill: str = "",
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        seed: int = 0,
        interventions: Sequence[Intervention] = (),
    ) -> list[list[Reply]]:
        self._require(Access.CHAT, "chat")
        if prefill:
            self._require(Access.PREFILL, "a prefill")
        batches.refuse_single(conversations, "conversations", (str, dict))
        turns = [[dict(turn) for turn in turns] for turns in conversations]
        asked = {"conversations": turns, "prefill": prefill}
        return self._sampled("chat", asked, n, max_new_tokens, temperature, seed, interventions)

    def complete(
        self,
        prompts: Sequence[str],
        *,
        n: int = 1,
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        seed: int = 0,
        interventions: Sequence[Intervention] = (),
    ) -> list[list[Reply]]:
        self._require(Access.PREFILL, "complete")
        batches.refuse_single(prompts, "prompts", (str,))
        asked = {"prompts": list(prompts)}
        return self._sampled("complete", asked, n, max_new_tokens, temperature, seed, interventions)

    def logprobs(
        self,
        texts: Sequence[str | Sequence[int]],
        *,
        interventions: Sequence[Intervention] = (),
        distributions: bool = False,
    ) -> list[TokenLogprobs]:
        self._require(Access.LOGITS, "logprobs")
        batches.refuse_single(texts, "texts", (str,))
        self._admit(interventions)
        asked = {"texts": _plain(texts), "distributions": distributions}
        *found, _ = self._framed("logprobs", asked, interventions)
        return [_scored(frame) for frame in found]

    def activations(
        self,
        texts: Sequence[str | Sequence[int]],
        hook_names: Sequence[str],
        *,
        interventions: Sequence[Intervention] = (),
    ) -> Iterator[Activations]:
        self._require(Access.ACTIVATIONS, "activations")
        batches.refuse_single(hook_names, "hook_names", (str,))
        if not hook_names:
            raise BadParameter(
                "activations of no hook", hint="Name one, like suspect.residual_hook(0)."
            )
        batches.refuse_single(texts, "texts", (str,))
        self._admit(interventions)
        asked = {"texts": _plain(texts), "hook_names": list(hook_names)}
        frames = self._framed("activations", asked, interventions)
        return (_activated(frame) for frame in frames if "end" not in frame.header)

    def count_tokens(self, texts: Sequence[str | Sequence[int]]) -> list[int]:
        batches.refuse_single(texts, "texts", (str,))
        answer = self._host.post("/audit/count", {"of": self._of, "texts": _plain(texts)})
        return [int(count) for count in answer["counts"]]

    @property
    def corpus(self) -> Corpus:
        self._require(Access.TRAINING_DATA, "corpus")
        card = self._card.get("corpus") or {}
        return RemoteCorpus(self._host, self._of, card, self.usage)

    def fingerprint(self) -> dict[str, str | None]:
        if self._fingerprint is None:
            answer = self._host.get(f"/audit/fingerprint?of={self._of}")
            self._fingerprint = {str(part): value for part, value in answer["parts"].items()}
        return dict(self._fingerprint)

    def _sampled(
        self,
        verb: str,
        asked: dict[str, Any],
        n: int,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        interventions: Sequence[Intervention],
    ) -> list[list[Reply]]:
        batches.refuse_amounts(n, max_new_tokens, temperature)
        self._admit(interventions)
        with self._lock:
            answer = self._host.post(
                f"/audit/{verb}",
                self._request(interventions)
                | asked
                | {
                    "n": n,
                    "max_new_tokens": max_new_tokens,
                    "temperature": temperature,
                    "seed": seed,
                },
            )
            self.usage.spend(**amounts(answer["spent"], SPENT))
        return [[_replied(reply) for reply in replies] for replies in answer["replies"]]

    def _framed(
        self, verb: str, asked: dict[str, Any], interventions: Sequence[Intervention]
    ) -> Iterator[Frame]:
        """The frames of an answer; what they cost is booked at once."""
        with self._lock:
            document = self._request(interventions) | asked
            frames = self._host.frames(f"/audit/{verb}", document)
            start = next(frames)
            self.usage.spend(**amounts(start.header.get("spent"), SPENT))
        return frames

    def _request(self, interventions: Sequence[Intervention]) -> dict[str, Any]:
        left = {meter: self.usage.left(meter) for meter in SPENT}
        within = Budget(**{m: int(rest) for m, rest in left.items() if rest is not None})
        edits = [
            i.to_json() | ({"sae": self._saes.share(Path(i.sae))} if i.sae else {})
            for i in interventions
        ]
        return {"of": self._of, "within": within.to_json(), "interventions": edits}


class _RemoteEngine:
    """What a suspect asks its engine for beside the verbs."""

    def __init__(self, host: Connection, card: Mapping[str, Any], of: str) -> None:
        self.n_layers = int(card["n_layers"])
        self.d_model = int(card["d_model"])
        self.context = int(card["context"])
        self.vocabulary = int(card["vocabulary"])
        self._host, self._of = host, of
        self._hook_names: list[str] | None = None
        self._strings: dict[int, str] = {}

    @property
    def model(self) -> Any:
        raise BadParameter("a host serves no weights", hint="Load the suspect's directory.")

    @property
    def hook_names(self) -> Sequence[str]:
        if self._hook_names is None:
            answer = self._host.get(f"/audit/hooks?of={self._of}")
            self._hook_names = [str(name) for name in answer["hook_names"]]
        return self._hook_names

    def check_hooks(self, hook_names: Sequence[str]) -> None:
        """The host checks them."""

    def render(self, conversation: Conversation, add_generation_prompt: bool) -> str:
        answer = self._host.post(
            "/audit/render",
            {
                "of": self._of,
                "conversation": [dict(turn) for turn in conversation],
                "add_generation_prompt": add_generation_prompt,
            },
        )
        return str(answer["text"])

    def token_strings(self, token_ids: Sequence[int]) -> list[str]:
        ids = [int(i) for i in token_ids]
        unknown = sorted(set(ids) - self._strings.keys())
        if unknown:
            answer = self._host.post("/audit/strings", {"of": self._of, "token_ids": unknown})
            self._strings.update(zip(unknown, map(str, answer["strings"]), strict=True))
        return [self._strings[i] for i in ids]


class _RemoteReward:
    """The reward model on the host."""

    def __init__(self, host: Connection, of: str) -> None:
        self._host, self._of = host, of

    def fingerprint(self) -> str:
        """What the host files its runs under; it computes it, no weight travels."""
        return str(self._host.get(f"/audit/fingerprint?of={self._of}")["parts"]["reward"])

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        turns = [[dict(turn) for turn in turns] for turns in conversations]
        answer = self._host.post("/audit/reward", {"of": self._of, "conversations": turns})
        return [float(score) for score in answer["scores"]]


def _plain(texts: Sequence[str | Sequence[int]]) -> list[str | list[int]]:
    return [text if isinstance(text, str) else list(text) for text in texts]


def _replied(reply: Mapping[str, Any]) -> Reply:
    finish = cast(Finish, str(reply["finish"]))
    return Reply(str(reply["text"]), tuple(int(i) for i in reply["token_ids"]), finish)


def _scored(frame: Frame) -> TokenLogprobs:
    arrays = unpack_arrays(frame)
    return TokenLogprobs(
        tuple(int(i) for i in frame.header["token_ids"]),
        arrays["logprobs"],
        arrays["last"],
        arrays.get("distributions"),
    )


def _activated(frame: Frame) -> Activations:
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in unpack_arrays(frame).items()}
    names = frame.header["hook_names"]
    if set(tensors) != {"tokens", "mask", "special", *map(str, range(len(names)))}:
        raise BrokenStream("a batch of activations with other arrays")
    return Activations(
        rows=tuple(int(row) for row in frame.header["rows"]),
        tokens=tensors["tokens"],
        mask=tensors["mask"],
        special=tensors["special"],
        values={str(name): tensors[str(i)] for i, name in enumerate(names)},
    )
