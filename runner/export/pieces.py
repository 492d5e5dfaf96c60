"""Tokenizers that the package sentencepiece reads: told before anything is converted, where it is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import runner.base.files as fs

INSTALL = "pip install 'ovrun[sentencepiece]'"
_PACKAGE = "sentencepiece"
_SUFFIXES = (".model", ".spm")
_STARTS = b"\n"
"""The first byte of such a file; those of tiktoken, which may be called alike, begin with a letter."""
_CLASSES = frozenset(
    {
        *("BartphoTokenizer", "BertGenerationTokenizer", "CpmTokenizer", "GPTSw3Tokenizer", "M2M100Tokenizer"),
        *("MarianTokenizer", "PLBartTokenizer", "SiglipTokenizer", "Speech2TextTokenizer", "SpeechT5Tokenizer"),
    }
)
"""Those of transformers that take no tokenizer.json in its place."""


def unread(files: Mapping[str, Path]) -> str | None:
    """What of a model's tokenizer nothing here can read: its class or its file; None if it can be read.

    Args:
        files: name -> file of the model.
    """
    if importlib.util.find_spec(_PACKAGE):
        return None
    stated = files.get("tokenizer_config.json")
    kind = fs.read_object(stated).get("tokenizer_class") if stated else None
    if kind in _CLASSES:
        return str(kind)
    if "tokenizer.json" in files:
        return None
    return next((name for name in sorted(files) if name.endswith(_SUFFIXES) and _is_of_pieces(files[name])), None)


def _is_of_pieces(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(1) == _STARTS
