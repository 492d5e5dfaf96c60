"""Images as the steps that a dataset declares make inputs of them, whatever the model's own processor does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runner.data.feeding.pictures import picture
from runner.data.preprocess import image_array
from runner.errors import SourceError
from runner.model.feed import Feed, Port, array_feed, bind

if TYPE_CHECKING:
    from runner.data.table import Row
    from runner.recipe.types import Preprocess


class Declared:
    """Feeds a model that takes nothing but images.

    Raises:
        SourceError: the model has other inputs too.
    """

    def __init__(self, inputs: Iterable[Port], steps: Preprocess) -> None:
        self.bound, self.steps, self.rows = bind(inputs, [""], "of images"), steps, 0

    def feed(self, row: Row) -> Feed:
        """As `runner.data.feeding.Feeder` says."""
        self.rows += 1
        array = image_array(picture(row), self.steps, row.where)[None]
        try:
            return array_feed(self.bound, {"": array}, "of images")
        except SourceError as error:
            message = f"{row.where}: {error.message.removeprefix('dataset of images ')}"
            raise SourceError(message, hint=error.hint) from error

    def told(self) -> dict[str, object]:
        """As `runner.data.feeding.Feeder` says."""
        return {"rows": self.rows, "image_processor": "as the dataset declares"}
