"""What the model worker does for each verb, on a view that guards and meters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from workbench.access import Access, Budget
from workbench.corpus.streams import to_stream
from workbench.errors import BadParameter
from workbench.findings import clean_text
from workbench.host.replies import REPLY_AT_MOST
from workbench.suspects import Activations, Intervention, Reply, Suspect, TokenLogprobs
from workbench.suspects.pricing import priced
from workbench.suspects.wire import Frame, pack_arrays

FLOATS_AT_MOST = 1 << 27
"""Log-probabilities in one answer, all of which are held at once: 512 MB."""

Answer: TypeAlias = Callable[[Suspect, Mapping[str, Any]], Iterator[Frame]]
"""Books and checks when it is called; the frames may be computed as they are taken."""


def with_edits(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with interventions as such; raises BadParameter on parts that contradict."""
    edits = [Intervention.from_json(edit) for edit in arguments.get("interventions", ())]
    return {**arguments, "interventions": edits}


def price(
    verb: str, suspect: Suspect, access: Access, budget: Budget, a: Mapping[str, Any]
) -> dict[str, int]:
    """The most that a call can cost; raises what it would raise before it computes."""
    if verb == "corpus/batch":  # the host takes as much of it as the budget reaches
        corpus = suspect.restrict(access).corpus
        return {"documents": max(0, min(a["rows"], corpus.documents - a["start"]))}
    return priced(suspect, access, budget, lambda view: ANSWERS[verb](view, a))


def _card(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    card: dict[str, Any] = {
        "id": view.id,
        "assistant": view.assistant,
        "access": view.access.names,
        "n_layers": view.n_layers,
        "d_model": view.d_model,
        "context": view.context,
        "vocabulary": view.vocabulary,
    }
    if Access.TRAINING_DATA in view.access:
        corpus = view.corpus
        card["corpus"] = {"documents": corpus.documents, "bytes": corpus.bytes}
    return _one(card)


def _fingerprint(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return _one({"parts": view.fingerprint()})


def _hooks(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return _one({"hook_names": list(view.hook_names)})


def _count(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return _one({"counts": view.count_tokens(a["texts"])})


def _strings(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return _one({"strings": view.token_strings(a["token_ids"])})


def _render(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return _one({"text": view.render(a["conversation"], a["add_generation_prompt"])})


def _reward(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return _one({"scores": view.reward.score(a["conversations"])})


def _chat(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return sampled(view.chat(a["conversations"], prefill=a["prefill"], **sampling(a)))


def _complete(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return sampled(view.complete(a["prompts"], **sampling(a)))


def _logprobs(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    refuse_distributions(view, a)
    scored = view.logprobs(
        a["texts"], interventions=a["interventions"], distributions=a["distributions"]
    )
    return (scores(text) for text in scored)


def _activations(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    stream = view.activations(a["texts"], a["hook_names"], interventions=a["interventions"])
    return (_activated(part) for part in stream)


def _batch(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return iter((Frame({}, (to_stream(view.corpus.batch(a["start"], a["rows"])),)),))


def _rows(view: Suspect, a: Mapping[str, Any]) -> Iterator[Frame]:
    return iter((Frame({}, (to_stream(view.corpus.selected(a["ids"])),)),))


ANSWERS: dict[str, Answer] = {
    "suspect": _card,
    "fingerprint": _fingerprint,
    "hooks": _hooks,
    "count": _count,
    "strings": _strings,
    "render": _render,
    "reward": _reward,
    "chat": _chat,
    "complete": _complete,
    "logprobs": _logprobs,
    "activations": _activations,
    "corpus/batch": _batch,
    "corpus/rows": _rows,
}


def refuse_distributions(view: Suspect, a: Mapping[str, Any]) -> None:
    """Raises BadParameter where more is asked of `logprobs` than can be held at once."""
    if a["distributions"] and Access.LOGITS in view.access:
        floats = sum(view.count_tokens(a["texts"])) * view.vocabulary
        if floats > FLOATS_AT_MOST:
            raise BadParameter(
                f"distributions of {floats} numbers, where {FLOATS_AT_MOST} are served at once",
                hint="Ask for fewer texts at once.",
            )


def _one(document: Mapping[str, Any]) -> Iterator[Frame]:
    return iter((Frame(dict(document)),))


def sampling(a: Mapping[str, Any]) -> dict[str, Any]:
    """How replies are sampled, of what was asked."""
    names = ("n", "max_new_tokens", "temperature", "seed", "interventions")
    return {name: a[name] for name in names}


def sampled(replies: Sequence[Sequence[Reply]]) -> Iterator[Frame]:
    """Replies by conversation as they travel."""
    return _one({"replies": [[_reply(reply) for reply in row] for row in replies]})


def _reply(reply: Reply) -> dict[str, Any]:
    text = clean_text(reply.text, REPLY_AT_MOST)
    return {"text": text, "token_ids": list(reply.token_ids), "finish": reply.finish}


def scores(scored: TokenLogprobs) -> Frame:
    """The log-probabilities of one text as they travel."""
    arrays = {"logprobs": scored.logprobs, "last": scored.last}
    if scored.distributions is not None:
        arrays["distributions"] = scored.distributions
    return pack_arrays({"token_ids": list(scored.token_ids)}, arrays)


def _activated(part: Activations) -> Frame:
    arrays = {"tokens": part.tokens, "mask": part.mask, "special": part.special}
    arrays |= {str(i): values for i, values in enumerate(part.values.values())}
    return pack_arrays(
        {"rows": list(part.rows), "hook_names": list(part.values)},
        {name: tensor.numpy() for name, tensor in arrays.items()},
    )
