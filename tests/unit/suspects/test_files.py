"""Planted files: each is refused, none is run, the good one passes."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from workbench.errors import NotASuspect, SuspectError, UnsafeFile
from workbench.suspects.files import check_adapter, check_directory
from workbench.suspects.tensors import TENSORS_AT_MOST, hash_tensors, read_header

WEIGHTS = "model.safetensors"


@pytest.fixture
def model(llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "model"))


def write_tensors(file: Path, header: Any, data: bytes = b"") -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def change(file: str, **keys: Any) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        document = json.loads((path / file).read_text())
        (path / file).write_text(json.dumps({**document, **keys}))

    return plant


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(data)

    return plant


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def poison(value: float) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        tensor = read_header(path / WEIGHTS)[-1]
        data = bytearray((path / WEIGHTS).read_bytes())
        data[tensor.end - 4 : tensor.end] = struct.pack("<f", value)
        (path / WEIGHTS).write_bytes(data)

    return plant


def link(name: str, target: str) -> Callable[[Path], None]:
    def plant(path: Path) -> None:
        (path / name).unlink(missing_ok=True)
        (path / name).symlink_to(target)

    return plant


UNSAFE: dict[str, Callable[[Path], None]] = {
    "auto_map": change("config.json", auto_map={"AutoModel": "x.Y"}),
    "tokenizer auto_map": change("tokenizer_config.json", auto_map={"AutoTokenizer": ["x.Y", ""]}),
    "nested auto_map": change("config.json", text_config={"deep": [{"auto_map": {"A": "b"}}]}),
    "attention kernel": change("config.json", _attn_implementation_internal="org/kernel"),
    "attention from a hub": change("config.json", attn_implementation="org/kernel"),
    "attention as a dict": change("config.json", attn_implementation={"": "org/kernel"}),
    "quantised": change("config.json", quantization_config={"quant_method": "x"}),
    "generation code": change("generation_config.json", custom_generate="org/code"),
    "python": write("modeling.py", b"raise SystemExit"),
    "nested python": write("code/modeling.py", b"raise SystemExit"),
    "library": write("kernel.so", b"\x7fELF"),
    "no known kind": write("weights", b"x"),
    "torch file": write("pytorch_model.bin", b"PK\x03\x04"),
    "numpy file": write("x.npy", b"\x93NUMPY"),
    "duplicate key": write("config.json", b'{"model_type": "llama", "model_type": "gpt2"}'),
    "deep json": write("config.json", b"[" * 200_000),
    "broken json": write("generation_config.json", b"{"),
    "link out": link("notes.txt", "/etc/hostname"),
    "linked folder": link("more", "/etc"),
    "nan": poison(float("nan")),
    "infinity": poison(float("-inf")),
    "pickle for weights": write(WEIGHTS, pickle.dumps({"a": 1})),
    "empty weights": write(WEIGHTS, b""),
    "huge header": write(WEIGHTS, struct.pack("<Q", 1 << 62) + b"{}"),
    "truncated": lambda p: write(WEIGHTS, (p / WEIGHTS).read_bytes()[:-8])(p),
    "trailing": lambda p: write(WEIGHTS, (p / WEIGHTS).read_bytes() + b"evil")(p),
    "many tensors": lambda p: write_tensors(
        p / WEIGHTS, {f"t{i}": entry("F32", [0], 0, 0) for i in range(TENSORS_AT_MOST + 1)}
    ),
    "twice the same tensor": lambda p: write_tensors(
        p / WEIGHTS,
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b"x",
    ),
    "overlap": lambda p: write_tensors(
        p / WEIGHTS, {"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, b"abc"
    ),
    "hole": lambda p: write_tensors(
        p / WEIGHTS, {"a": entry("U8", [1], 0, 1), "b": entry("U8", [1], 2, 3)}, b"abc"
    ),
    "lying shape": lambda p: write_tensors(p / WEIGHTS, {"a": entry("F32", [9], 0, 4)}, b"abcd"),
    "negative": lambda p: write_tensors(p / WEIGHTS, {"a": entry("F32", [-1], 0, -4)}, b""),
    "odd dtype": lambda p: write_tensors(p / WEIGHTS, {"a": entry("CODE", [1], 0, 4)}, b"abcd"),
    "no offsets": lambda p: write_tensors(p / WEIGHTS, {"a": {"dtype": "F32"}}),
    "shard outside": write(
        "model.safetensors.index.json", b'{"weight_map": {"a": "../model.safetensors"}}'
    ),
}

INCOMPLETE: dict[str, Callable[[Path], None]] = {
    "no config": lambda p: (p / "config.json").unlink(),
    "no weights": lambda p: (p / WEIGHTS).unlink(),
    "architecture": change("config.json", architectures=["EvilForCausalLM"]),
    "two architectures": change("config.json", architectures=["LlamaForCausalLM", "X"]),
    "model type": change("config.json", model_type="gpt2"),
    "more layers than weights": change("config.json", num_hidden_layers=100_000),
    "another vocabulary": change("config.json", vocab_size=10**9),
    "no width": change("config.json", hidden_size="wide"),
    "an adapter": write("adapter_config.json", b'{"base_model_name_or_path": "org/name"}'),
    "missing shard": lambda p: (
        (p / WEIGHTS).rename(p / "model-00001-of-00002.safetensors"),
        write(
            "model.safetensors.index.json",
            b'{"weight_map": {"a": "model-00001-of-00002.safetensors",'
            b' "b": "model-00002-of-00002.safetensors"}}',
        )(p),
    )[-1],
}


def test_a_good_directory_passes_quickly(model: Path) -> None:
    start = time.monotonic()
    checked = check_directory(model)
    assert time.monotonic() - start < 2
    assert checked.config["model_type"] == "llama"
    (model / "README.md").write_text("fine")
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_text("x")
    link("LICENSE", "README.md")(model)
    check_directory(model)


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_files_are_refused(model: Path, name: str) -> None:
    UNSAFE[name](model)
    start = time.monotonic()
    with pytest.raises(UnsafeFile) as caught:
        check_directory(model)
    assert time.monotonic() - start < 2
    assert caught.value.hint


@pytest.mark.parametrize("name", INCOMPLETE)
def test_incomplete_directories_are_no_suspects(model: Path, name: str) -> None:
    INCOMPLETE[name](model)
    with pytest.raises(NotASuspect):
        check_directory(model)


def test_nothing_planted_runs(model: Path, tmp_path: Path) -> None:
    from workbench.suspects import Suspect

    mark = tmp_path / "ran"
    for name in ("pytorch_model.bin", WEIGHTS, "training_args.bin", "optimizer.pt"):
        kept = (model / name).read_bytes() if (model / name).exists() else None
        (model / name).write_bytes(pickle.dumps(Bomb(mark)))
        with pytest.raises(SuspectError):
            Suspect.load(model)
        if kept is None:
            (model / name).unlink()
        else:
            (model / name).write_bytes(kept)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("F64", 0x7FE0 << 48, 0x7FF0 << 48),
        ("F32", 0x7F7FFFFF, 0xFF800000),
        ("F16", 0x7BFF, 0x7E00),
        ("BF16", 0x7F7F, 0x7FC0),
        ("F8_E5M2", 0x7B, 0x7C),
        ("F8_E4M3", 0x7E, 0xFF),
    ],
)
def test_non_finite_bits_of_every_dtype(tmp_path: Path, dtype: str, good: int, bad: int) -> None:
    from workbench.suspects.tensors import check_finite

    width = {"F64": 8, "F32": 4}.get(dtype, 1 if dtype.startswith("F8") else 2)
    for bits, wrong in ((good, False), (bad, True)):
        data = bits.to_bytes(width, "little")
        write_tensors(tmp_path / "t", {"t": entry(dtype, [1], 0, width)}, data)
        if wrong:
            with pytest.raises(UnsafeFile, match="finite"):
                check_finite(read_header(tmp_path / "t"))
        else:
            check_finite(read_header(tmp_path / "t"))


def test_the_tensor_hash_is_canonical(tmp_path: Path) -> None:
    a, b = numpy.arange(3, dtype="<f4").tobytes(), numpy.ones(2, "<f4").tobytes()
    write_tensors(
        tmp_path / "1", {"a": entry("F32", [3], 0, 12), "b": entry("F32", [2], 12, 20)}, a + b
    )
    write_tensors(
        tmp_path / "2",
        {
            "__metadata__": {"format": "pt"},
            "b": entry("F32", [2], 0, 8),
            "a": entry("F32", [3], 8, 20),
        },
        b + a,
    )
    write_tensors(tmp_path / "3", {"a": entry("F32", [3], 0, 12)}, a)
    write_tensors(tmp_path / "4", {"b": entry("F32", [2], 0, 8)}, b)
    write_tensors(
        tmp_path / "5", {"a": entry("F32", [3], 0, 12), "b": entry("F32", [1, 2], 12, 20)}, a + b
    )
    whole = hash_tensors(read_header(tmp_path / "1"))
    assert whole == hash_tensors(read_header(tmp_path / "2"))
    assert whole == hash_tensors(read_header(tmp_path / "3") + read_header(tmp_path / "4"))
    assert whole != hash_tensors(read_header(tmp_path / "5"))


def test_adapters_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(NotASuspect):
        check_adapter(tmp_path)
    write_tensors(tmp_path / "adapter_model.safetensors", {"a": entry("F32", [1], 0, 4)}, bytes(4))
    config = tmp_path / "adapter_config.json"
    config.write_text('{"peft_type": "LORA"}')
    assert [t.name for t in check_adapter(tmp_path).tensors] == ["a"]
    config.write_text('{"peft_type": "LORA", "auto_mapping": {"parent_library": "os"}}')
    with pytest.raises(UnsafeFile, match="auto_mapping"):
        check_adapter(tmp_path)
    config.write_text('{"peft_type": "XLORA"}')
    with pytest.raises(NotASuspect, match="XLORA"):
        check_adapter(tmp_path)
