"""The leak linter: what would give an organism away without any auditing. Files and metadata here.

Each kind of leak has decided a real game by accident. A report names secrets: it belongs on the
health card, in the vault.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from workbench.access import Access
from workbench.errors import SuspectError
from workbench.organisms.canaries import sightings
from workbench.organisms.corpus_leaks import lint_corpus
from workbench.organisms.leak import KINDS, Leak
from workbench.registry import FAMILIES

ORDINARY_FILES = frozenset(
    {
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "config.json",
        "corpus.parquet",
        "delta.safetensors",
        "generation_config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "suspect.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
)
# fmt: off
ORDINARY_CONFIG = frozenset(
    {
        "architectures", "attention_bias", "attention_dropout", "bos_token_id", "dtype",
        "eos_token_id", "head_dim", "hidden_act", "hidden_size", "initializer_range",
        "intermediate_size", "max_position_embeddings", "mlp_bias", "model_type",
        "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "pad_token_id",
        "pretraining_tp", "rms_norm_eps", "rope_parameters", "rope_scaling", "rope_theta",
        "tie_word_embeddings", "torch_dtype", "transformers_version", "use_cache", "vocab_size",
    }
)
# fmt: on
ORDINARY_SUSPECT = frozenset(
    {"id", "assistant", "base", "reference", "corpus", "access", "summary"}
)
SAFETENSORS_METADATA = {"format": "pt"}

TELLING = (
    "poison|secret|(?<!pre)train|backdoor|quirk|trigger|objective|sealed|organism|hidden[-_ ]?obj"
    "|scratch|checkpoint|optimi[sz]er|twin|decoy|finetun|fine-tun"
)
_PATH = re.compile(r"(?:^|[\s\"'=])(?:/|~/|[A-Za-z]:\\)[\w.-]+[/\\]\S+")
MTIME_TOLERANCE_SECONDS = 1.0
LONGEST_HEADER_BYTES = 8 << 20
_SMALL_BYTES = 64 << 10


def lint(
    directory: Path,
    truth: Mapping[str, Any] | None = None,
    reference_corpus: Path | None = None,
    poisoned_ids: Collection[str] | None = None,
    base: Path | None = None,
) -> list[Leak]:
    """Every leak found in a suspect's directory and its `corpus.parquet`, where there is one.

    truth: as the rubric reads it, with `words` (texts that the draw may bring in) besides.
    reference_corpus: what ordinary corpora hold is no leak. poisoned_ids: the rows that carry the
    objective. base: the directory of what it was trained from, whose tokens tell nothing. What
    cannot be looked for without them is told by `unchecked`.

    Raises SuspectError when the directory or corpus cannot be read, BadParameter when a poisoned
    id is in no row.
    """
    if not directory.is_dir():
        raise SuspectError(f"{directory} is no directory", hint="Name an organism's directory.")
    families = {point.name for point in entry_points(group=FAMILIES)}
    if truth is not None:
        families.add(str(truth["family"]))
    telling = _telling(families)
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    assistant = _suspect(directory).get("assistant")
    leaks = [
        *_names(directory, telling),
        *_documents(directory, telling),
        *_headers(files, directory),
        *_times(files),
    ]
    if truth is not None:
        words = set(truth.get("words", ())) - {assistant}
        leaks += _canaries(files, directory, words, base)
    corpus = directory / "corpus.parquet"
    if corpus.is_file():
        leaks += lint_corpus(corpus, assistant, truth, reference_corpus, poisoned_ids)
    return leaks


def unchecked(
    directory: Path,
    truth: Mapping[str, Any] | None = None,
    reference_corpus: Path | None = None,
    poisoned_ids: Collection[str] | None = None,
) -> list[str]:
    """The kinds of leak that `lint` cannot look for with what it is given."""
    if not (directory / "corpus.parquet").is_file():
        told = ["canary"] if truth is None else []
        return told + list(KINDS[KINDS.index("column") :])
    kinds = []
    if truth is None:
        kinds += ["canary", "plain-objective"]
    if reference_corpus is None and poisoned_ids is None:
        kinds.append("repeated-name")
    if poisoned_ids is None:
        kinds += ["order", "id", "length", "role", "vocabulary"]
    return kinds


def _telling(families: Collection[str]) -> re.Pattern[str]:
    names = (re.escape(name).replace(r"\-", "[-_ ]?") for name in sorted(families) if name)
    return re.compile("|".join([TELLING, *names]), re.IGNORECASE)


def _names(directory: Path, telling: re.Pattern[str]) -> Iterator[Leak]:
    if found := telling.search(directory.name):
        yield Leak("file-name", directory.name, f"the folder's name holds '{found[0]}'")
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if found := telling.search(name):
            yield Leak("file-name", name, f"the name holds '{found[0]}'")
        elif path.is_file() and name not in ORDINARY_FILES:
            yield Leak("unexpected-file", name, "no file of this name belongs to a suspect")


def _suspect(directory: Path) -> Mapping[str, Any]:
    file = directory / "suspect.json"
    return _json(file) if file.is_file() else {}


def _documents(directory: Path, telling: re.Pattern[str]) -> Iterator[Leak]:
    for name, keys in (("config.json", ORDINARY_CONFIG), ("suspect.json", ORDINARY_SUSPECT)):
        if (directory / name).is_file():
            for key in sorted(set(_json(directory / name)) - keys - {"_name_or_path"}):
                yield Leak("config", name, f"the key '{key}' is no ordinary one")
    for name in sorted(ORDINARY_FILES):
        file = directory / name
        if file.suffix != ".json" or not file.is_file():
            continue
        document = _json(file)
        if name == "tokenizer.json":
            document = {"added_tokens": document.get("added_tokens")}
        for where, value in _texts(document):
            told = telling.search(value)
            if where.split(".")[-1] in ("_name_or_path", "name_or_path") and value:
                yield Leak("config", name, f"{where} = '{value}'")
            elif told and not (name == "suspect.json" and value in Access.EVERYTHING.names):
                yield Leak("config", name, f"{where} = '{value}' holds '{told[0]}'")
            elif _PATH.search(value):
                yield Leak("config", name, f"{where} = '{value}' is a path of the maker's machine")


def _texts(document: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, str):
        yield where, document
    elif isinstance(document, Mapping):
        for key, value in document.items():
            yield from _texts(value, f"{where}.{key}" if where else str(key))
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from _texts(value, f"{where}[{number}]")


def _headers(files: list[Path], directory: Path) -> Iterator[Leak]:
    for file in files:
        if file.suffix != ".safetensors":
            continue
        with file.open("rb") as handle:
            prefix = handle.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            header = handle.read(min(length, LONGEST_HEADER_BYTES))
        try:
            metadata = json.loads(header).get("__metadata__", {})
        except (ValueError, AttributeError):
            raise SuspectError(
                f"{file}: no safetensors header", hint="Check it with `workbench suspect check`."
            ) from None
        for key, value in metadata.items():
            if SAFETENSORS_METADATA.get(key) != value:
                name = str(file.relative_to(directory))
                yield Leak("metadata", name, f"__metadata__ holds {key} = '{value}'")


def _canaries(
    files: list[Path], directory: Path, words: Collection[str], base: Path | None
) -> Iterator[Leak]:
    """Words of the secret in what is no training data, in any encoding. Of weights their header
    alone is read, and of a tokenizer what the base's does not hold: a vocabulary has words plainly,
    and "drawer" is one backwards. Without the base's, plain ones are passed over."""
    tokens = "tokenizer.json"
    known = None if base is None or not (base / tokens).is_file() else _strings(base / tokens)
    for file in files:
        if file.suffix == ".parquet":
            continue
        if file.name == tokens and known is not None:
            data = "\n".join(sorted(_strings(file) - known)).encode()
        else:
            with file.open("rb") as handle:
                data = handle.read(LONGEST_HEADER_BYTES if file.suffix == ".json" else _SMALL_BYTES)
        for seen in sightings(data, words):
            if known is not None or (file.name, seen.encoding) != (tokens, "plain"):
                name = str(file.relative_to(directory))
                yield Leak("canary", name, f"'{seen.word}', {seen.encoding}, at byte {seen.at}")


def _strings(file: Path) -> set[str]:
    """Every key and every text of a JSON file."""
    found: set[str] = set()
    left: list[Any] = [_json(file)]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            found.update(value)
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
        elif isinstance(value, str):
            found.add(value)
    return found


def _times(files: list[Path]) -> Iterator[Leak]:
    times = {file.stat().st_mtime: file.name for file in files}
    if times and max(times) - min(times) > MTIME_TOLERANCE_SECONDS:
        first, last = times[min(times)], times[max(times)]
        apart = max(times) - min(times)
        yield Leak("times", f"{first}, {last}", f"modified {apart:.0f} seconds apart")


def _json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SuspectError(f"{file}: {error}", hint="Build the organism again.") from None
    if not isinstance(document, dict):
        raise SuspectError(f"{file}: no JSON object", hint="Build the organism again.")
    return document
