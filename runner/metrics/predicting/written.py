"""Greedy replies by a class of Optimum Intel, row by row: texts about texts, and what is spoken in sounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import runner.base.files as fs
from runner.data.feeding.texts import least
from runner.errors import SourceError, StageError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import effective
from runner.model.trial import load, tried

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from runner.data.table import Row

TEXTS, SOUNDS = "OVModelForSeq2SeqLM", "OVModelForSpeechSeq2Seq"

_BEFORE = 4
"""Tokens that tell Whisper the language and what to do."""


class Reads(Protocol):
    """Makes inputs of rows, and text of what was written."""

    def feed(self, row: Row) -> Mapping[str, torch.Tensor]: ...

    def text(self, tokens: torch.Tensor) -> str: ...

    def told(self) -> dict[str, object]: ...


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    hears = "audio" in asked.dataset.columns
    model = load(asked.folder, SOUNDS if hears else TEXTS, ov_config=dict(asked.runtime))
    limit = least([asked.settings["max_new_tokens"], _room(model)]) or 1
    protocol: dict[str, object] = {
        "decoding": "greedy",
        "max_new_tokens": limit,
        "runtime": effective(asked.runtime) | {name: version(name) for name in ("optimum-intel", "transformers")},
    }
    reads: Reads = _sounds(asked) if hears else _Texts(asked)
    return Given(asked.count, _rows(asked, model, reads, limit, protocol), protocol)


def _room(model: object) -> int | None:
    """The most tokens that Whisper writes, whose positions are also for what stands before them."""
    positions = getattr(getattr(model, "config", None), "max_target_positions", None)
    return positions - _BEFORE if isinstance(positions, int) and positions > _BEFORE else None


def _sounds(asked: Asked) -> Reads:
    from runner.metrics.predicting.spoken import Sounds

    return Sounds(asked.folder)


def _rows(asked: Asked, model: object, reads: Reads, limit: int, protocol: dict[str, object]) -> Iterator[Batch]:
    ends, cut = _ends(model), 0
    for row in asked.rows():
        feed, heard = reads.feed(row), _Heard()

        def write(feed: Mapping[str, torch.Tensor] = feed, heard: _Heard = heard) -> torch.Tensor:
            generate = model.generate  # type: ignore[attr-defined]
            plain = {"max_new_tokens": limit, "do_sample": False, "num_beams": 1}
            found: torch.Tensor = generate(**feed, **plain, logits_processor=[heard])
            return found

        text = reads.text(tried(asked.folder, write)[0])
        heard.refuse_not_finite(asked.folder, row)
        cut += heard.tokens >= limit and heard.last not in ends
        yield [text], {}
    protocol |= {**reads.told(), "replies_cut": cut}


class _Heard:
    """Counts the tokens of a reply, and looks at what each was chosen by; one that must not come has minus infinity."""

    def __init__(self) -> None:
        self.tokens = self.last = 0
        self.finite = True

    def __call__(self, _: object, scores: torch.Tensor) -> torch.Tensor:
        self.tokens, self.last = self.tokens + 1, int(scores[0].argmax())
        self.finite &= bool(scores[scores != -math.inf].isfinite().all())
        return scores

    def refuse_not_finite(self, folder: Path, row: Row) -> None:
        """StageError unless all that tokens were chosen by are numbers."""
        if not self.finite:
            message = f"{folder}: the model's output logits has values that aren't finite numbers, first for "
            raise StageError(message + row.where)


def _ends(model: object) -> set[int]:
    """The tokens that end a reply."""
    found = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return {found} if isinstance(found, int) else set(found or ())


class _Texts:
    """Texts by the model's own tokenizer, which cuts them to what the encoder takes."""

    def __init__(self, asked: Asked) -> None:
        from transformers import AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(asked.folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # whatever the library raises
            message = f"{asked.folder}: no tokenizer can be loaded from this folder: {error}"
            raise SourceError(message, hint="Convert the model with `conversion.tokenizer: true`.") from error
        self.longest = _most(asked)
        self.rows = self.cut = 0

    def feed(self, row: Row) -> Mapping[str, torch.Tensor]:
        text = str(row.values["text"] if "text" in row.values else row.values["prompt"])
        settings = {"truncation": True, "max_length": self.longest} if self.longest else {}
        found = self.tokenizer(text, return_tensors="pt", **settings)
        self.rows += 1
        self.cut += bool(self.longest) and len(self.tokenizer(text)["input_ids"]) > (self.longest or 0)
        return {name: found[name] for name in ("input_ids", "attention_mask")}

    def text(self, tokens: torch.Tensor) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def told(self) -> dict[str, object]:
        return {"rows": self.rows, "rows_cut": self.cut, "longest": self.longest}


def _most(asked: Asked) -> int | None:
    """The most tokens that the encoder takes; T5 has no positions, and its tokenizer says what it was trained on."""
    config, own = (fs.read_object(asked.folder / name) for name in ("config.json", "tokenizer_config.json"))
    return least([config.get("max_position_embeddings"), own.get("model_max_length")])
