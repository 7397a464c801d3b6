"""What a host answers: one type per access level, so that none can carry another level's data.

The worker's words are hostile: what a type does not name never leaves, texts are made storable and
cut with a notice.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from workbench.access import Access
from workbench.findings import clean_text
from workbench.suspects.wire import BrokenStream, Frame, check_arrays

REPLY_AT_MOST = 200_000
"""Characters of one reply; what is longer is cut with a notice."""


def _storable(text: Any) -> Any:
    return clean_text(text, REPLY_AT_MOST) if isinstance(text, str) else text


Words = Annotated[str, BeforeValidator(_storable)]
TokenIds = list[Annotated[int, Field(ge=0)]]


class _Answer(BaseModel):
    """Fields that are not named are dropped."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class Card(_Answer):
    """What every token may know of a suspect."""

    id: Words
    assistant: Words | None
    access: list[str]
    n_layers: int
    d_model: int
    context: int
    vocabulary: int


class CorpusCard(_Answer):
    """How much training data there is (training-data)."""

    documents: int
    bytes: int


class CardWithCorpus(Card):
    """The card for those who may read the training data (training-data)."""

    corpus: CorpusCard


class Fingerprint(_Answer):
    """Hashes that runs are filed under."""

    parts: dict[str, str | None]


class Hooks(_Answer):
    """Names of hooks, for those who may read or edit activations."""

    hook_names: list[str]


class Counts(_Answer):
    """Tokens by text."""

    counts: list[int]


class Strings(_Answer):
    """Text by token."""

    strings: list[Words]


class Rendered(_Answer):
    """A conversation by the chat template (chat)."""

    text: Words


class Scores(_Answer):
    """Rewards (reward)."""

    scores: list[float]


class ChatReply(_Answer):
    """One sampled reply (chat, prefill): words and how they ended; no probability of anything."""

    text: Words
    token_ids: TokenIds
    finish: Literal["eos", "length"]


class ChatReplies(_Answer):
    """What was sampled, by conversation or prompt."""

    replies: list[list[ChatReply]]


Told = Annotated[list[Annotated[tuple[Words, float], Field(strict=False)]], Field(max_length=64)]


class Piece(_Answer):
    """What is new of one reply: (chat, prefill) words and token ids, in order; (logits) its tokens'
    strings, log-probabilities and alternatives, where they were asked for; how it ended."""

    row: int
    text: Words
    token_ids: TokenIds
    strings: list[Words]
    logprobs: list[float]
    alternatives: list[Told]
    finish: Literal["stop", "length"] | None


class Read(_Answer):
    """A prompt's own tokens (logits): the first has no log-probability and no alternatives."""

    strings: list[Words]
    logprobs: list[float]
    alternatives: list[Told]


class Active(_Answer):
    """The strongest latents of each token of a prompt and its reply (activations)."""

    row: int
    prompt_tokens: int
    strings: list[Words]
    latents: list[list[Annotated[tuple[int, float], Field(strict=False)]]]


class Generated(_Answer):
    """A part of what the OpenAI door is told."""

    prompt_tokens: list[int] = []
    texts: list[Words] = []
    read: list[Read] = []
    pieces: list[Piece] = []
    active: list[Active] = []
    spent: dict[str, int]


class LogitsHeader(_Answer):
    """The header of a text's log-probabilities (logits)."""

    token_ids: TokenIds


class ActivationsHeader(_Answer):
    """The header of a batch of activations (activations)."""

    rows: list[int]
    hook_names: list[str]


class DocumentsHeader(_Answer):
    """The header of training data (training-data); the rows are an Arrow IPC stream."""


DOCUMENTS: dict[str, type[_Answer]] = {
    "suspect": Card,
    "fingerprint": Fingerprint,
    "hooks": Hooks,
    "count": Counts,
    "strings": Strings,
    "render": Rendered,
    "reward": Scores,
    "chat": ChatReplies,
    "complete": ChatReplies,
}
_LOGITS_ARRAYS = {"logprobs", "last", "distributions"}


def document(verb: str, header: Any, access: Access) -> dict[str, Any]:
    """The JSON answer to a verb; raises BrokenStream where the worker gave something else."""
    if verb == "suspect" and Access.TRAINING_DATA in access and "corpus" in header:
        return _checked(CardWithCorpus, header)
    return _checked(DOCUMENTS[verb], header)


def generated(header: Any) -> dict[str, Any]:
    """A part of an answer to `generate`; raises BrokenStream where the worker gave another."""
    return _checked(Generated, header)


def frame(verb: str, given: Frame) -> Frame:
    """The frame that may leave for a verb; raises BrokenStream where the worker gave another."""
    if verb.startswith("corpus/"):
        if len(given.blobs) != 1:
            raise BrokenStream("training data in other than one piece")
        return Frame(_checked(DocumentsHeader, given.header), given.blobs)
    names = check_arrays(given)
    header: type[_Answer] = LogitsHeader if verb == "logprobs" else ActivationsHeader
    kept = _checked(header, given.header)
    fits = (
        set(names) <= _LOGITS_ARRAYS
        if verb == "logprobs"
        else set(names) == {"tokens", "mask", "special", *map(str, range(len(kept["hook_names"])))}
    )
    if not fits:
        raise BrokenStream(f"arrays {names} in answer to {verb}")
    parts = ("name", "dtype", "shape")
    listed = [{part: array[part] for part in parts} for array in given.header["arrays"]]
    return Frame(kept | {"arrays": listed}, given.blobs)


def _checked(kind: type[_Answer], header: Any) -> dict[str, Any]:
    try:
        return kind.model_validate(header).model_dump()
    except ValidationError as error:
        raise BrokenStream(f"no {kind.__name__}: {error.error_count()} wrong fields") from None
