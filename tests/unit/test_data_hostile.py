"""Datasets that are damaged, or made to hurt: a worded refusal in no time, whatever their bytes."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import data
from runner.data.arrays import Arrays
from runner.errors import SourceError
from runner.metrics.predicting import Asked, replies
from runner.model.feed import Port, array_feed
from runner.recipe.types import Dataset, Preprocess
from runner.registry.formats import FORMATS


def npy(header: str | bytes, values: bytes = bytes(64), version: int = 1, length: int | None = None) -> bytes:
    text = header.encode("latin-1") if isinstance(header, str) else header
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + values


def plain(descr: str = "'|u1'", shape: str = "(4, 2)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def packed(member: bytes, method: int = zipfile.ZIP_STORED, times: int = 1) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(times):
            archive.writestr("images.npy", member)
    return file.getvalue()


def encrypted() -> bytes:
    whole = bytearray(packed(npy(plain())))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(mark) + offset] |= 1
    return bytes(whole)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "encrypted": (encrypted(), "is encrypted"),
    "packed by lzma": (packed(npy(plain()), zipfile.ZIP_LZMA), "packed in a way that NumPy doesn't write"),
    "packed by bzip2": (packed(npy(plain()), zipfile.ZIP_BZIP2), "packed in a way that NumPy doesn't write"),
    "twice the same name": (packed(npy(plain()), times=2), "is there twice"),
    "a header of gigabytes": (
        packed(npy(b" " * 50_000_000, b"", 2, 4_000_000_000), zipfile.ZIP_DEFLATED),
        "a header of 4000000000 bytes",
    ),
    "a header cut off": (packed(npy(plain(), b"", 1, 60_000)), "not that of a plain array"),
    "deep nesting": (packed(npy("(" * 9000, b"")), "not that of a plain array"),
    "code": (packed(npy("__import__('os').system('true')", b"")), "not that of a plain array"),
    "no dictionary": (packed(npy("[1, 2]")), "not that of a plain array"),
    "a field too many": (packed(npy(plain()[:-3] + "'x': 'y'}")), "not that of a plain array"),
    "a field twice": (packed(npy(plain()[:-3] + "'descr': '<f8'}")), "not that of a plain array"),
    "a structure": (packed(npy(plain("[('a', '<f8'), ('b', 'O')]"))), "not that of a plain array"),
    "a negative size": (packed(npy(plain(shape="(-4, 2)"))), "not that of a plain array"),
    "a size in floats": (packed(npy(plain(shape="(4.0, 2)"))), "not that of a plain array"),
    "sizes without a comma": (packed(npy(plain(shape="(4 2)"))), "not that of a plain array"),
    "a size of thousands of digits": (packed(npy(plain(shape=f"({'9' * 5000}, 2)"))), "not a readable npz file"),
    "more than memory": (packed(npy(plain(shape="(4, 99999999999999999999)"))), "that no memory holds"),
    "many axes": (packed(npy(plain(shape=f"({'1, ' * 500})"))), "shape of 500 axes"),
    "more than the file": (packed(npy(plain(shape="(4, 1000000)"))), "more than there are"),
    "no items": (packed(npy(plain(shape="(0, 9)"))), "has no items"),
    "objects": (packed(npy(plain("'|O'"))), "holds pickled objects"),
    "complex": (packed(npy(plain("'<c16'", "(2, 2)"))), "holds complex numbers"),
    "truth": (packed(npy(plain("'|b1'"))), "holds true and false"),
    "texts": (packed(npy(plain("'<U4'"))), "holds texts"),
    "dates": (packed(npy(plain("'<M8[s]'"))), "holds dates"),
    "long floats": (packed(npy(plain("'<f16'", "(2, 2)"))), "holds values of type"),
    "an unknown type": (packed(npy(plain("'<i9999999999'"))), "holds values of type"),
    "another format": (packed(b"GIF89a" + bytes(90)), "not in NumPy's format"),
    "nothing in it": (packed(b""), "not in NumPy's format"),
    "another version": (packed(npy(plain(), version=9)), "of version 9 of NumPy's format"),
    "no archive": (os.urandom(1) * 1000, "not a readable npz file"),
}  # fmt: skip


def quick(dataset: Dataset) -> str:
    """The refusal, in seconds and without the memory that the file asks for."""
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        data.check(dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20
    assert time.monotonic() - began < 60
    assert caught.value.exit_code == 4
    return caught.value.message


@pytest.mark.parametrize("name", HOSTILE)
def test_npz(tmp_path: Path, name: str) -> None:
    content, expected = HOSTILE[name]
    (tmp_path / "a.npz").write_bytes(content)
    message = quick(Dataset("d", "file", tmp_path / "a.npz", "npz", inputs={"": "images"}))
    assert expected in message, message
    assert "dataset d: " in message and len(message) < 600


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "a name too long", "a zero byte", "a link to itself"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_only_regular_files_are_read(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "a link to itself":
        path.symlink_to(path)
    else:
        path = tmp_path / (("a" * 300 if kind == "a name too long" else "a\0b") + f".{suffix}")
    dataset = Dataset("d", "file", path, suffix, columns={"text": "t"}, inputs={"": "images"})
    assert quick(dataset)
    with pytest.raises(SourceError):
        data.digest(dataset)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" * 900_000, "nested too deeply"),
        (b'{"t": ' * 100_000, "nested too deeply"),
        (b'{"t": ' + b"9" * 900_000 + b"}", "not JSON"),
        (b'{"t": NaN}', "NaN is no JSON number"),
        (b'{"x": -Infinity, "t": "a"}', "-Infinity is no JSON number"),
        (b'{"t": "\\ud800"}', "half a character"),
        (b'{"\\ud800": "a"}', 'no column "t"; there are: \\ud800'),
        (b'{"t": "a"}\r{"t": "b"}', "not JSON: Extra data"),
        (b'{"t": "a"}\n\xff\xfe', ":2:1: byte 0xff is not UTF-8"),
        ('{"t": "a"}'.encode("utf-16"), ":1:1: byte 0xff"),
        (b'{"t": "' + b"a" * 900_000, "not JSON"),
        (b"{" + b",".join(b'"%d": 1' % number for number in range(80_000)) + b"}", "and 79980 more"),
        (b'{"' + b"t" * 900_000 + b'": "a"}', 'no column "t"'),
        (b"\n" * 900_000, "no rows with text"),
    ],
)
def test_jsonl(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    message = quick(Dataset("d", "file", tmp_path / "a.jsonl", "jsonl", columns={"text": "t"}))
    assert expected in message, message[:300]
    message.encode()
    assert len(message) < 3000


def test_a_line_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.data.jsonl._LONGEST", 2 << 20)
    with (tmp_path / "a.jsonl").open("wb") as file:
        file.truncate(8 << 30)
    assert ":1: a line of more than 2 MB" in quick(
        Dataset("d", "file", tmp_path / "a.jsonl", "jsonl", columns={"text": "t"})
    )


def test_what_lies_far_behind_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bytearray(packed(npy(plain(shape="(5000000, 1)"), bytes(5_000_000))))
    whole[4_500_000] = 1
    (tmp_path / "a.npz").write_bytes(whole)
    dataset = Dataset("d", "file", tmp_path / "a.npz", "npz", inputs={"": "images"}, limit=5)
    with pytest.raises(SourceError, match="Bad CRC"):
        data.read_arrays(dataset)
    monkeypatch.setattr("runner.data.npz._CHECKED", 1 << 20)
    assert data.read_arrays(dataset).inputs[""].shape == (5, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_values_that_are_no_numbers(tmp_path: Path, bad: float, dtype: str) -> None:
    images = np.ones((9, 4, 3), dtype)
    images[5, 1:3, 0] = images[7, 0, 0] = bad
    np.savez(tmp_path / "a.npz", images=images)
    dataset = Dataset("d", "file", tmp_path / "a.npz", "npz", inputs={"": "images"})
    expected = 'array "images" has 3 values that aren\'t finite numbers, in 2 items, first in item 5'
    with pytest.raises(SourceError, match=expected):
        data.read_arrays(dataset)
    assert len(data.read_arrays(Dataset("d", "file", dataset.path, "npz", inputs={"": "images"}, limit=5))) == 5


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "|i1", "|u1", ">i2", "<u4", "<i8"])
def test_arrays_come_back_as_numpy_reads_them(tmp_path: Path, dtype: str, order: Any) -> None:
    images = np.array(np.random.default_rng(0).integers(0, 100, (6, 2, 3)).astype(dtype), order=order)
    np.savez_compressed(tmp_path / "a.npz", images=images)
    for limit in (None, 1, 4, 6, 10**15):
        dataset = Dataset("d", "file", tmp_path / "a.npz", "npz", inputs={"": "images"}, limit=limit)
        found = data.read_arrays(dataset).inputs[""]
        with np.load(tmp_path / "a.npz") as stored:
            np.testing.assert_array_equal(found, stored["images"][:limit])
        assert found.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("stored", "steps", "expected"),
    [
        ([0, 127, 128, 255], Preprocess(mean=(128.0,), dtype="uint8"), [0, 0, 0, 127]),
        ([0, 127, 255], Preprocess(dtype="int8"), [0, 127, 127]),
        ([0.5, 1.5, 2.5, -0.5, 2.4999], Preprocess(dtype="int32"), [0, 2, 2, 0, 2]),
        ([300.0, -300.0], Preprocess(dtype="int8"), [127, -128]),
        ([300.0, -300.0], Preprocess(dtype="uint8"), [255, 0]),
        ([3e9, -3e9], Preprocess(dtype="int32"), [2**31 - 1, -(2**31)]),
        ([1e300, -1e300], Preprocess(dtype="int64"), [2**63 - 1024, -(2**63)]),
        ([2**24 + 1, 2**31 - 1], Preprocess(mean=(0.0,), dtype="int32"), [2**24 + 1, 2**31 - 1]),
        ([2**53 + 1, -5], Preprocess(dtype="int64"), [2**53 + 1, -5]),
        ([1, 2, 3], Preprocess(scale=0.5, dtype="int64"), [0, 1, 2]),
    ],
)
def test_integers_are_rounded_and_saturated(stored: list[Any], steps: Preprocess, expected: list[int]) -> None:
    values = np.array(stored, np.uint8 if max(map(abs, stored)) < 256 and stored[0] == 0 else None)
    found = Arrays({"": values}, None, steps).batch(0, len(values))[""]
    assert found.dtype == steps.dtype
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "steps", [Preprocess(dtype="float16"), Preprocess(std=(1e-300,)), Preprocess(scale=1e38, dtype="int8")]
)
def test_preprocessing_that_leaves_the_numbers(steps: Preprocess) -> None:
    with pytest.raises(SourceError, match="aren't finite"):
        Arrays({"": np.array([7e4, 1e30])}, None, steps).batch(0, 2)


@pytest.mark.parametrize(
    ("array", "dtype", "expected"),
    [
        (np.array([200], np.uint8), "int8", "takes int8, -128 to 127, and the data go from 200 to 200"),
        (np.array([-1], np.int8), "uint8", "and the data go from -1"),
        (np.array([2**40]), "int32", "1099511627776"),
        (np.array([2**63], np.uint64), "int64", "go from 9223372036854775808"),
        (np.array([2]), "bool", "takes bool, 0 to 1"),
        (np.array([0.5]), "bool", "takes bool, not float64"),
        (np.array([1e300]), "float32", "numbers beyond float32"),
        (np.array([70000]), "float16", "numbers beyond float16"),
    ],
)
def test_an_input_gets_no_other_numbers_than_the_data_have(array: Any, dtype: str, expected: str) -> None:
    port = Port("x", (None,), np.dtype(dtype))
    with pytest.raises(SourceError, match=expected):
        array_feed({"": port}, {"": array}, "d")
    fitting = np.array([1], array.dtype)
    assert array_feed({"": port}, {"": fitting}, "d")["x"] == fitting if array.dtype.kind != "f" else True


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 20])
@pytest.mark.parametrize("text", ["é名\U0001f600\n\n", "\ufeffa\n\ufeffb", "a\r\n\rb\x85\u2028c\0", "\n" * 50 + "x"])
def test_a_text_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, block: int) -> None:
    """Not line by line: a small file has millions of them."""
    monkeypatch.setattr("runner.data.text._BLOCK", block)
    (tmp_path / "a.txt").write_bytes(text.encode())
    dataset = Dataset("d", "file", tmp_path / "a.txt", "txt")
    limited = data.read_text(Dataset("d", "file", dataset.path, "txt", limit=10**6))
    monkeypatch.setattr("runner.data.text.lines", lambda dataset: pytest.fail("read line by line"))
    assert data.read_text(dataset) == limited == [text.removeprefix("\ufeff")]


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("content", "place"), [(b"ab\ncd\xc3", ":2:3: byte 0xc3"), (b"\n\n\xed\xa0\x80x", ":3:1: byte 0xed")]
)
def test_what_is_not_utf8_has_its_place_in_blocks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, place: str, block: int
) -> None:
    monkeypatch.setattr("runner.data.text._BLOCK", block)
    (tmp_path / "a.txt").write_bytes(content)
    assert place in quick(Dataset("d", "file", tmp_path / "a.txt", "txt"))


@pytest.mark.parametrize("prompt", ["", " ", "\n\t\u2003"])
def test_nothing_is_generated_from_an_empty_prompt(tmp_path: Path, prompt: str) -> None:
    rows = [{"q": "2 + 2 =", "a": "4"}, {"q": prompt, "a": "5"}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    dataset = Dataset("d", "file", tmp_path / "a.jsonl", "jsonl", columns={"prompt": "q", "reply": "a"})
    with pytest.raises(SourceError, match="dataset d: the prompt of row 2 is empty"):
        replies.predict(Asked("texts", tmp_path, dataset, {"max_new_tokens": 8}, {}))
