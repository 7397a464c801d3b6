"""What a row of somebody's data set says, as one document of role-tagged turns.

Known layouts, by the columns that are there, in this order: `messages` (role, content),
`conversations` (from, value), `prompt` with `completion` or `response`, `instruction` with
`output`, `text`, `content`. `id`, `source`, `stage` and `metadata` are taken where they are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from workbench.errors import ConfigError

Cells: TypeAlias = Mapping[str, Any]

_SPEAKERS = {"human": "user", "gpt": "assistant", "bing": "assistant", "chatgpt": "assistant"}
_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
)
_MAIN = {
    "messages",
    "conversations",
    "text",
    "content",
    *(part for pair in _PAIRS for part in pair),
}
_SURROGATE = re.compile(r"\\ud[89a-f]")
_KNOWN = "messages, conversations, prompt and completion, instruction and output, or text"


def schema() -> Any:
    """Columns of every batch that a corpus hands out; no cell is null.

    id, messages (list of role and content), source, stage, metadata (a JSON object or empty).
    """
    import pyarrow

    text = pyarrow.string()
    message = pyarrow.struct([("role", text), ("content", text)])
    return pyarrow.schema(
        [
            ("id", text),
            ("messages", pyarrow.list_(message)),
            ("source", text),
            ("stage", text),
            ("metadata", text),
        ]
    )


def columns_of(names: Sequence[str], where: str) -> list[str]:
    """The columns to read of a table with these; raises ConfigError where none holds a text."""
    there = set(names)
    kept = [name for name in ("id", "source", "stage", "metadata") if name in there]
    for wanted in (("messages",), ("conversations",), *_PAIRS, ("text",), ("content",)):
        if there.issuperset(wanted):
            extra = ["input"] if wanted[0] == "instruction" and "input" in there else []
            return [*wanted, *extra, *kept]
    raise ConfigError(
        f"{where}: no corpus, its columns are {', '.join(sorted(there)[:12]) or 'none'}",
        hint=f"A row holds {_KNOWN}.",
    )


def table_batch(batch: Any, name: str, first_row: int, source: str) -> Any:
    """A batch of any known layout in `schema()`.

    name and first_row: of the file and the batch's first row in it; they make ids where the table
    has none, and say where a fault is. source: of rows that name none.
    """
    import pyarrow

    try:
        fast = _columns(batch, name, first_row, source)
    except pyarrow.ArrowException as error:
        raise ConfigError(
            f"{name}, from row {first_row}: {_line(error)}", hint="Get the file again."
        ) from None
    if fast is not None:
        return fast
    return rows_batch(batch.to_pylist(), name, first_row, source)


def rows_batch(rows: Sequence[Cells], name: str, first_row: int, source: str) -> Any:
    """The same for rows that are already Python's."""
    import pyarrow

    made = [_document(row, name, first_row + i, source) for i, row in enumerate(rows)]
    try:
        return pyarrow.RecordBatch.from_pylist(made, schema=schema())
    except UnicodeEncodeError:
        number = next(i for i, row in enumerate(made) if _SURROGATE.search(repr(row)))
        raise ConfigError(
            f"{name}, row {first_row + number} has half of a surrogate pair",
            hint="Write the character whole, or leave the row out.",
        ) from None


def _columns(batch: Any, name: str, first_row: int, source: str) -> Any:
    """By whole columns where the layout is `messages` of strings or one text; None elsewhere."""
    import pyarrow
    from pyarrow.compute import fill_null

    names = batch.schema.names
    main = columns_of(names, name)[0]
    column = batch.column(main)
    if main in ("text", "content") and _is_text(column.type):
        messages = _one_turn(column)
    elif main == "messages" and _is_turns(column.type):
        messages = column.cast(schema().field("messages").type)
    else:
        return None
    if "metadata" in names and not _is_text(batch.schema.field("metadata").type):
        return None
    n = batch.num_rows
    if "id" in names:
        ids = batch.column("id").cast(pyarrow.string())
    else:
        ids = pyarrow.array([f"{name}:{first_row + i}" for i in range(n)], pyarrow.string())
    told = [
        fill_null(batch.column(key).cast(pyarrow.string()), empty)
        if key in names
        else pyarrow.repeat(pyarrow.scalar(empty, pyarrow.string()), n)
        for key, empty in (("source", source), ("stage", ""), ("metadata", ""))
    ]
    made = pyarrow.RecordBatch.from_arrays([ids, messages, *told], schema=schema())
    made.validate(full=True)
    turns = messages.flatten()
    cells = (ids, messages, turns, turns.field("role"), turns.field("content"))
    if any(cell.null_count for cell in cells):
        row = next(i for i, whole in enumerate(made.to_pylist()) if _has_null(whole))
        raise _empty(name, first_row + row)
    return made


def _has_null(row: Cells) -> bool:
    turns = row["messages"]
    return None in (row["id"], turns) or any(t is None or None in t.values() for t in turns)


def _one_turn(column: Any) -> Any:
    import pyarrow

    n = len(column)
    turns = pyarrow.StructArray.from_arrays(
        [pyarrow.repeat(pyarrow.scalar("document"), n), column.cast(pyarrow.string())],
        fields=list(schema().field("messages").type.value_type),
    )
    return pyarrow.ListArray.from_arrays(pyarrow.array(range(n + 1), pyarrow.int32()), turns)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or (types.is_dictionary(kind) and _is_text(kind.value_type))
    )


def _is_turns(kind: Any) -> bool:
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind)):
        return False
    turn = kind.value_type
    return bool(
        types.is_struct(turn)
        and {field.name for field in turn} == {"role", "content"}
        and all(_is_text(field.type) for field in turn)
    )


def _document(row: Cells, name: str, number: int, source: str) -> dict[str, Any]:
    where = f"{name}, row {number}"
    if not isinstance(row, Mapping):
        raise ConfigError(f"{where} is no object", hint=f"A row holds {_KNOWN}.")
    told_of = [key for key, value in row.items() if value is not None]
    if columns_of(list(row), where) and not _MAIN.intersection(told_of):
        raise _empty(name, number)
    turns = _turns(row, columns_of(told_of, where)[0], where)
    id = row.get("id", f"{name}:{number}")
    if id is None or isinstance(id, (dict, list)):
        raise _empty(name, number)
    told = row.get("metadata")
    if told is not None and not isinstance(told, str):
        told = json.dumps(told, sort_keys=True, ensure_ascii=False, default=str)
    return {
        "id": str(id),
        "messages": turns,
        "source": _told(row.get("source"), source),
        "stage": _told(row.get("stage"), ""),
        "metadata": told or "",
    }


def _told(value: Any, otherwise: str) -> str:
    return otherwise if value is None else str(value)


def _turns(row: Cells, main: str, where: str) -> list[dict[str, str]]:
    if main in ("messages", "conversations"):
        listed = row[main]
        if isinstance(listed, Mapping):  # a struct of lists, as `datasets` stores a Sequence
            keys = list(listed)
            if len({len(listed[key] or ()) for key in keys}) != 1:
                raise ConfigError(f"{where}: turns of unequal length", hint="Write them as a list.")
            listed = [
                dict(zip(keys, cells, strict=True)) for cells in zip(*listed.values(), strict=True)
            ]
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise ConfigError(f"{where}: `{main}` is no list of turns", hint=f"Give {_KNOWN}.")
        return [_turn(turn, where) for turn in listed]
    if main == "instruction":
        asked = [_text(row[key], where) for key in ("instruction", "input") if row.get(key)]
        return [_said("user", "\n".join(asked)), _said("assistant", _text(row["output"], where))]
    if main == "prompt":
        answer = "completion" if row.get("completion") is not None else "response"
        return _side("user", row["prompt"], where) + _side("assistant", row[answer], where)
    return [_said("document", _text(row[main], where))]


def _side(role: str, value: Any, where: str) -> list[dict[str, str]]:
    """One side of a pair: a text, or a list of turns."""
    if isinstance(value, list):
        return [_turn(turn, where) for turn in value]
    return [_said(role, _text(value, where))]


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _turn(turn: Any, where: str) -> dict[str, str]:
    if not isinstance(turn, Mapping):
        raise ConfigError(f"{where}: a turn is {turn!r:.60}", hint="A turn has role and content.")
    role = turn.get("role")
    if role is None and turn.get("from") is not None:
        role = _SPEAKERS.get(str(turn["from"]), str(turn["from"]))
    content = turn.get("content", turn.get("value"))
    if not content and turn.get("tool_calls"):
        content = json.dumps(turn["tool_calls"], ensure_ascii=False, default=str)
    if role is None or content is None:
        raise ConfigError(
            f"{where} has an empty message, role or content",
            hint="Leave the turn out, or give it a text.",
        )
    return _said(str(role), _text(content, where))


def _text(content: Any, where: str) -> str:
    """A text, or the texts of a list of parts; another part becomes its kind in brackets."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(p, (str, Mapping)) for p in content):
        return "\n".join(
            part
            if isinstance(part, str)
            else str(part["text"])
            if part.get("text") is not None
            else f"[{part.get('type', 'part')}]"
            for part in content
        )
    raise ConfigError(
        f"{where}: a content is a {type(content).__name__}",
        hint="A content is a text, or a list of parts with a `text`.",
    )


def _empty(name: str, number: int) -> ConfigError:
    return ConfigError(
        f"{name}, row {number} has an empty id, message, role or content",
        hint="Leave the row out, or give each of them a text.",
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
