"""From checked files to a model in memory, and the hashes that name it."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.errors import BadParameter, NotASuspect
from workbench.suspects import deltas
from workbench.suspects.files import Checked
from workbench.suspects.tensors import hash_tensors, parse_json

DTYPES = ("float32", "bfloat16", "float16")
_COSMETIC = {"transformers_version", "_name_or_path"}
_COSMETIC_OF_ADAPTERS = {"base_model_name_or_path", "inference_mode", "peft_version", "revision"}
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)


def resolve(device: str, dtype: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """(device, dtype) with "auto" resolved, without importing torch.

    Raises BadParameter on a dtype other than float32, bfloat16 and float16.
    """
    if device == "auto":
        device = "cuda" if _has_gpu() else "cpu"
    if dtype == "auto":
        own = config.get("dtype") or config.get("torch_dtype") or "float32"
        dtype = "float32" if device == "cpu" else str(own)
    if dtype not in DTYPES:
        raise BadParameter(f"dtype '{dtype}'", hint=f"Choose from: {', '.join(DTYPES)}.")
    return device, dtype


def load_model(
    files: Checked,
    adapter: Checked | None,
    device: str,
    dtype: str,
    *,
    kind: str = "AutoModelForCausalLM",
) -> Any:
    """The transformers model, eager attention, adapter merged, in evaluation mode.

    kind: the automatic class that opens it.

    Raises NotASuspect when config and weights do not belong together.
    """
    import torch
    import transformers
    from transformers.utils.logging import disable_progress_bar

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadParameter(f"device '{device}' is not there", hint="Use --device cpu.")
    disable_progress_bar()
    try:
        model, found = getattr(transformers, kind).from_pretrained(
            files.path,
            attn_implementation="eager",
            dtype=getattr(torch, dtype),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise NotASuspect(
            f"{files.path}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            hint="Config and weights must come from one checkpoint.",
        ) from None
    lacking = sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]]))
    if lacking:
        raise NotASuspect(
            f"{files.path}: {len(lacking)} weights are missing or misshapen, like {lacking[0]}",
            hint="Config and weights must come from one checkpoint.",
        )
    if adapter is not None and deltas.is_delta(adapter.tensors):
        deltas.add(model, adapter.path)
    elif adapter is not None:
        model = _merge(model, adapter.path)
    return model.to(device).eval()


def hash_weights(files: Checked, adapter: Checked | None) -> str:
    """SHA-256 of a model's tensors; of an adapter's and of how they are merged as well."""
    tensors = hash_tensors(files.tensors)
    if adapter is None:
        return tensors
    config = {k: v for k, v in adapter.config.items() if k not in _COSMETIC_OF_ADAPTERS}
    return _digest([tensors, hash_tensors(adapter.tensors), config])


def telling(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config says how the model computes."""
    return {k: v for k, v in config.items() if k not in _COSMETIC}


def fingerprint(
    files: Checked, adapter: Checked | None, spoken: Path, device: str, dtype: str
) -> dict[str, str]:
    """SHA-256 of tensors (an adapter's included), config, tokenizer and chat template; dtype and
    device as words. spoken: where the tokenizer lies."""
    generation = _text(files.path / "generation_config.json")
    return {
        "tensors": hash_weights(files, adapter),
        "config": _digest([telling(files.config), generation]),
        "tokenizer": _digest([_text(spoken / name) for name in _TOKENIZER_FILES]),
        "chat_template": _digest(_text(spoken / "chat_template.jinja")),
        "dtype": dtype,
        "device": device.partition(":")[0],
    }


def has_template(path: Path) -> bool:
    """Whether the directory's tokenizer has a chat template, as transformers looks for it."""
    file = path / "chat_template.jinja"
    if file.is_file():
        return bool(file.read_text("utf-8"))
    config = path / "tokenizer_config.json"
    if not config.is_file():
        return False
    stored = parse_json(config.read_bytes(), config)
    return isinstance(stored, dict) and bool(stored.get("chat_template"))


def endings(model: Any, tokenizer: Any) -> frozenset[int]:
    """The token ids that end a reply: those of the generation config, else the tokenizer's."""
    ids = getattr(model.generation_config, "eos_token_id", None)
    if ids is None:
        ids = tokenizer.eos_token_id
    if ids is None:
        return frozenset()
    return frozenset(ids if isinstance(ids, (list, tuple)) else [ids])


def _merge(model: Any, adapter: Path) -> Any:
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            for known in ("is_gradient_checkpointing", "tie_word_embeddings=True"):
                # peft 0.21 asks transformers 5 for a deprecated property; tied weights merge once
                warnings.filterwarnings("ignore", message=f".*{known}")
            warnings.filterwarnings("error", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, adapter, is_trainable=False)
            return adapted.merge_and_unload(safe_merge=True)  # refuses what is not finite
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, UserWarning) as error:
        raise NotASuspect(
            f"{adapter}: does not fit the model: {str(error).splitlines()[0]}",
            hint="An adapter belongs to the base model that it was trained on.",
        ) from None


def _has_gpu() -> bool:
    """Whether torch was built for CUDA and the driver sees a device; imports neither."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py").read_text()
    return "cuda: Optional[str] = None" not in version and any(
        Path("/proc/driver/nvidia/gpus").glob("*")
    )


def _text(file: Path) -> str | None:
    return file.read_bytes().hex() if file.is_file() else None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
