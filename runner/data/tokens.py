"""Text -> token ids -> windows, with the tokenizer in a model's folder and without torch.

A dataset becomes one stream: its rows, with the model's end token between two rows unless the first ends with it
already. Windows are cut from the stream; where the tokenizer puts a start token before a text, each window gets
one, as llama.cpp does, and it counts as one token of the context.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import runner.base.files as fs
from runner.errors import SourceError
from runner.model.claims import TOKENIZER, refuse_files_elsewhere
from runner.model.listing import tokenizer_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
_DEFAULT_CONTEXT = 512


@dataclass(frozen=True)
class Window:
    """Tokens `start` … `stop - 1` of the stream; those from `first_scored` on are scored in this window."""

    start: int
    stop: int
    first_scored: int

    @property
    def scored(self) -> int:
        """How many tokens are scored."""
        return self.stop - self.first_scored


@dataclass(frozen=True)
class Passage:
    """A text ready for a model.

    Attributes:
        ids: the stream, shape [tokens].
        prefix: what stands before each window: the start token, or nothing; shape [0 or 1].
        windows: in order; each has a token to score.
        protocol: what a figure measured on it must be told with.
    """

    ids: NDArray[np.int64]
    prefix: NDArray[np.int64]
    windows: tuple[Window, ...]
    protocol: Mapping[str, Any]

    def window_ids(self, window: Window) -> NDArray[np.int64]:
        """What the model gets for a window, shape [tokens]."""
        return np.concatenate([self.prefix, self.ids[window.start : window.stop]])

    def save(self, path: Path) -> None:
        """Write all of it to an .npz file."""
        windows = np.array([(one.start, one.stop, one.first_scored) for one in self.windows], np.int64)
        protocol = np.frombuffer(json.dumps(dict(self.protocol)).encode(), np.uint8)
        np.savez(path, ids=self.ids, prefix=self.prefix, windows=windows, protocol=protocol)

    @classmethod
    def load(cls, path: Path) -> Passage:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            windows = tuple(Window(*row) for row in stored["windows"].tolist())
            return cls(stored["ids"], stored["prefix"], windows, json.loads(stored["protocol"].tobytes()))


class Tokenizer:
    """The tokenizer of a model's folder, with the model's special tokens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the files that make the tokenizer; equal ones give equal tokens."""
        return fs.sha256_json({path.name: fs.sha256_file(path) for path in tokenizer_files(self.folder)})

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids; `special` adds what the tokenizer puts around a text by itself.

        Raises:
            SourceError: the folder has no tokenizer that can be loaded, or it fails.
        """
        backend = self.backend
        with readable(self.folder, "its tokenizer fails"):
            found = backend.encode(text, add_special_tokens=special)
        return list(found if isinstance(found, list) else found.ids)

    def decode(self, ids: list[int], *, special: bool = False) -> str:
        """Text of tokens; `special` keeps the special ones."""
        return str(self.backend.decode(ids, skip_special_tokens=not special))

    @cached_property
    def backend(self) -> Any:
        """The tokenizer of the library `tokenizers`, or that of transformers where the folder has no file for it.

        Raises:
            SourceError: neither can be loaded.
        """
        path = self.folder / "tokenizer.json"
        with readable(self.folder, "no tokenizer can be loaded from this folder"):
            if path.is_file():
                from tokenizers import Tokenizer as Backend

                backend = Backend.from_file(str(path))
                backend.no_truncation()
                backend.no_padding()
                return backend
            refuse_files_elsewhere(self.folder, self._config(TOKENIZER))
            from transformers import AutoTokenizer

            folder = self.folder.absolute()
            with chdir(folder):  # a file that its settings name without a folder is one of its own
                return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)

    @cached_property
    def eos(self) -> int | None:
        """The model's end token: of config.json, generation_config.json or tokenizer_config.json."""
        return self._special("eos")

    @cached_property
    def bos(self) -> int | None:
        """The start token, if the tokenizer puts one before a text."""
        bos = self._special("bos")
        if bos is not None and self._config("tokenizer_config.json").get("add_bos_token"):
            return bos
        around = self.encode("", special=True)
        return bos if bos is not None and around[:1] == [bos] else None

    @cached_property
    def pad(self) -> int:
        """The padding token, else the end token, else 0."""
        pad = self._special("pad")
        return pad if pad is not None else self.eos or 0

    @property
    def positions(self) -> int | None:
        """How many positions the model was made for, if its config.json tells."""
        config = self._config("config.json")
        found = [config[key] for key in _POSITIONS if isinstance(config.get(key), int)]
        return found[0] if found else None

    @property
    def sha256(self) -> str:
        """SHA-256 of tokenizer.json, or over all files of a tokenizer that has none."""
        total = hashlib.sha256()
        whole = self.folder / "tokenizer.json"
        for path in [whole] if whole.is_file() else tokenizer_files(self.folder):
            total.update(path.read_bytes())
        return total.hexdigest()

    def _special(self, kind: str) -> int | None:
        for name in ("config.json", "generation_config.json"):
            value = self._config(name).get(f"{kind}_token_id")
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, int):
                return value
        return self.named(kind)

    def named(self, kind: str) -> int | None:
        """The special token that tokenizer_config.json itself names: `bos`, `eos`, …; None where it names none."""
        token = self._config("tokenizer_config.json").get(f"{kind}_token")
        token = token.get("content") if isinstance(token, dict) else token
        if not isinstance(token, str):
            return None
        convert = getattr(self.backend, "token_to_id", None) or self.backend.convert_tokens_to_ids
        value = convert(token)
        return value if isinstance(value, int) else None

    def _config(self, name: str) -> Mapping[str, Any]:
        path = self.folder / name
        if not path.is_file():
            return {}
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            message = f"{path}: not JSON: {error}"
            raise SourceError(message) from error
        return config if isinstance(config, dict) else {}


@contextmanager
def readable(folder: Path, what: str) -> Iterator[None]:
    """Whatever a tokenizer's library meets is wrong with its files; a panic of one in Rust is no `Exception`."""
    try:
        yield
    except (SourceError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        message = f"{folder}: {what}: {error}"
        raise SourceError(message, hint="Convert the model with `conversion.tokenizer: true`.") from error


def stream(tokenizer: Tokenizer, rows: list[str]) -> NDArray[np.int64]:
    """All rows as one stream of token ids, without a start token, shape [tokens]."""
    ids: list[int] = []
    for number, row in enumerate(rows):
        row_ids = tokenizer.encode(row)
        ids += row_ids
        if number < len(rows) - 1 and tokenizer.eos is not None and row_ids[-1:] != [tokenizer.eos]:
            ids.append(tokenizer.eos)
    return np.asarray(ids, np.int64)


def prefix(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """What stands before a text: the start token where the tokenizer adds one; shape [0 or 1]."""
    return np.asarray([] if tokenizer.bos is None else [tokenizer.bos], np.int64)


def text_sha256(rows: list[str]) -> str:
    """SHA-256 of the rows in UTF-8 with a zero byte between two; of a txt file, the file's own."""
    return hashlib.sha256("\0".join(rows).encode()).hexdigest()


def windows(tokens: int, length: int, stride: int, unscored: int = 1) -> Iterator[Window]:
    """Windows of `length` tokens, each `stride` after the one before; the last may be shorter.

    Where windows overlap, a token is scored in the first window that holds it. The first `unscored` tokens of a window
    have nothing before them to be predicted from: 1, or 0 after a start token. A window with no token to score is
    left out.
    """
    done = 0
    for start in range(0, tokens, stride):
        window = Window(start, min(start + length, tokens), max(start + unscored, done))
        if window.scored > 0:
            yield window
        done = window.stop
        if done == tokens:
            return


def passage(tokenizer: Tokenizer, rows: list[str], params: Mapping[str, object], dataset: str) -> Passage:
    """The stream of a dataset's rows and its windows.

    Args:
        tokenizer: of the model's folder.
        rows: the dataset's texts.
        params: `context_length` (by default 512, or the model's positions if fewer) and `stride` (by default the
            context length, so that windows follow each other).
        dataset: its name, for messages.

    Raises:
        SourceError: parameters that don't fit the model, or a text with no token to score.
    """
    length, stride = context(tokenizer, params)
    ids, before = stream(tokenizer, rows), prefix(tokenizer)
    stride = min(stride, length - len(before))
    found = tuple(windows(len(ids), length - len(before), stride, 1 - len(before)))
    if not found:
        message = f"dataset {dataset} has {len(ids)} tokens; at least 2 are needed"
        raise SourceError(message)
    protocol = {
        "context_length": length,
        "stride": stride,
        "tokens": len(ids),
        "tokens_scored": sum(window.scored for window in found),
        "windows": len(found),
        "start_token": tokenizer.bos,
        "end_token": tokenizer.eos,
        "text_sha256": text_sha256(rows),
        "tokenizer_sha256": tokenizer.sha256,
        "tokens_sha256": hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest(),
    }
    return Passage(ids, before, found, protocol)


def context(tokenizer: Tokenizer, params: Mapping[str, object]) -> tuple[int, int]:
    """The context length and the stride to use, from a check's parameters and the model's positions.

    Raises:
        SourceError: more than the model's positions, fewer than 2 tokens, or a stride beyond the context.
    """
    limit = tokenizer.positions
    length = _given(params, "context_length", min(_DEFAULT_CONTEXT, limit or _DEFAULT_CONTEXT))
    stride = _given(params, "stride", length)
    if length < 2 or (limit and length > limit):
        message = f"context_length {length} doesn't fit the model; allowed is 2 to {limit or 'its number of positions'}"
        raise SourceError(message)
    if not 1 <= stride <= length:
        message = f"stride {stride} doesn't fit context_length {length}; allowed is 1 to {length}"
        raise SourceError(message)
    return length, stride


def _given(params: Mapping[str, Any], name: str, default: int) -> int:
    return default if params.get(name) is None else int(params[name])
