"""Rows of a dataset as inputs of a model, made by the model's own processors, which lie in its folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.data.table import Row
    from runner.model.feed import Feed, Port
    from runner.recipe.types import Preprocess


class Feeder(Protocol):
    """Makes inputs of rows."""

    def feed(self, row: Row) -> Feed:
        """All inputs of the model for a row, of batch 1.

        Raises:
            SourceError: the row can't be read, or isn't what the model takes.
        """

    def told(self) -> dict[str, object]:
        """What a figure must be told with: what was done with the rows so far."""


def feeder(folder: Path, inputs: Iterable[Port], roles: Collection[str], steps: Preprocess | None = None) -> Feeder:
    """What feeds a model with rows.

    Args:
        folder: of the model.
        inputs: of the model, or of a part.
        roles: of the columns that rows have.
        steps: of the dataset, which replace the model's own processor of images.

    Raises:
        SourceError: the folder has no such processor, or nothing feeds such a model with such rows.
    """
    ports = tuple(inputs)
    if "image" in roles and steps:
        from runner.data.feeding.declared import Declared

        return Declared(ports, steps)
    if "image" in roles:
        from runner.data.feeding.pictures import Pictures

        if "text" in roles and any(port.name == "input_ids" for port in ports):
            from runner.data.feeding.captions import Captions

            return Captions(folder, ports)
        return Pictures(folder, ports)
    if "audio" in roles:
        from runner.data.feeding.sounds import Sounds

        return Sounds(folder, ports)
    if {"text", "tokens", "question", "context"} & set(roles):
        from runner.data.feeding.texts import Texts

        return Texts(folder, ports)
    needs = ", ".join(str(port) for port in ports)
    message = f"{folder}: rows with {', '.join(roles)} can't feed a model whose inputs are {needs}"
    raise SourceError(message)
