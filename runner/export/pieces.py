"""Tokenizers that can't be read or converted here: told before anything else is.

The package sentencepiece, which reads some, need not be installed; of others OpenVINO has no equivalent.
"""

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

_UNLIKE = frozenset(
    {
        *("BertJapaneseTokenizer", "BertweetTokenizer", "BioGptTokenizer", "BlenderbotSmallTokenizer", "CTRLTokenizer"),
        *("CanineTokenizer", "EsmTokenizer", "FSMTTokenizer", "FlaubertTokenizer", "GPTNeoXJapaneseTokenizer"),
        *("PerceiverTokenizer", "PhobertTokenizer", "ProphetNetTokenizer", "RoCBertTokenizer", "TapasTokenizer"),
        "XLMTokenizer",
    }
)
"""Those of transformers that are Python alone, of which OpenVINO Tokenizers makes nothing."""


def unlike(files: Mapping[str, Path]) -> str | None:
    """The class of a model's tokenizer that OpenVINO has no equivalent of; None for others, and where none is told.

    Args:
        files: name -> file of the model.
    """
    kind = _class(files)
    return kind if kind in _UNLIKE else None


def unread(files: Mapping[str, Path]) -> str | None:
    """What of a model's tokenizer nothing here can read: its class or its file; None if it can be read.

    Args:
        files: name -> file of the model.
    """
    if importlib.util.find_spec(_PACKAGE):
        return None
    kind = _class(files)
    if kind in _CLASSES:
        return kind
    if "tokenizer.json" in files:
        return None
    return next((name for name in sorted(files) if name.endswith(_SUFFIXES) and _is_of_pieces(files[name])), None)


def _class(files: Mapping[str, Path]) -> str | None:
    stated = files.get("tokenizer_config.json")
    kind = fs.read_object(stated).get("tokenizer_class") if stated else None
    return kind if isinstance(kind, str) else None


def _is_of_pieces(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(1) == _STARTS
