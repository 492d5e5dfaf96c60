"""Sounds as a model's own feature extractor makes inputs of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.values import whole
from runner.data import sounds
from runner.data.feeding.pictures import feature_extractor, fed, processed
from runner.errors import SourceError
from runner.model.feed import Feed, Port

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runner.base.values import Array
    from runner.data.table import Row


class Sounds:
    """Feeds a model with sounds.

    Raises:
        SourceError: the folder has no feature extractor that can be loaded.
    """

    def __init__(self, folder: Path, inputs: Iterable[Port]) -> None:
        self.folder, self.inputs, self.rows, self.seconds = folder, tuple(inputs), 0, 0.0
        self.extractor = feature_extractor(folder)
        self.rate = whole(getattr(self.extractor, "sampling_rate", 0))

    def feed(self, row: Row) -> Feed:
        """As `runner.data.feeding.Feeder` says."""
        return fed(row.where, self.inputs, self.processed(row.where, self.samples(row)))

    def processed(self, where: str, samples: NDArray[np.float32]) -> Mapping[str, Array]:
        """What the extractor makes of samples.

        Raises:
            SourceError: it fails.
        """
        return processed(where, lambda: self.extractor(samples, sampling_rate=self.rate, return_tensors="np"))

    def samples(self, row: Row) -> NDArray[np.float32]:
        """A row's sound, of one channel and as many samples a second as the model takes.

        Raises:
            SourceError: it can't be read, or has more or fewer.
        """
        one = row.values["audio"]
        assert isinstance(one, sounds.Sound)
        found, rate = sounds.samples(one)
        if rate != self.rate:
            message = f"{one.place}: the sound has {rate:,} samples a second; the model takes {self.rate:,}"
            raise SourceError(message, hint=f"Resample it, such as by: ffmpeg -i in.wav -ar {self.rate} out.wav")
        self.rows += 1
        self.seconds += len(found) / rate
        return found

    def told(self) -> dict[str, object]:
        """As `runner.data.feeding.Feeder` says."""
        return {"rows": self.rows, "seconds": round(self.seconds, 3), "sampling_rate": self.rate}
