"""Images with texts, for models that read both at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.data.feeding.pictures import Pictures, picture
from runner.data.feeding.texts import Texts
from runner.model.feed import Feed, Port

if TYPE_CHECKING:
    from runner.data.table import Row

_OF_TEXTS = ("input_ids", "attention_mask", "position_ids", "token_type_ids")


class Captions:
    """Feeds a model with images and texts.

    Raises:
        SourceError: the folder has no tokenizer or no image processor that can be loaded.
    """

    def __init__(self, folder: Path, inputs: Iterable[Port]) -> None:
        ports = tuple(inputs)
        self.texts = Texts(folder, [port for port in ports if port.name in _OF_TEXTS])
        self.pictures = Pictures(folder, [port for port in ports if port.name not in _OF_TEXTS])

    def feed(self, row: Row) -> Feed:
        """As `runner.data.feeding.Feeder` says."""
        text = self.texts.of(self.texts.encode(str(row.values["text"])))
        return {**text, **self.pictures.of(row.where, picture(row))}

    def told(self) -> dict[str, object]:
        """As `runner.data.feeding.Feeder` says."""
        return {**self.texts.told(), **self.pictures.told()}
