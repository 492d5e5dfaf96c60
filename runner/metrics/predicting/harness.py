"""Tasks of lm-evaluation-harness: a model's score for each row of a task, as the library itself scores it.

The library says what the model is asked, row by row, and what its answers are worth; it never reads the task's file,
takes templates by a sandbox, and fetches nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from runner.base.values import section
from runner.data import task_file
from runner.data.tokens import Tokenizer
from runner.errors import OvrunError, SourceError
from runner.metrics.patches import sandboxed_templates
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import compile_folder
from runner.recipe.types import Dataset

if TYPE_CHECKING:
    from lm_eval.api.filter import FilterEnsemble
    from lm_eval.api.instance import Instance
    from lm_eval.config.task import TaskConfig

    from runner.metrics.predicting.harness_model import Model

_SEED = 1234
"""Draws the examples before a question; that of the library's own command."""


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says; a value maps each filter to its metrics' numbers for the row."""
    dataset = asked.dataset
    with _told(dataset):
        task = _task(dataset, task_file.read(dataset))
    from runner.metrics.predicting.harness_model import Model

    tokenizer = Tokenizer(asked.folder)
    model = Model(compile_folder(asked.folder, asked.runtime), tokenizer)
    rows = min(len(task.eval_docs), dataset.limit or len(task.eval_docs))
    protocol: dict[str, object] = {
        "task": task.config.task,
        "output_type": task.OUTPUT_TYPE,
        "num_fewshot": task.config.num_fewshot or 0,
        "fewshot_seed": _SEED,
        "longest": model.longest,
        "start_token": model.prefix_token_id,
        "tokenizer_sha256": tokenizer.sha256,
        "runtime": {**model.compiled.runtime, **{name: version(name) for name in ("lm_eval", "datasets")}},
    }
    return Given(rows, _batches(dataset, task, model, rows, protocol), protocol)


class Harness(Protocol):
    """What is used of a task of the library."""

    OUTPUT_TYPE: str
    config: TaskConfig
    instances: Sequence[Instance]
    eval_docs: Sequence[Mapping[str, object]]
    _filters: Sequence[FilterEnsemble]

    def build_all_requests(self, *, limit: int) -> None: ...

    def process_results(self, doc: object, results: list[object]) -> Mapping[str, object]: ...


def _task(dataset: Dataset, found: task_file.TaskFile) -> Harness:
    """The library's task; its data are read into memory, of copies with plain names."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    with tempfile.TemporaryDirectory(prefix="ovrun-task-") as folder:
        os.environ["HF_HOME"] = folder
        from lm_eval.tasks import TaskManager

        sandboxed_templates()
        config = {key: value for key, value in found.config.items() if key != "tag" and value is not None}
        files = {
            split: list(_copied(Path(folder, str(at)), data)) for at, (split, data) in enumerate(found.data.items())
        }
        own = {"data_files": files, "cache_dir": folder, "keep_in_memory": True}
        config["dataset_kwargs"] = {**section(config, "dataset_kwargs"), **own}
        (task,) = TaskManager(include_defaults=False).load(config)["tasks"].values()
        task.set_fewshot_seed(_SEED)
        return cast(Harness, task)


def _copied(folder: Path, paths: tuple[Path, ...]) -> Iterator[str]:
    folder.mkdir()
    for number, path in enumerate(paths):
        copy = folder / f"{number}{path.suffix}"
        shutil.copyfile(path, copy)
        yield str(copy)


def _batches(dataset: Dataset, task: Harness, model: Model, rows: int, protocol: dict[str, object]) -> Iterator[Batch]:
    with _told(dataset):
        task.build_all_requests(limit=rows)
    for number, found in groupby(task.instances, key=lambda one: one.doc_id):
        with _told(dataset, f", row {number + 1}"):
            yield [_scored(task, model, list(found))], {}
    protocol["cut"] = model.cut


def _scored(task: Harness, model: Model, asked: list[Instance]) -> dict[str, dict[str, object]]:
    """Filter -> the metrics of one row."""
    answers = getattr(model, asked[0].request_type)(asked, disable_tqdm=True)
    for one, answer in zip(asked, answers, strict=True):
        one.resps = [answer]
    for ensemble in task._filters:
        ensemble.apply(asked)
    doc, filters = asked[0].doc, list(asked[0].filtered_resps)
    return {
        name: {
            metric: value
            for metric, found in task.process_results(doc, [one.filtered_resps[name] for one in asked]).items()
            if (value := _plain(found)) is not None
        }
        for name in filters
    }


def _plain(value: object) -> float | list[float] | None:
    """A number, or several; what a metric keeps for later in another form is none of ours."""
    if isinstance(value, int | float | np.number | np.bool_):
        return float(value)
    if isinstance(value, tuple) and all(isinstance(one, int | float | np.number) for one in value):
        return [float(one) for one in value]
    return None


@contextmanager
def _told(dataset: Dataset, where: str = "") -> Iterator[None]:
    """Whatever the library meets is told of the task's file."""
    try:
        yield
    except OvrunError:
        raise
    except Exception as error:  # whatever the library raises over a task
        message = f"{dataset.path}{where}: lm-evaluation-harness can't use it: {type(error).__name__}: {error}"
        hint = "Has each row what the templates of the task ask for?"
        raise SourceError(message, hint=hint) from error
