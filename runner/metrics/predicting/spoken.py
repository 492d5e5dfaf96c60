"""What is spoken in a sound: by a model that gives a letter for each moment, or by one that writes token by token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from runner.base.python import without_telemetry
from runner.data.feeding import sounds
from runner.errors import SourceError, StageError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    import torch

    from runner.data.table import Row


class Speller(Protocol):
    """A tokenizer of transformers."""

    def decode(self, tokens: object, **settings: object) -> str:
        """The text of tokens."""


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says: the best letter of each moment, put together as CTC does."""
    compiled = asked.compiled_for_rows()
    feeds, speller = sounds.Sounds(asked.folder, compiled.inputs), _speller(asked.folder)
    protocol: dict[str, object] = {
        "output": compiled.outputs[0],
        "decoding": "greedy",
        "runtime": dict(compiled.runtime),
    }
    batches = _rows(asked, compiled, feeds, speller, protocol)
    return Given(asked.count, batches, protocol, compiled.outputs[0])


def _speller(folder: Path) -> Speller:
    """The tokenizer of a folder.

    Raises:
        SourceError: there is none, or it can't be loaded.
    """
    without_telemetry()
    from transformers import AutoTokenizer

    try:
        return cast(Speller, AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
    except Exception as error:  # whatever the library raises
        message = f"{folder}: no tokenizer can be loaded from this folder: {error}"
        raise SourceError(message) from error


def _rows(
    asked: Asked, compiled: Compiled, feeds: sounds.Sounds, speller: Speller, protocol: dict[str, object]
) -> Iterator[Batch]:
    given = ((row, feeds.feed(row)) for row in asked.rows())
    for row, _, (logits, *_) in in_order(compiled, given):
        if logits.ndim != 3:
            message = f"{asked.folder}: the first output has shape {list(logits.shape)}, not [1, moments, letters]"
            raise SourceError(message)
        if not np.isfinite(logits).all():
            name = compiled.outputs[0]
            message = f"{asked.folder}: the model's output {name} has values that aren't finite numbers, first for "
            raise StageError(message + row.where)
        yield [speller.decode(logits[0].argmax(-1))], {}
    protocol |= feeds.told()


class Sounds:
    """Feeds a model that writes with sounds, and reads what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.sounds, self.speller = sounds.Sounds(folder, ()), _speller(folder)

    def feed(self, row: Row) -> Mapping[str, torch.Tensor]:
        """A row's features; a sound of more than the model's 30 seconds is refused.

        Raises:
            SourceError: it is longer, or can't be read.
        """
        import torch

        samples = self.sounds.samples(row)
        most = getattr(self.sounds.extractor, "n_samples", None)
        if isinstance(most, int) and len(samples) > most:
            message = (
                f"{row.where}: the sound lasts {len(samples) / self.sounds.rate:.1f} seconds; the model hears "
                f"{most / self.sounds.rate:g} at a time"
            )
            raise SourceError(message, hint="Cut it into shorter ones.")
        made = self.sounds.processed(row.where, samples)
        return {name: torch.from_numpy(np.asarray(array)) for name, array in made.items()}

    def text(self, tokens: torch.Tensor) -> str:
        """What was written, white space around it left out."""
        return self.speller.decode(tokens, skip_special_tokens=True).strip()

    def told(self) -> dict[str, object]:
        """As `runner.data.feeding.Feeder` says."""
        return self.sounds.told()
