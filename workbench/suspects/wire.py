"""Frames, a JSON header and raw arrays: how verbs travel between client, host and model worker.

A frame is the header's length in 4 bytes (big-endian), the header, and the blobs whose lengths the
header names. Nothing in it is ever executed: no pickle, no tensors with code.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench import errors
from workbench.errors import BadParameter, SuspectError, WorkbenchError
from workbench.findings import clean_text

if TYPE_CHECKING:
    import numpy

PROTOCOL = 1
"""Raised when a client of the last number would not understand."""

BODY_BYTES_AT_MOST = 16 << 20
SAE_BYTES_AT_MOST = 64 << 20
"""The longest requests that a host reads: of a verb, and of an SAE."""

HEADER_BYTES_AT_MOST = 64 << 20
BLOB_BYTES_AT_MOST = 1 << 30

_SIZES = {"float32": 4, "int64": 8, "bool": 1}


class BrokenStream(Exception):
    """The other side went away in the middle, or does not speak in frames."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A header and its blobs, in the order of `header["blobs"]`, which holds their lengths."""

    header: dict[str, Any]
    blobs: tuple[bytes, ...] = ()

    def pack(self) -> bytes:
        """The frame's bytes."""
        header = {**self.header, "blobs": [len(blob) for blob in self.blobs]}
        text = json.dumps(header, separators=(",", ":")).encode()
        return b"".join((len(text).to_bytes(4, "big"), text, *self.blobs))


def read_frame(read: Callable[[int], bytes]) -> Frame:
    """The next frame; `read(n)` gives at most n bytes, none at the end.

    Raises BrokenStream where the stream ends, or is none, or announces absurd sizes.
    """
    size = int.from_bytes(_exactly(read, 4), "big")
    if size > HEADER_BYTES_AT_MOST:
        raise BrokenStream(f"a header of {size} bytes")
    try:
        header = json.loads(_exactly(read, size))
        lengths = header.pop("blobs")
        sane = type(lengths) is list and all(type(n) is int and n >= 0 for n in lengths)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise BrokenStream("a malformed header") from None
    if not sane or sum(lengths) > BLOB_BYTES_AT_MOST:
        raise BrokenStream("blobs of impossible size")
    return Frame(header, tuple(_exactly(read, n) for n in lengths))


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    held = bytearray()
    while len(held) < size:
        piece = read(size - len(held))
        if not piece:
            raise BrokenStream(f"ended after {len(held)} of {size} bytes")
        held += piece
    return bytes(held)


def pack_arrays(header: Mapping[str, Any], arrays: Mapping[str, numpy.ndarray]) -> Frame:
    """A frame with arrays of float32, int64 or bool, little-endian, in C order."""
    listed = [
        {"name": name, "dtype": str(array.dtype), "shape": list(array.shape)}
        for name, array in arrays.items()
    ]
    blobs = tuple(
        array.astype(array.dtype.newbyteorder("<"), order="C", copy=False).tobytes()
        for array in arrays.values()
    )
    return Frame({**header, "arrays": listed}, blobs)


def check_arrays(frame: Frame) -> list[str]:
    """The names of a frame's arrays; raises BrokenStream where sizes and blobs disagree."""
    listed = frame.header.get("arrays")
    try:
        sizes = [math.prod(a["shape"]) * _SIZES[a["dtype"]] for a in listed or ()]
        names = [str(a["name"]) for a in listed or ()]
        whole = all(type(n) is int and n >= 0 for a in listed or () for n in a["shape"])
    except (TypeError, KeyError):
        raise BrokenStream("arrays without name, dtype and shape") from None
    if not whole or sizes != [len(blob) for blob in frame.blobs]:
        raise BrokenStream("arrays that do not fit their blobs")
    return names


def unpack_arrays(frame: Frame) -> dict[str, numpy.ndarray]:
    """Name → array, writable; raises BrokenStream where sizes and blobs disagree."""
    import numpy

    names = check_arrays(frame)
    made = {}
    for name, listed, blob in zip(names, frame.header["arrays"], frame.blobs, strict=True):
        dtype = numpy.dtype(listed["dtype"]).newbyteorder("<")
        array = numpy.frombuffer(blob, dtype=dtype).reshape(listed["shape"])
        made[name] = array.astype(listed["dtype"])
    return made


def error_document(error: WorkbenchError) -> dict[str, str]:
    """{kind, message, hint}: the form in which an error travels."""
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}


def error_from(document: Any) -> WorkbenchError:
    """The same class of error on this side; SuspectError where the kind is unknown."""
    parts: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
    kind = getattr(errors, str(parts.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, WorkbenchError)):
        kind = SuspectError
    message = clean_text(str(parts.get("message", "the host gave no reason")), 2_000)
    return kind(message, hint=clean_text(str(parts.get("hint", "")), 2_000))


def amounts(document: Any, meters: Sequence[str]) -> dict[str, int]:
    """The amounts by meter that the other side booked; raises BadParameter on what is none."""
    parts = document if isinstance(document, Mapping) else {}
    found = {meter: parts.get(meter, 0) for meter in meters}
    for meter, amount in found.items():
        if type(amount) is not int or not 0 <= amount < 2**53:
            raise BadParameter(f"{meter} = {amount!r} is no amount", hint="Update the host.")
    return found
