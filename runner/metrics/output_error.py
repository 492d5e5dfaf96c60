"""Output error: how far a model's outputs are from the uncompressed model's, on any data that feeds both.

With r the reference's output and y the model's: relative L2 is |y - r| / |r| over the whole dataset; the signal to
quantization noise ratio (SQNR) is 20 log10(|r| / |y - r|) in dB; cosine similarity is the mean over rows, a row
being one item, or one token of a text. A noise below float32's own resolution counts as that, 144.5 dB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.base.progress import Progress
from runner.data import read_arrays, read_text
from runner.data.pieces import text_pieces
from runner.data.tokens import Tokenizer, context, text_sha256
from runner.errors import SourceError, StageError
from runner.metrics.passes import FEW_TOKENS, item_outputs, piece_outputs, refuse_not_finite
from runner.metrics.stored import RowFile, Rows, load, save
from runner.metrics.stream_intervals import of_rows
from runner.model.feed import check_takes_text
from runner.model.runtime import Compiled, compile_folder, refuse_other_runtime
from runner.recipe.datasets import kinds
from runner.registry.noise import BATCH, DEFAULTS, told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.recipe.types import Dataset


_RESOLUTION = 2.0**-24
_PART = 1 << 16


@dataclass
class Tally:
    """Sums over the rows of one output."""

    signal: float = 0.0
    noise: float = 0.0
    cosines: list[NDArray[np.float64]] = field(default_factory=list)
    signals: list[NDArray[np.float64]] = field(default_factory=list)
    noises: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, values: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
        """Count rows, both of shape [rows, size]."""
        for part in _parts(*values.shape):
            self._add(values[part].astype(np.float64), reference[part].astype(np.float64))

    def _add(self, values: NDArray[np.float64], reference: NDArray[np.float64]) -> None:
        with np.errstate(invalid="ignore"):  # infinite outputs end as NaN, and NaN passes no gate
            error = values - reference
        dot, norm, own = (np.vecdot(a, b) for a, b in ((values, reference), (reference, reference), (values, values)))
        self.signal += float(norm.sum())
        noise = np.vecdot(error, error)
        self.noise += float(noise.sum())
        self.signals.append(norm)
        self.noises.append(noise)
        both = np.sqrt(norm * own)
        same = (norm == own).astype(np.float64)
        with np.errstate(invalid="ignore"):
            self.cosines.append(np.divide(dot, both, out=same, where=both != 0))

    def values(self) -> dict[str, float]:
        """The three metrics."""
        ratio = math.sqrt(self.noise / self.signal) if self.signal else (0.0 if not self.noise else math.nan)
        ratio = ratio if math.isfinite(ratio) else math.nan
        return {
            "relative_l2": ratio,
            "cosine_similarity": float(np.concatenate(self.cosines).mean()),
            "sqnr": math.nan if math.isnan(ratio) else self.sqnr(ratio),
        }

    @staticmethod
    def sqnr(ratio: float) -> float:
        """In dB, of a relative L2."""
        return -20 * math.log10(max(ratio, _RESOLUTION))

    def details(self) -> dict[str, object]:
        """The metrics, and the row that differs most."""
        cosines = np.concatenate(self.cosines)
        worst = int(cosines.argmin())
        return {**self.values(), "rows": len(cosines), "worst_row": worst, "worst_cosine": float(cosines[worst])}


def _parts(rows: int, size: int) -> list[slice]:
    """Rows that stay in the processor's cache, as doubles."""
    step = max(1, _PART // max(1, size))
    return [slice(start, start + step) for start in range(0, rows, step)]


def reference(
    model: Path,
    dataset: Dataset,
    params: Mapping[str, object],
    runtime: Mapping[str, object],
    out: Path,
    progress: Progress,
) -> None:
    """Store the uncompressed model's outputs as float32.

    Raises:
        SourceError: the dataset doesn't fit the model.
        RecipeError: a property that OpenVINO refuses.
        OSError: the disk is full.
    """
    compiled = compile_folder(model, runtime)
    text = _text(compiled, dataset, params)
    with ExitStack() as stack:
        files: list[RowFile] = []
        for outputs in _outputs(compiled, dataset, text, progress):
            if not files:
                files = [stack.enter_context(RowFile(_file(out, i), np.float32)) for i in range(len(outputs))]
            refuse_not_finite(model, np.asarray(np.isfinite(outputs[0]).all(-1)), f"output {compiled.outputs[0]}")
            for name, file, rows in zip(compiled.outputs, files, outputs, strict=False):
                _append(file, rows, f"{model}: output {name}")
    protocol = {**(text.protocol if text else {}), "runtime": dict(compiled.runtime)}
    save(out, {"outputs": list(compiled.outputs[: len(files)]), "protocol": protocol})


def evaluate(
    model: Path,
    dataset: Dataset,
    params: Mapping[str, object],
    runtime: Mapping[str, object],
    reference: Path | None,
    progress: Progress,
) -> dict[str, object]:
    """Compare the outputs with the reference's; the values are the first output's, the details have all.

    Raises:
        SourceError: the dataset doesn't fit the model.
        RecipeError: a property that OpenVINO refuses.
        StageError: the runtime fails, or the outputs have other shapes than the reference's.
    """
    assert reference
    compiled = compile_folder(model, runtime)
    text = _text(compiled, dataset, params)
    base = load(reference)
    if not told(params, DEFAULTS):
        refuse_other_runtime(compiled, base["protocol"]["runtime"])
    names = base["outputs"]
    with ExitStack() as stack:
        stored = [stack.enter_context(Rows(_file(reference, index))) for index in range(len(names))]
        found = _outputs(compiled, dataset, text, progress, apart=told(params, BATCH))
        tallies = _compare(compiled, stored, found)
    return {
        **of_rows(tallies[0], [len(ids) for ids in text.pieces] if text else ()),
        "values": tallies[0].values(),
        "reference_values": {},
        "protocol": {**(text.protocol if text else {}), "output": names[0], "runtime": dict(compiled.runtime)},
        "details": {"outputs": {name: tally.details() for name, tally in zip(names, tallies, strict=True)}},
    }


def _compare(compiled: Compiled, stored: list[Rows], found: Iterator[list[NDArray[np.float32]]]) -> list[Tally]:
    """A tally for each output, over all rows of the reference."""
    tallies, done = [Tally() for _ in stored], [0] * len(stored)
    for outputs in found:
        for index, rows in enumerate(outputs):
            expected = stored[index][done[index] : done[index] + len(rows)] if index < len(stored) else None
            if expected is None or expected.shape != rows.shape:
                message = f"{compiled.folder}: output {compiled.outputs[index]} has another shape than the reference's"
                raise StageError(message)
            tallies[index].add(rows, expected)
            done[index] += len(rows)
    if done != [rows.shape[0] for rows in stored]:
        message = f"{compiled.folder}: the model's outputs have fewer rows than the reference's"
        raise StageError(message)
    return tallies


@dataclass(frozen=True)
class _Text:
    """A text in pieces, and what a figure on it must be told with."""

    pieces: list[NDArray[np.int64]]
    pad: int
    protocol: Mapping[str, object]


def _text(compiled: Compiled, dataset: Dataset, params: Mapping[str, object]) -> _Text | None:
    """The dataset's text in pieces that don't overlap; None for arrays."""
    if "arrays" in kinds(dataset):
        return None
    check_takes_text(compiled.inputs, dataset.name)
    tokenizer = Tokenizer(compiled.folder)
    length, _ = context(tokenizer, {"context_length": params.get("context_length")})
    rows = read_text(dataset)
    pieces = text_pieces(compiled.inputs, tokenizer, rows, length, dataset.name)
    protocol = {
        "context_length": length,
        "tokens": sum(len(ids) for ids in pieces),
        "pieces": len(pieces),
        "text_sha256": text_sha256(rows),
        "tokenizer_sha256": tokenizer.sha256,
    }
    return _Text(pieces, tokenizer.pad, protocol)


def _outputs(
    compiled: Compiled, dataset: Dataset, text: _Text | None, progress: Progress, *, apart: bool = False
) -> Iterator[list[NDArray[np.float32]]]:
    """The outputs as rows [n, size] of float32."""
    found = (
        piece_outputs(compiled, text.pieces, text.pad, progress, FEW_TOKENS if apart else None)
        if text
        else item_outputs(compiled, read_arrays(dataset), dataset.name, progress, apart=apart)
    )
    for outputs in found:
        yield [output.reshape(len(output) if output.ndim else 1, -1).astype(np.float32) for output in outputs]


def _append(file: RowFile, rows: NDArray[np.float32], what: str) -> None:
    try:
        file.append(rows)
    except ValueError as error:
        message = f"{what} can't be held against another: {error}"
        raise SourceError(message) from error


def _file(folder: Path, index: int) -> Path:
    return folder / f"output_{index}.npy"
