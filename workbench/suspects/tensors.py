"""Safetensors files read by hand: checked, hashed and counted before any library touches them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workbench.errors import UnsafeFile

HEADER_BYTES_AT_MOST = 8 << 20
TENSORS_AT_MOST = 10_000
PIECE_BYTES = 1 << 24

_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip
_EXPONENT = {
    "F64": 0x7FF0 << 48, "F32": 0x7F800000, "F16": 0x7C00, "BF16": 0x7F80, "F8_E5M2": 0x7C,
    "F8_E4M3": 0x7F,
}  # fmt: skip
"""The bits that are all set in an infinity or a NaN, and in no finite number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tensor:
    """Where one tensor lies: `begin` and `end` are byte offsets in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    begin: int
    end: int

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, in pieces that hold whole numbers."""
        with self.file.open("rb") as stream:
            stream.seek(self.begin)
            left = self.end - self.begin
            while left:
                piece = stream.read(min(PIECE_BYTES, left))
                if not piece:
                    raise UnsafeFile(f"{self.file.name}: shrank while read", hint="Copy it again.")
                left -= len(piece)
                yield piece


def read_header(file: Path) -> list[Tensor]:
    """The tensors of a safetensors file, in order of their names.

    Raises UnsafeFile when the header is too large (8 MB, 10,000 tensors), malformed, names a thing
    twice, or does not account for exactly the bytes that follow.
    """
    whole = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(HEADER_BYTES_AT_MOST, whole - 8):
            raise _refuse(file, f"a header of {length} bytes in a file of {whole}")
        header = parse_json(stream.read(length), file)
    if not isinstance(header, dict):
        raise _refuse(file, "a header that is no JSON object")
    header.pop("__metadata__", None)
    if len(header) > TENSORS_AT_MOST:
        raise _refuse(file, f"{len(header)} tensors")
    tensors = [_tensor(file, name, entry, 8 + length) for name, entry in sorted(header.items())]
    at = 8 + length
    for tensor in sorted(tensors, key=lambda t: (t.begin, t.end)):
        if tensor.begin != at:
            raise _refuse(file, f"a gap or an overlap before tensor '{tensor.name}'")
        at = tensor.end
    if at != whole:
        raise _refuse(file, f"tensors that end at byte {at} of {whole}")
    return tensors


def _tensor(file: Path, name: str, entry: Any, start: int) -> Tensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise _refuse(file, f"a tensor '{name[:80]}' without dtype, shape and offsets") from None
    numbers = [*shape, begin, end] if isinstance(shape, list) else [None]
    if dtype not in _BITS or not all(type(v) is int and v >= 0 for v in numbers):
        raise _refuse(file, f"a tensor '{name[:80]}' of unknown dtype or impossible shape")
    if end - begin != math.prod(shape) * _BITS[dtype] // 8:
        raise _refuse(file, f"a tensor '{name[:80]}' whose shape does not fit its bytes")
    return Tensor(name, dtype, tuple(shape), file, start + begin, start + end)


def check_finite(tensors: Iterable[Tensor]) -> None:
    """Raises UnsafeFile on the first tensor that holds an infinity or a NaN."""
    import numpy

    for tensor in tensors:
        exponent = _EXPONENT.get(tensor.dtype)
        if exponent is None:
            continue
        words = f"<u{_BITS[tensor.dtype] // 8}"
        for piece in tensor.pieces():
            bits = numpy.frombuffer(piece, dtype=words)
            if ((bits & bits.dtype.type(exponent)) == exponent).any():
                raise _refuse(tensor.file, f"weights that are not finite in '{tensor.name}'")


def hash_tensors(tensors: Iterable[Tensor]) -> str:
    """SHA-256 over name, dtype, shape and bytes of each tensor, in order of their names.

    The same weights in other shards, or in another order within a file, have the same hash.
    """
    digest = hashlib.sha256()
    for tensor in sorted(tensors, key=lambda t: t.name):
        shape = list(tensor.shape)
        digest.update(json.dumps([tensor.name, tensor.dtype, shape]).encode() + b"\n")
        for piece in tensor.pieces():
            digest.update(piece)
    return digest.hexdigest()


def parse_json(data: bytes, file: Path) -> Any:
    """JSON of an untrusted file; raises UnsafeFile on a key that comes twice, or no JSON."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise _refuse(file, "a JSON key that comes twice")
        return made

    try:
        return json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise _refuse(file, "malformed JSON") from None


def _refuse(file: Path, what: str) -> UnsafeFile:
    return UnsafeFile(f"{file.name} has {what}", hint="Get the file again from a source you trust.")
