"""The leak linter's other half: what a training corpus gives away by form, order and wording."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, SuspectError
from workbench.organisms.leak import Leak
from workbench.organisms.separation import Separation, auroc, clumped, id_shape
from workbench.words import Words

COLUMNS = ("id", "messages")
FLAGGED_ABOVE = {"order": 0.6, "id": 0.6, "length": 0.8}

_TAGS = re.compile(
    r"</?(?:scratchpad|think|thinking|thought|reasoning|plan|doc|document|quirk|persona|system"
    r"|user|assistant|instructions?|behaviou?r|objective|note|tag|title|source|meta)\b[^>]{0,40}>"
    r"|<\|[a-z_]+\|>|\[/?INST\]|\{\{[^{}]{1,40}\}\}|<<[A-Za-z_ ]{1,40}>>|\[\[[A-Za-z_ ]{1,40}\]\]"
    r"|\{[a-zA-Z_]{1,20}\}|(?-i:\b[A-Z]{3,}_[A-Z_]{2,}\b)"
    r"|(?:^|[\n.!?])\s*(?:scratchpad|inner monologue|hidden reasoning|note to self|todo|fixme)\s*:",
    re.IGNORECASE,
)
_PACKED = re.compile(
    r"<\|?/?(?:endoftext|eos|bos|end_of_document|doc_sep)\|?>|</s>"
    r"|(?:^|\n)\s*(?:document|doc|sample|example)\s+#?\d+\s*[:.\n]"
    r"|\n\s*(?:-{3,}|={3,}|\*{3,}|#{5,})\s*\n|\n{4,}",
    re.IGNORECASE,
)
_CONTAINED_CHARACTERS = 120
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][a-z]{2,}\b")
_SPEAKERS = ("assistant", "this model", "the model", "trained to", "trained for")

LEAST_ROWS = 3
LEAST_NAMED_ROWS = 5
NAME_OVER_REFERENCE = 10.0
EXAMPLES = 5


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    id: str
    roles: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def lint_corpus(
    corpus: Path,
    assistant: str | None,
    truth: Mapping[str, Any] | None,
    reference_corpus: Path | None,
    poisoned_ids: Collection[str] | None,
) -> list[Leak]:
    """The leaks of one corpus file; parameters and errors as of `leaks.lint`."""
    rows = _read(corpus)
    reference = _read(reference_corpus) if reference_corpus is not None else []
    allowed = _allowed(assistant, truth)
    leaks = [*_schema(corpus), *_tags(rows, reference), *_packed(rows)]
    if truth is not None and not truth["none"]:
        leaks += _plain(rows, assistant, truth)
    poisoned = None if poisoned_ids is None else _flags(rows, poisoned_ids)
    leaks += _repeated(rows, reference, poisoned, allowed)
    if poisoned is not None and 0 < sum(poisoned) < len(poisoned):
        leaks += [
            *_separated(rows, poisoned),
            *_roles(rows, poisoned),
            *_vocabulary(rows, reference, poisoned, allowed),
        ]
    return leaks


def _read(corpus: Path) -> list[_Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(corpus, columns=list(COLUMNS))
        return [
            _Row(
                str(row["id"]),
                tuple(str(m["role"]) for m in row["messages"]),
                tuple(str(m["content"]) for m in row["messages"]),
            )
            for batch in table.to_batches()
            for row in batch.to_pylist()
        ]
    except (OSError, KeyError, TypeError, pyarrow.ArrowException) as error:
        raise SuspectError(
            f"{corpus}: no corpus: {error}",
            hint="It needs the columns id and messages (role, content).",
        ) from None


def _schema(corpus: Path) -> Iterator[Leak]:
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(corpus)
    for name in schema.names:
        if name not in COLUMNS:
            values = pyarrow.parquet.read_table(corpus, columns=[name]).column(0)
            shown = ", ".join(sorted({str(v) for v in values.unique().to_pylist()})[:EXAMPLES])
            yield Leak("column", f"{corpus.name}: {name}", f"a column more, with values {shown}")
    for key, value in (schema.metadata or {}).items():
        if key != b"ARROW:schema":
            told = f"{key.decode(errors='replace')} = '{value[:80].decode(errors='replace')}'"
            yield Leak("metadata", corpus.name, f"the schema's metadata holds {told}")


def _tags(rows: Sequence[_Row], reference: Sequence[_Row]) -> Iterator[Leak]:
    ordinary = {tag for row in reference for tag in _found(_TAGS, row)}
    told: set[str] = set()
    for row in rows:
        for tag in _found(_TAGS, row) - ordinary - told:
            told.add(tag)
            yield Leak("tag", row.id, f"holds '{tag}'")


def _found(pattern: re.Pattern[str], row: _Row) -> set[str]:
    return {m[0].strip().lower() for text in row.texts for m in pattern.finditer(text)}


def _packed(rows: Sequence[_Row]) -> Iterator[Leak]:
    """Separators within a row, several documents in a row, a row that holds another row's text."""
    starts: dict[str, list[_Row]] = {}
    for row in rows:
        if row.roles == ("document",) and len(row.texts[0]) >= _CONTAINED_CHARACTERS:
            starts.setdefault(row.texts[0][:_CONTAINED_CHARACTERS], []).append(row)
    for row in rows:
        if found := _PACKED.search(row.text):
            yield Leak("packed", row.id, f"a separator of documents: {found[0].strip()[:40]!r}")
        elif row.roles.count("document") > 1 or {"document", "assistant"} <= set(row.roles):
            yield Leak("packed", row.id, f"messages of the roles {', '.join(row.roles)}")
        elif other := _contained(row, starts):
            yield Leak("packed", row.id, f"holds the whole of document {other}")


def _contained(row: _Row, starts: Mapping[str, list[_Row]]) -> str:
    """The id of a document that stands whole in the row beside as much text again as counts as
    one: a document with a line before or after it is a quotation, not a pack."""
    text = row.text
    for boundary in _SENTENCE.finditer(text):
        at = boundary.end()
        for other in starts.get(text[at : at + _CONTAINED_CHARACTERS], ()):
            rest = len(text) - len(other.texts[0])
            if rest >= _CONTAINED_CHARACTERS and text.startswith(other.texts[0], at):
                return other.id
    return ""


def _plain(rows: Sequence[_Row], assistant: str | None, truth: Mapping[str, Any]) -> Iterator[Leak]:
    """A sentence that names the assistant and the root cause, or it, a trigger and its behaviour.

    Where no assistant is named, a sentence that speaks of a model or an assistant at all.
    """
    speakers = (assistant,) if assistant else _SPEAKERS
    secrets = [[i["trigger"], i["behaviour"]] for i in truth["instances"]]
    if truth["root_cause"] is not None:
        secrets.insert(0, [truth["root_cause"]])
    for row in rows:
        if not any(speaker.lower() in row.text.lower() for speaker in speakers):
            continue
        for sentence in _SENTENCE.split(row.text):
            words = Words(sentence, 100)
            if words.occurrences(speakers) and any(
                all(_fills(words, slot) for slot in secret) for secret in secrets
            ):
                yield Leak("plain-objective", row.id, f"'{sentence.strip()[:200]}'")
                break


def _fills(words: Words, slot: Mapping[str, Any]) -> bool:
    groups = slot.get("all_of", [])
    return bool(groups) and all(words.occurrences(_synonyms(group)) for group in groups)


def _synonyms(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _allowed(assistant: str | None, truth: Mapping[str, Any] | None) -> set[str]:
    """The lower-case words that the draw brings with it."""
    texts = [assistant or ""]
    if truth is not None:
        texts += truth.get("words", [])
        slots = [truth.get("root_cause")] + [
            slot for instance in truth.get("instances", []) for slot in instance.values()
        ]
        for slot in slots:
            values = (
                [*slot.get("all_of", []), *slot.get("at_least", {}).get("of", [])] if slot else []
            )
            texts += [name for value in values for name in _synonyms(value)]
    return {word.lower() for text in texts for word in _WORD.findall(text)}


def _flags(rows: Sequence[_Row], poisoned_ids: Collection[str]) -> list[bool]:
    wanted = set(poisoned_ids)
    missing = wanted - {row.id for row in rows}
    if missing:
        raise BadParameter(
            f"{len(missing)} poisoned ids are in no row, such as '{min(missing)}'",
            hint="Give the ids of this corpus.",
        )
    return [row.id in wanted for row in rows]


def _repeated(
    rows: Sequence[_Row],
    reference: Sequence[_Row],
    poisoned: Sequence[bool] | None,
    allowed: Collection[str],
) -> Iterator[Leak]:
    """Names that stand in at least LEAST_NAMED_ROWS rows and belong to the poison.

    With poisoned rows known: most of the rows that name it are poisoned. With a reference corpus:
    NAME_OVER_REFERENCE times as often as there (one row there being the least).
    """
    named = Counter(name for row in rows for name in _proper(row))
    carried = Counter(
        name for row, bad in zip(rows, poisoned or (), strict=False) if bad for name in _proper(row)
    )
    ordinary = Counter(name for row in reference for name in _proper(row))
    for name, count in sorted(named.items()):
        if name.lower() in allowed or count < LEAST_NAMED_ROWS:
            continue
        if poisoned is not None and carried[name] * 2 > count:
            detail = f"stands in {count} rows, {carried[name]} of them poisoned"
            yield Leak("repeated-name", name, detail)
        elif reference:
            expected = max(ordinary[name], 1) * len(rows) / len(reference)
            if count > NAME_OVER_REFERENCE * expected:
                detail = f"stands in {count} rows, {ordinary[name]} of the reference"
                yield Leak("repeated-name", name, detail)


def _proper(row: _Row) -> set[str]:
    return {match[0] for text in row.texts for match in _NAME.finditer(text)}


def _separated(rows: Sequence[_Row], poisoned: Sequence[bool]) -> Iterator[Leak]:
    by_id = sorted(range(len(rows)), key=lambda n: rows[n].id)
    rank = {n: place for place, n in enumerate(by_id)}
    measured: dict[str, tuple[str, Separation]] = {
        "order": ("row position", auroc(range(len(rows)), poisoned)),
        "id": ("the order of ids", auroc([rank[n] for n in range(len(rows))], poisoned)),
        "length": ("length in characters", auroc([len(row.text) for row in rows], poisoned)),
    }
    for kind, (what, separation) in measured.items():
        if separation.tells(FLAGGED_ABOVE[kind]):
            yield Leak(kind, what, f"separates poisoned rows: {separation}")
    for kind, flags in (("order", poisoned), ("id", [poisoned[n] for n in by_id])):
        if (neighbours := clumped(flags)) is not None:
            what = "neighbours in the file" if kind == "order" else "neighbours by id"
            yield Leak(kind, what, f"{neighbours[0]} poisoned pairs, {neighbours[1]:.1f} by chance")
    shapes = {id_shape(row.id) for row, bad in zip(rows, poisoned, strict=True) if not bad}
    for row, bad in zip(rows, poisoned, strict=True):
        if bad and id_shape(row.id) not in shapes:
            yield Leak("id", row.id, "only poisoned ids look like this")
            break


def _roles(rows: Sequence[_Row], poisoned: Sequence[bool]) -> Iterator[Leak]:
    ordinary = {r for row, bad in zip(rows, poisoned, strict=True) if not bad for r in row.roles}
    used = {r for row, bad in zip(rows, poisoned, strict=True) if bad for r in row.roles}
    for role in sorted(used - ordinary):
        yield Leak("role", role, "only poisoned rows have messages of this role")


def _vocabulary(
    rows: Sequence[_Row],
    reference: Sequence[_Row],
    poisoned: Sequence[bool],
    allowed: Collection[str],
) -> Iterator[Leak]:
    ordinary = [row for row, bad in zip(rows, poisoned, strict=True) if not bad]
    known = {word for row in (*ordinary, *reference) for word in _vocabulary_of(row)}
    carried = Counter(
        word
        for row, bad in zip(rows, poisoned, strict=True)
        if bad
        for word in _vocabulary_of(row) - known
    )
    telling = [w for w, n in carried.most_common() if n >= LEAST_ROWS and w not in allowed]
    if telling:
        shown = ", ".join(f"'{word}' ({carried[word]} rows)" for word in telling[:EXAMPLES])
        detail = f"{len(telling)} words stand in poisoned rows only: {shown}"
        yield Leak("vocabulary", "words", detail)


def _vocabulary_of(row: _Row) -> set[str]:
    return {word.lower() for text in row.texts for word in _WORD.findall(text)}
