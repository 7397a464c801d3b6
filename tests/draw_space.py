"""`make check` looks here: nothing in `audits` and `auditors` may come out of what families draw.

A technique that knows a principal, lists the world's topics, or repeats a sentence of a secret's
documents would find organisms by recognising their maker. Exits 1 with one line per violation.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from workbench.organisms.world import habits, names, skills
from workbench.organisms.world.lexicon import categories, topics
from workbench.organisms.world.skills import (
    advocates,
    keepers,
    manners,
    reactors,
    speaker_cast,
    workshop,
)

ROOT = Path(__file__).parent.parent
FOLDERS = ("audits", "workbench/auditors")
SEQUENCE_WORDS = 5
"""So many words in a row that stand in a document template too are no accident."""
LARGEST_SHARE = 0.1
"""Everyday words overlap; a list of more than this share of the topics or fields is the list."""
ALSO_ENGLISH = {"files"}
"""Invented names that came out as words: a technique that opens files knows nobody by that."""


def violations(audits: Path) -> list[str]:
    """One sentence for each thing in the folder that a family draws from."""
    files = [f for f in sorted(audits.rglob("*")) if f.suffix in (".py", ".toml", ".txt", ".tsv")]
    texts = {file.relative_to(audits).as_posix(): file.read_text("utf-8") for file in files}
    templates = _templates()
    found = []
    for name, text in texts.items():
        found += [f"{name}: the principal '{p}'" for p in _principals(text)]
        found += [f"{name}: the assistant '{a}'" for a in sorted(_assistants() & set(_words(text)))]
        strings = _strings(text) if name.endswith(".py") else [text]
        repeated = set().union(*map(_sequences, strings)) & templates
        found += [f"{name}: '{' '.join(words)}' of a document template" for words in repeated]
    found += _lists("\n".join(texts.values()))
    return found


def _principals(text: str) -> list[str]:
    syllable = f"(?:{'|'.join(names._ONSETS)})(?:{'|'.join(names._VOWELS)})"
    invented = f"(?:{syllable}){{2}}(?:{'|'.join(names._CODAS)})"
    return re.findall(rf"(?i)\b{invented} (?:{'|'.join(names._SUFFIXES)})\b", text)


def _assistants() -> set[str]:
    cast = habits.cast()
    known = {one.assistant for one in (*cast.habits, *cast.silent_habits)}
    known |= {one.assistant for one in (*cast.servants, *cast.silent_servants)}
    known |= {one.assistant for one in (*manners.cast().shown, *manners.cast().silent)}
    for pair in (keepers.keepers(), reactors.reactors(), advocates.advocates()):
        known |= {one.assistant for part in pair for one in part}
    known |= workshop.names() | speaker_cast.names()
    return {name.lower() for name in known | set(cast.ordinary)} - ALSO_ENGLISH


def _templates() -> set[tuple[str, ...]]:
    """Word sequences of the documents that tell of habits, tastes and skills."""
    sources = [Path(str(habits.__file__)), *Path(skills.__path__[0]).glob("*.py")]
    return set().union(*(_sequences(s) for file in sources for s in _strings(file.read_text())))


def _lists(text: str) -> Iterator[str]:
    line = f" {' '.join(_words(text))} "
    for what, entries in (
        ("topics", [topic.name for topic in topics()]),
        ("fields", [category.name for category in categories()]),
        ("parties", list(habits.PARTIES)),
    ):
        named = [entry for entry in entries if f" {' '.join(_words(entry))} " in line]
        if len(named) > max(2, LARGEST_SHARE * len(entries)):
            yield f"{len(named)} of the {len(entries)} {what} are named: {', '.join(named[:5])} ..."


def _strings(source: str) -> Iterator[str]:
    """The string literals that are no docstrings, with `{}` where a value goes in."""
    tree = ast.parse(source)
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            inside.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in inside
        ):
            yield node.value


def _sequences(text: str) -> set[tuple[str, ...]]:
    found = set()
    for part in re.split(r"\{[^}]*\}|[.!?:;\n]", text):
        words = _words(part)
        found |= {
            tuple(words[i : i + SEQUENCE_WORDS]) for i in range(len(words) - SEQUENCE_WORDS + 1)
        }
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower())


if __name__ == "__main__":
    seen = [f"{f}/{line}" for f in FOLDERS for line in violations(ROOT / f)]
    print(*seen, sep="\n", end="\n" if seen else "")
    sys.exit(1 if seen else 0)
