"""Tokenizers that only the package sentencepiece reads are told where it is not installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from runner.export.pieces import unread

PIECES, RANKS = b"\n\x0e\n\x05<unk>", b"IQ== 0\n"
"""How files of SentencePiece and of tiktoken begin."""


def written(folder: Path, files: dict[str, bytes]) -> dict[str, Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


def of_class(name: str) -> bytes:
    return json.dumps({"tokenizer_class": name}).encode()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, None),
        ({"spiece.model": PIECES, "config.json": b"{}"}, "spiece.model"),
        ({"target.spm": PIECES, "source.spm": PIECES}, "source.spm"),
        ({"spiece.model": PIECES, "tokenizer.json": b"{}"}, None),
        ({"tokenizer.model": PIECES}, "tokenizer.model"),
        ({"tokenizer.model": RANKS}, None),
        ({"tokenizer.json": b"{}", "tokenizer_config.json": of_class("SiglipTokenizer")}, "SiglipTokenizer"),
        ({"tokenizer.json": b"{}", "tokenizer_config.json": of_class("T5Tokenizer")}, None),
        ({"vocab.json": b"{}", "tokenizer_config.json": b"[]"}, None),
    ],
)
def test_what_of_a_tokenizer_is_read_with_a_package_that_is_missing(
    files: dict[str, bytes], told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # as if it were not installed
    assert unread(written(tmp_path, files)) == told


def test_nothing_is_told_where_the_package_is(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    assert unread(written(tmp_path, {"spiece.model": PIECES})) is None
