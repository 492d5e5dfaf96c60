"""A metric that is a number a row: the rows are made here, the numbers by the function that declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.base.progress import Progress
from runner.base.values import Array
from runner.data import read_arrays
from runner.errors import StageError
from runner.metrics.classification import class_scores, labels_of
from runner.metrics.exact_match import answered
from runner.model.runtime import compile_folder
from runner.registry.metrics import Family

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.recipe.types import Dataset


@dataclass(frozen=True)
class Rowwise:
    """Measures one such metric."""

    family: Family

    def evaluate(
        self,
        model: Path,
        dataset: Dataset,
        params: Mapping[str, object],
        runtime: Mapping[str, object],
        reference: Path | None,
        progress: Progress,
    ) -> dict[str, object]:
        """Run the model over the dataset, and give what comes out to the function; the value is the mean.

        Raises:
            SourceError: the dataset doesn't fit the model.
            RecipeError: a property that OpenVINO refuses.
            StageError: the runtime or the function fails.
        """
        make = _replies if "replies" in self.family.rows else _class_scores
        (given, expected), protocol = make(model, dataset, params, runtime, progress)
        own = {name: value for name, value in params.items() if name in _settings(self.family)}
        numbers = self._numbers(given, expected, own)
        value = float(numbers.mean())
        error = float(numbers.std(ddof=1) / np.sqrt(len(numbers))) if len(numbers) > 1 else None
        return {
            "values": {self.family.name: value},
            "reference_values": {},
            "protocol": {**protocol, "settings": dict(own), "function": self._told()},
            "details": {"standard_error": error, "rows_without_numbers": int(np.isnan(numbers).sum())},
        }

    def _numbers(self, given: Any, expected: Any, own: Mapping[str, Any]) -> NDArray[np.float64]:
        assert self.family.function is not None
        try:
            numbers = np.asarray(self.family.function(given, expected, **own), np.float64)
        except Exception as error:  # somebody else's code
            message = f"{self._told()} failed: {error!r}"
            raise StageError(message) from error
        if numbers.shape != (len(expected),):
            message = f"{self._told()} gave an array of shape {list(numbers.shape)}, not one number for each of "
            raise StageError(message + f"{len(expected)} rows")
        return numbers

    def _told(self) -> str:
        function = self.family.function
        return f"{function.__module__}.{function.__qualname__}" if function else ""


def _settings(family: Family) -> frozenset[str]:
    """The settings that the function itself takes."""
    return frozenset(family.settings) - ({"max_new_tokens"} if family.generates else set())


def _class_scores(
    model: Path, dataset: Dataset, params: Mapping[str, object], runtime: Mapping[str, object], progress: Progress
) -> tuple[tuple[Array, Array], dict[str, Any]]:
    compiled, arrays = compile_folder(model, runtime), read_arrays(dataset)
    labels = labels_of(dataset, arrays)
    scores = np.concatenate([part.copy() for _, part in class_scores(compiled, dataset, arrays, progress)])
    protocol = {"items": len(labels), "output": compiled.outputs[0], "runtime": dict(compiled.runtime)}
    return (scores, labels), protocol


def _replies(
    model: Path, dataset: Dataset, params: Mapping[str, Any], runtime: Mapping[str, Any], progress: Progress
) -> tuple[tuple[list[str], list[str]], dict[str, object]]:
    pairs, replies, protocol = answered(model, dataset, int(params["max_new_tokens"]), runtime, progress)
    return (replies, [expected for _, expected in pairs]), protocol
