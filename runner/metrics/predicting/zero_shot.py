"""How well each of some classes fits an image, the classes being named by texts: CLIP, SigLIP.

The classes are the choices of each row, or the names that the dataset's labels have, all of them for each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

import runner.base.files as fs
from runner.data import table
from runner.data.feeding.pictures import Pictures, picture
from runner.data.feeding.texts import encoded, most_tokens
from runner.data.tokens import Tokenizer
from runner.errors import SourceError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.feed import Feed, Port
from runner.model.runtime import Compiled
from runner.model.streams import in_order

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.data.table import Row
    from runner.recipe.types import Dataset

_TEMPLATE = "This is a photo of {}."
"""What transformers' pipeline makes of a class."""
_SCORES = "logits_per_image"
_PADDED = 64
"""Tokens to which the texts of SigLIP are filled up, as in its training."""
_TEXTS = ("input_ids", "attention_mask")


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    compiled = asked.compiled_for_rows()
    if _SCORES not in compiled.outputs:
        message = f"{asked.folder}: the model has no output {_SCORES}, but {', '.join(compiled.outputs)}"
        raise SourceError(message)
    pictures = Pictures(asked.folder, tuple(port for port in compiled.inputs if port.name not in _TEXTS))
    classes = () if "choices" in asked.dataset.columns else _named(asked.dataset)
    protocol: dict[str, object] = {
        "output": _SCORES,
        "template": _TEMPLATE,
        "classes": len(classes) or None,
        "runtime": dict(compiled.runtime),
    }
    batches = _rows(asked, compiled, pictures, classes, protocol)
    return Given(asked.count, batches, protocol, _SCORES, classes)


def _named(dataset: Dataset) -> tuple[str, ...]:
    """The names that the labels have, sorted.

    Raises:
        SourceError: labels are numbers.
    """
    found = set()
    for row in table.rows(dataset, ["label"]):
        label = row.values["label"]
        if not isinstance(label, str):
            message = f"{row.where}: the label {label!r} is no name, and texts name the classes of this model"
            raise SourceError(message, hint="Give names as labels, or the names of all classes of a row as `choices`.")
        found.add(label)
    return tuple(sorted(found))


def _rows(
    asked: Asked, compiled: Compiled, pictures: Pictures, classes: tuple[str, ...], protocol: dict[str, object]
) -> Iterator[Batch]:
    texts, output = _Texts(compiled), compiled.outputs.index(_SCORES)
    given = (
        (None, {**texts.feed(classes or _choices(row)), **pictures.of(row.where, picture(row))}) for row in asked.rows()
    )
    for _, _, outputs in in_order(compiled, given):
        yield np.array(outputs[output]).reshape(1, -1), {}
    protocol |= {**pictures.told(), "tokenizer_sha256": texts.tokenizer.sha256}


def _choices(row: Row) -> tuple[str, ...]:
    found = row.values["choices"]
    return tuple(map(str, found)) if isinstance(found, list) else ()


class _Texts:
    """Makes inputs of the names of classes; the same names are encoded once."""

    def __init__(self, compiled: Compiled) -> None:
        folder = compiled.folder
        self.tokenizer = Tokenizer(folder)
        self.ports: tuple[Port, ...] = tuple(port for port in compiled.inputs if port.name in _TEXTS)
        self.longest = most_tokens(folder)
        padded = "siglip" in str(fs.read_object(folder / "config.json").get("model_type"))
        self.width = min(_PADDED, self.longest or _PADDED) if padded else 0
        self.named: Sequence[str] = ()
        self.made: Feed = {}

    def feed(self, named: Sequence[str]) -> Feed:
        if named != self.named:
            self.named, self.made = named, self._made([_TEMPLATE.format(name) for name in named])
        return self.made

    def _made(self, texts: list[str]) -> Feed:
        rows = [encoded(self.tokenizer, text, None, self.width or self.longest).ids for text in texts]
        width = max([self.width, *map(len, rows)])

        def filled(arrays: list[Array], value: int) -> Array:
            return np.stack([np.pad(one, (0, width - len(one)), constant_values=value) for one in arrays])

        made = {
            "input_ids": filled(rows, self.tokenizer.pad),
            "attention_mask": filled([np.ones_like(one) for one in rows], 0),
        }
        return {port.name: made[port.name].astype(port.dtype) for port in self.ports}
