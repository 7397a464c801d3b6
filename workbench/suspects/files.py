"""The check of a model directory, before any library touches it: nothing in it may run or lie."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import NotASuspect, UnsafeFile
from workbench.suspects import deltas
from workbench.suspects.tensors import Tensor, check_finite, parse_json, read_header

ARCHITECTURES = {
    "GPT2LMHeadModel": "gpt2",
    "GPTNeoXForCausalLM": "gpt_neox",
    "GemmaForCausalLM": "gemma",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3_text",
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Olmo2ForCausalLM": "olmo2",
    "PhiForCausalLM": "phi",
    "Phi3ForCausalLM": "phi3",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
"""The model classes that are loaded, with the `model_type` that each must declare."""

CLASSIFIERS = {
    **{
        name.replace("ForCausalLM", "ForSequenceClassification").replace(
            "LMHeadModel", "ForSequenceClassification"
        ): kind
        for name, kind in ARCHITECTURES.items()
    },
    "BertForSequenceClassification": "bert",
    "DebertaV2ForSequenceClassification": "deberta-v2",
    "ElectraForSequenceClassification": "electra",
    "Gemma3TextForSequenceClassification": "gemma3_text",
    "ModernBertForSequenceClassification": "modernbert",
    "RobertaForSequenceClassification": "roberta",
    "XLMRobertaForSequenceClassification": "xlm-roberta",
}
"""The classes of reward models that are loaded."""

READ = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
"""What a loader may read from a directory, and all that is fetched from a hub."""

_KEPT_SUFFIXES = {
    ".json", ".jsonl", ".safetensors", ".jinja", ".txt", ".model", ".md", ".parquet", ".csv",
    ".png", ".jpg", ".svg", ".pdf", ".toml", ".yaml",
}  # fmt: skip
_KEPT_NAMES = {"LICENSE", "NOTICE", "README", ".gitattributes", ".gitignore"}
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5"}
_UNREAD_FOLDERS = {".git", ".cache"}
_CODE_KEYS = {
    "auto_map", "custom_pipelines", "custom_generate", "trust_remote_code",
    "_attn_implementation_internal", "_experts_implementation_internal", "kernel_config",
    "use_kernels", "quantization_config", "compression_config",
}  # fmt: skip
_ATTENTION_KEYS = {"attn_implementation", "_attn_implementation", "experts_implementation"}
_ATTENTIONS = {None, "eager", "sdpa", "flash_attention_2"}
_VOCABULARIES = {"tokenizer.json", "vocab.json", "added_tokens.json"}
_JSON_BYTES_AT_MOST = 64 << 20
_FILES_AT_MOST = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """A directory that passed: its config and its tensors, of a model or of an adapter."""

    path: Path
    config: Mapping[str, Any]
    tensors: tuple[Tensor, ...]


def check_directory(
    path: Path,
    *,
    within: Path | None = None,
    architectures: Mapping[str, str] = ARCHITECTURES,
) -> Checked:
    """Checks a model directory without running anything of it.

    within: links may lead anywhere into this folder (a hub cache); else into `path` alone, and
    files that no loader reads are refused as well. architectures: the known ones, with their
    model types. Raises UnsafeFile on pickles, code, keys that
    make a library run code, links that lead out, malformed or non-finite weights; NotASuspect when
    there is no complete model of a known architecture.
    """
    if holds_adapter(path):
        raise NotASuspect(
            f"{path} holds an adapter",
            hint="Give its base model, and this by --adapter; or name its `base` in suspect.json.",
        )
    if not (path / "config.json").is_file():
        raise NotASuspect(f"{path}: no config.json", hint="Give one in Hugging Face layout.")
    documents = {}
    for file in _files(path, within):
        if file.suffix == ".json":
            documents[file.relative_to(path).as_posix()] = _document(file)
    tensors = _tensors(path, documents.get("model.safetensors.index.json"))
    _check_config(documents["config.json"], tensors, path, architectures)
    check_finite(tensors)
    return Checked(path, documents["config.json"], tuple(tensors))


def holds_adapter(path: Path) -> bool:
    """Whether a directory holds what belongs over a base, a PEFT adapter or a delta; nothing in it
    is checked."""
    return any((path / name).is_file() for name in ("adapter_config.json", deltas.FILE))


def check_adapter(path: Path) -> Checked:
    """Checks a local PEFT directory, or a delta's, in the same way; also that what it asks for is
    no more than what it holds."""
    if (path / deltas.FILE).is_file():
        return _check_delta(path)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (path / name).is_file():
            raise NotASuspect(f"{path}: no {name}", hint="Give a PEFT adapter's directory.")
    for file in _files(path, None):
        if file.suffix == ".json":
            _document(file)
    config = parse_json((path / "adapter_config.json").read_bytes(), path)
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise NotASuspect(f"{path}: an adapter of type {kind!r}", hint="Only LORA is merged.")
    tensors = read_header(path / "adapter_model.safetensors")
    own = config.get("rank_pattern") or {}
    ranks = [config.get("r", 0), *(own.values() if isinstance(own, dict) else [own])]
    sides = {side for tensor in tensors for side in tensor.shape}
    if config.get("layer_replication") or not all(
        type(r) is int and r in {0, *sides} for r in ranks
    ):
        raise NotASuspect(
            f"{path}: an adapter of ranks or layers that it does not hold",
            hint="Config and weights must come from one training.",
        )
    check_finite(tensors)
    return Checked(path, config, tuple(tensors))


def _check_delta(path: Path) -> Checked:
    for file in _files(path, None):
        if file.suffix == ".json":
            _document(file)
    if (path / "adapter_config.json").exists():
        raise NotASuspect(f"{path} holds an adapter and a delta", hint="Keep one of the two.")
    tensors = deltas.read(path)
    check_finite(tensors)
    return Checked(path, {}, tuple(tensors))


def check_encoder(path: Path) -> tuple[Tensor, ...]:
    """Checks a directory with a text encoder, of any architecture, and returns its tensors."""
    for name in ("config.json", "model.safetensors"):
        if not (path / name).is_file():
            raise NotASuspect(f"{path}: no {name}", hint="Give a sentence-embedding model.")
    for file in _files(path, None):
        if file.suffix == ".json":
            _document(file)
    tensors = read_header(path / "model.safetensors")
    check_finite(tensors)
    return tuple(tensors)


def _files(path: Path, within: Path | None) -> Iterator[Path]:
    home = (within or path).resolve()
    count = 0
    for folder, folders, names in os.walk(path):
        folders[:] = [f for f in folders if f not in _UNREAD_FOLDERS]
        for name in (*folders, *names):
            file = Path(folder, name)
            count += 1
            if count > _FILES_AT_MOST:
                raise _unsafe(path, f"more than {_FILES_AT_MOST} files")
            if file.is_symlink() and not file.resolve().is_relative_to(home):
                raise _unsafe(file, "is a link that leads out of the folder")
        for name in names:
            file = Path(folder, name)
            if within is not None and not any(file.match(pattern) for pattern in READ):
                continue
            _check_name(file)
            yield file


def _check_name(file: Path) -> None:
    suffix = file.suffix.lower()
    if suffix in _PICKLES:
        raise _unsafe(file, "may hold a pickle, which runs code when read")
    if not file.is_file():
        raise _unsafe(file, "is no plain file")
    if suffix not in _KEPT_SUFFIXES and file.name not in _KEPT_NAMES:
        raise _unsafe(file, "is no kind of file that belongs to a model")


def _document(file: Path) -> Any:
    if file.stat().st_size > _JSON_BYTES_AT_MOST:
        raise _unsafe(file, "is larger than 64 MB")
    document = parse_json(file.read_bytes(), file)
    if file.name not in _VOCABULARIES:
        try:
            _check_keys(document, file)
        except RecursionError:
            raise _unsafe(file, "is nested too deeply") from None
    return document


def _check_keys(document: Any, file: Path) -> None:
    if isinstance(document, list):
        for value in document:
            _check_keys(value, file)
    if isinstance(document, dict):
        for key, value in document.items():
            if key in _CODE_KEYS and value not in (None, False):
                raise _unsafe(file, f"has a key '{key}', which can run code")
            if key == "auto_mapping" and not _is_from_transformers(value):
                raise _unsafe(file, f"imports by '{key}' = {value!r}")
            if key in _ATTENTION_KEYS and not _is_attention(value):
                raise _unsafe(file, f"asks for '{key}' = {value!r}, which can run code")
            _check_keys(value, file)


def _is_from_transformers(mapping: Any) -> bool:
    library = mapping.get("parent_library", "") if isinstance(mapping, dict) else mapping
    return library is None or str(library).startswith("transformers.models.")


def _is_attention(value: Any) -> bool:
    return not isinstance(value, (dict, list)) and value in _ATTENTIONS


def _tensors(path: Path, index: Any) -> list[Tensor]:
    single = path / "model.safetensors"
    if index is None:
        shards = [single]
    else:
        weights = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(weights, dict) or not weights:
            raise _unsafe(path / "model.safetensors.index.json", "maps no weights")
        names = {str(name) for name in weights.values()}
        if any(Path(name).name != name for name in names) or single.exists():
            raise _unsafe(path / "model.safetensors.index.json", "contradicts the folder")
        shards = [path / name for name in sorted(names)]
    for shard in shards:
        if not shard.is_file():
            raise NotASuspect(f"{path}: no {shard.name}", hint="Get the missing weights.")
    tensors = [tensor for shard in shards for tensor in read_header(shard)]
    if len({t.name for t in tensors}) != len(tensors):
        raise _unsafe(path, "has a tensor in two shards")
    return tensors


def _check_config(
    config: Any, tensors: list[Tensor], path: Path, architectures: Mapping[str, str]
) -> None:
    names = config.get("architectures") if isinstance(config, dict) else None
    name = names[0] if isinstance(names, list) and len(names) == 1 else names
    if not isinstance(name, str) or architectures.get(name) != config.get("model_type"):
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise NotASuspect(
            f"{path}: unknown architecture {name!r} of type {kind!r}",
            hint=f"Known: {', '.join(architectures)}.",
        )
    layers, width, vocabulary, _ = sizes(config)
    blocks = [re.search(r"(?:^|\.)(?:layers?|h)\.(\d+)\.", tensor.name) for tensor in tensors]
    found = [int(block[1]) for block in blocks if block]
    shapes = {t.shape for t in tensors}
    if max(found, default=-1) + 1 != layers or (vocabulary, width) not in shapes:
        raise NotASuspect(
            f"{path}: config.json speaks of {layers} layers and {vocabulary} x {width} embeddings, "
            "the weights do not",
            hint="Config and weights must come from one checkpoint.",
        )


def sizes(config: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """(layers, width, vocabulary, context); raises NotASuspect where the config lacks one."""
    found = []
    for keys in (
        ("num_hidden_layers", "n_layer"),
        ("hidden_size", "n_embd"),
        ("vocab_size",),
        ("max_position_embeddings", "n_positions"),
    ):
        values = [config[k] for k in keys if type(config.get(k)) is int and config[k] > 0]
        if not values:
            raise NotASuspect(f"config.json without {keys[0]}", hint="Complete the config.")
        found.append(values[0])
    return found[0], found[1], found[2], found[3]


def _unsafe(file: Path, what: str) -> UnsafeFile:
    return UnsafeFile(f"{file} {what}", hint="Remove it, or get the model from a source you trust.")
