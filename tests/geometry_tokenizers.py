"""Writes tokenizer files with generated vocabularies, as `geometry` needs them for its model folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path
from typing import Any

END_OF_TEXT = "<|endoftext|>"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _byte_alphabet() -> list[str]:
    """The 256 printable characters that stand for the bytes in byte-level BPE, in GPT-2's order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(code) for code in [*printable, *range(256, 256 + len(others))]]


def _merges() -> Iterator[tuple[str, str]]:
    """Merge rules without end and without repetition: words of growing length over the small letters."""
    words = ["Ġ", *_LETTERS]
    while True:
        yield from product(words, _LETTERS)
        words = [word + letter for word, letter in product(words, _LETTERS)]


def byte_level_bpe(size: int, last: str = END_OF_TEXT) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE vocabulary of exactly `size` entries, the last of them special, and its merge rules."""
    merges = list(islice(_merges(), size - 257))
    tokens = [*_byte_alphabet(), *(left + right for left, right in merges), last]
    return {token: index for index, token in enumerate(tokens)}, merges


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_bpe(folder: Path, size: int) -> None:
    """vocab.json and merges.txt, GPT-2's original tokenizer files."""
    vocabulary, merges = byte_level_bpe(size)
    write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_tokenizer_json(folder: Path, size: int, last: str = END_OF_TEXT) -> None:
    """tokenizer.json of a byte-level BPE tokenizer, for a fast tokenizer; `last` is its special token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary, merges = byte_level_bpe(size, last)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([last])
    tokenizer.save(str(folder / "tokenizer.json"))


def write_wordpiece(folder: Path, size: int) -> None:
    """vocab.txt and tokenizer_config.json of a BERT tokenizer with `size` entries."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = (
        "".join(letters) for length in (1, 2, 3) for letters in product("abcdefghijklmnopqrstuvwxyz", repeat=length)
    )
    tokens = [*special, *islice(words, size - len(special))]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 128})


def write_characters(folder: Path, kind: str) -> None:
    """A SentencePiece tokenizer of letters, by its class of transformers; none where the package is not installed."""
    if find_spec("sentencepiece") is None:
        return
    import transformers
    from transformers.convert_slow_tokenizer import import_protobuf

    protobuf = import_protobuf()
    model = protobuf.ModelProto()
    special = ("<s>", "<pad>", "</s>", "<unk>")
    for piece, score in pieces(*special, size=len(special) + len(_LETTERS) + 1):
        what = protobuf.ModelProto.SentencePiece
        type_ = what.UNKNOWN if piece == "<unk>" else what.CONTROL if piece in special else what.NORMAL
        model.pieces.add(piece=piece, score=score, type=type_)
    model.trainer_spec.MergeFrom(
        protobuf.TrainerSpec(model_type=protobuf.TrainerSpec.CHAR, unk_id=3, bos_id=0, eos_id=2, pad_id=1)
    )
    model.normalizer_spec.name = "identity"
    (folder / "spm_char.model").write_bytes(model.SerializeToString())
    getattr(transformers, kind)(str(folder / "spm_char.model")).save_pretrained(folder)


def pieces(*special: str, size: int) -> list[tuple[str, float]]:
    """A vocabulary of `size` pieces with scores, as tokenizers of SentencePiece's kind have; the special ones first."""
    words = ("".join(letters) for length in (1, 2, 3) for letters in product(_LETTERS, repeat=length))
    return [
        *((piece, 0.0) for piece in special),
        ("▁", -2.0),
        *((word, -3.0) for word in islice(words, size - len(special) - 1)),
    ]
