"""NumPy archives that are damaged, or made to hurt, by the means of their own format."""

from __future__ import annotations

import io
import pickle
import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.campaigns.mutate import Payload
from tests.campaigns.trial import Trial

ITEMS = 24


def header(descr: str = "'<f4'", shape: str = "(24, 16)", order: str = "False", version: int = 1) -> bytes:
    """The header of a .npy file with these words in it."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode("utf-8", "surrogatepass")
    size = struct.pack("<H" if version == 1 else "<I", len(text) & (0xFFFF if version == 1 else 0xFFFFFFFF))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


def saved(array: Any) -> bytes:
    """The array as a .npy file."""
    import numpy as np

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _packed(path: Path, members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)


def _members(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError):
        return {"x.npy": header() + bytes(4 * 16 * ITEMS), "labels.npy": header("'<i8'", f"({ITEMS},)") + bytes(200)}


def _one_more(path: Path, name: str, content: bytes) -> None:
    _packed(path, [*(_members(path) | {name: content}).items()])


def _header(trial: Trial, path: Path) -> str:
    """A header that says something odd."""
    draw = trial.random
    descr = draw.choice(
        (
            *(
                "'<f4'",
                "'>f4'",
                "'|O'",
                "'<U9'",
                "'|S4'",
                "'<c8'",
                "'<M8[s]'",
                "'|b1'",
                "'<f2'",
                "'<f16'",
                "'<i99999999'",
            ),
            *(
                "[('a', '<f4')]",
                "[]",
                "('<f4', (2,))",
                "'|V4'",
                "''",
                "'f4'",
                "'<f4,<i4'",
                "4",
                "None",
                "'" + "<" * 999,
            ),
        )
    )
    shape = draw.choice(
        (
            *(
                f"({ITEMS}, 16)",
                "()",
                "(0, 16)",
                "(24,)",
                "(24, 16, 1)",
                "(-24, -16)",
                "(24, 999999999)",
                f"({'9' * 5000},)",
            ),
            *(f"({2**62}, 16)", "(True, 16)", "(24.0, 16)", "(0x18, 16)", f"({'1, ' * 200})", "[24, 16]", "(24L, 16L)"),
            *(f"({2**40}, 0)", "(24, 0)", "(0, 0)", f"({'(' * 3000})", "(1_2, 16)", "(２4, 16)"),  # noqa: RUF001
        )
    )
    order = draw.choice(("False", "True", "1", "None", f"__import__('os').system({trial.payload!r})"))
    version = draw.choice((1, 1, 1, 2, 3, 4, 0, 255))
    content = header(descr, shape, order, version) + bytes(draw.choice((0, 10, 1536, 5000)))
    _one_more(path, draw.choice(("x.npy", "x.npy", "labels.npy")), content)
    return f"{descr:.40} {shape:.40} {order:.20} {version}"


def _lengths(trial: Trial, path: Path) -> str:
    """A header of another length than it says."""
    content = bytearray(header(version=trial.random.choice((1, 2))) + bytes(1536))
    length = trial.random.choice((0, 1, 60_000, 65_535, 4_000_000_000))
    content[8 : 10 if content[6] == 1 else 12] = struct.pack(
        *("<H", length & 0xFFFF) if content[6] == 1 else ("<I", length)
    )
    _one_more(path, "x.npy", bytes(content))
    return str(length)


def _values(trial: Trial, path: Path) -> str:
    """Values that are no numbers, or too large, or of another type."""
    import numpy as np

    draw = trial.random
    array: Any = np.random.default_rng(1).normal(size=(ITEMS, 16)) * draw.choice((1, 100, 1e30))
    dtype = draw.choice(("<f2", "<f4", ">f4", "<f8", "|i1", "|u1", ">i2", "<i8", "<u8", "<c8", "|b1", "<U9", "O"))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = array.astype(dtype)
    if array.dtype.kind == "f" and draw.random() < 0.6:
        array[draw.randrange(ITEMS), :3] = draw.choice((np.nan, np.inf, -np.inf, np.finfo(array.dtype).max, 1e-45))
    if draw.random() < 0.3:
        array = np.asfortranarray(array)
    if draw.random() < 0.3:
        array = np.asarray(
            draw.choice((array[:0], array[:1], array[0], array[:, :3], array[..., None], array.T, array[0, 0]))
        )
    _one_more(path, "x.npy", saved(array))
    return f"{array.dtype} {array.shape}"


def _labels(trial: Trial, path: Path) -> str:
    """Labels that are none."""
    import numpy as np

    whole = np.arange(ITEMS)
    array: Any = trial.random.choice(
        (
            *(whole, -whole, whole * 1000, whole % 8.0, whole[:5], whole[:, None] % 8, whole.reshape(2, -1), whole[0]),
            *(
                (whole % 8).astype(np.uint64) + np.uint64(2**63),
                whole.astype("U"),
                whole > 3,
                whole[:0],
                whole % 8 * 1j,
            ),
            *(np.array([{"a": 1}] * ITEMS, object), whole.astype("datetime64[s]"), (whole % 8).astype(">i2")),
        )
    )
    _one_more(path, "labels.npy", saved(array))
    return f"{array.dtype} {array.shape}"


def _pickled(trial: Trial, path: Path) -> None:
    """Objects that run code: in an array, or as the whole file."""
    content = pickle.dumps(Payload(trial.payload))
    if trial.random.random() < 0.3:
        path.write_bytes(content)
    else:
        shape = trial.random.choice((f"({ITEMS}, 16)", "()", "(1,)"))
        _one_more(path, trial.random.choice(("x.npy", "labels.npy", "x")), header("'|O'", shape) + content)


def _methods(trial: Trial, path: Path) -> str:
    """Packed in another way, which the reader need not know."""
    method = trial.random.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    _packed(path, [*_members(path).items()], method)
    return str(method)


def _names(trial: Trial, path: Path) -> str:
    """Names that lead elsewhere, or are there twice."""
    name = trial.random.choice(
        ("../x.npy", "/x.npy", "x", "x.npy.npy", "x.npy/", "X.NPY", ".npy", "x\\y.npy", "é.npy", "a" * 60_000, "x.npy")
    )
    there = [*_members(path).items()]
    _packed(path, [*there, (name, dict(there).get("x.npy", b""))] if trial.random.random() < 0.6 else [(name, b"")])
    return name[:20]


def _directory(trial: Trial, path: Path) -> str:
    """Flags, sizes, methods and checksums that the archive's directory states, and that aren't so."""
    content = bytearray(path.read_bytes())
    for mark, start in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8), (b"PK\x05\x06", 4)):
        at = content.find(mark)
        if at >= 0 and trial.random.random() < 0.7:
            place = at + start + trial.random.randrange(16)
            value = trial.random.choice(
                (b"\x01", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x63\0", b"\xff\xff\xff\x7f")
            )
            content[place : place + len(value)] = value
    path.write_bytes(content)
    return "edited"


def _around(trial: Trial, path: Path) -> None:
    """More before, behind or in place of the end."""
    content, more = (
        path.read_bytes(),
        trial.random.choice((b"\0" * 1000, b"PK\x05\x06" * 100, b"#!/bin/sh\n", b"x" * 70_000)),
    )
    path.write_bytes(
        trial.random.choice((more + content, content + more, content[: -len(more) // 10] + more, content * 2))
    )


def _bomb(trial: Trial, path: Path) -> None:
    """Little that unpacks to much."""
    if trial.random.random() < 0.5:
        shutil.copyfile(trial.shared / "bomb.npz", path)
    else:
        text = b"\x93NUMPY\x02\0" + struct.pack("<I", 200_000_000) + b" " * 200_000_000
        _packed(path, [("x.npy", text), ("labels.npy", header("'<i8'", "(24,)") + bytes(192))], zipfile.ZIP_DEFLATED)


def _an_array(trial: Trial, path: Path) -> None:
    """One array alone, under the name of an archive."""
    path.write_bytes(_members(path).get("x.npy", b""))


ARCHIVES: tuple[Callable[[Trial, Path], str | None], ...] = (
    *(_header, _header, _header, _values, _values, _labels, _labels, _pickled, _methods, _names, _directory),
    *(_directory, _lengths, _around, _bomb, _an_array),
)
