"""Frames that travel, and frames that are none."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import errors
from workbench.errors import BadParameter, SuspectError, WorkbenchError
from workbench.suspects.wire import (
    BrokenStream,
    Frame,
    amounts,
    error_document,
    error_from,
    pack_arrays,
    read_frame,
    unpack_arrays,
)

PLAIN = st.dictionaries(
    st.text().filter(lambda key: key != "blobs"),
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)),
    max_size=4,
)


def read(content: bytes) -> Frame:
    return read_frame(io.BytesIO(content).read)


@given(header=PLAIN, blobs=st.lists(st.binary(max_size=50), max_size=3))
def test_frames_come_back(header: dict[str, Any], blobs: list[bytes]) -> None:
    again = read(Frame(header, tuple(blobs)).pack())
    assert (again.header, again.blobs) == (header, tuple(blobs))


@given(content=st.binary(max_size=200))
def test_noise_is_no_frame(content: bytes) -> None:
    try:
        read(content)
    except BrokenStream:
        return
    assert json.loads(content[4 : 4 + int.from_bytes(content[:4], "big")])["blobs"] is not None


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_cut_frame_is_broken(cut: int) -> None:
    content = Frame({"a": 1}, (b"x" * 20,)).pack()
    with pytest.raises(BrokenStream):
        read(content[:-cut])


@pytest.mark.parametrize(
    "blobs", ["1", "[-1]", "[1.0]", "[true]", "[99999999999]", "{}", "null", '["a"]']
)
def test_absurd_blobs_are_not_awaited(blobs: str) -> None:
    header = f'{{"blobs": {blobs}}}'.encode()
    with pytest.raises(BrokenStream):
        read(len(header).to_bytes(4, "big") + header)


def test_arrays_come_back_to_the_bit() -> None:
    arrays = {
        "a": numpy.random.default_rng(0).standard_normal((2, 3)).astype("float32"),
        "b": numpy.arange(6).reshape(2, 3)[:, ::-1],
        "c": numpy.array([True, False]),
        "d": numpy.zeros((0, 4), dtype="float32"),
    }
    found = unpack_arrays(read(pack_arrays({}, arrays).pack()))
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and (found[name] == array).all()
        assert found[name].flags.writeable


@pytest.mark.parametrize(
    "listed",
    [
        [{"name": "a", "dtype": "float32", "shape": [3]}],
        [{"name": "a", "dtype": "object", "shape": [2]}],
        [{"name": "a", "dtype": "float32", "shape": [-2, -1]}],
        [{"name": "a", "shape": [2]}],
        [],
    ],
)
def test_arrays_that_do_not_fit_are_broken(listed: Any) -> None:
    with pytest.raises(BrokenStream):
        unpack_arrays(Frame({"arrays": listed}, (b"\0" * 8,)))


def test_every_error_comes_back_as_itself() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, Exception)]
    assert len(kinds) > 15
    for kind in kinds:
        again = error_from(error_document(kind("what", hint="do")))
        assert (type(again), again.message, again.hint) == (kind, "what", "do")


@pytest.mark.parametrize("document", [None, [], "x", {}, {"kind": "sys"}, {"kind": "annotations"}])
def test_what_is_no_error_is_one_all_the_same(document: Any) -> None:
    assert type(error_from(document)) is SuspectError
    assert isinstance(error_from(document), WorkbenchError)


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "1", 2**60])
def test_what_is_no_amount(wrong: Any) -> None:
    assert amounts({"samples": 3}, ("samples", "tokens")) == {"samples": 3, "tokens": 0}
    with pytest.raises(BadParameter):
        amounts({"samples": wrong}, ("samples",))
