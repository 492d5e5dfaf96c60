"""NNCF in a stage's process: imported without torch, its bars turned into our progress, its log in the run's log."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from runner.base.progress import Progress
from runner.base.words import MOST_NAMES, near
from runner.errors import Problem, RecipeError
from runner.recipe.types import IgnoredScope


def import_nncf() -> Any:
    """Import NNCF for OpenVINO models only.

    NNCF imports torch and onnx where it finds them: seconds and 180 MB that an OpenVINO model has no use for. What an
    import makes is no garbage: collecting meanwhile finds none, and takes a tenth of the time.
    """
    for name in ("torch", "onnx"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    gc.disable()
    import nncf

    gc.freeze()
    gc.enable()
    return nncf


def load(progress: Progress) -> Any:
    """NNCF, with its progress bars reported through `progress`."""
    nncf = import_nncf()
    from nncf.common.logging import track_progress

    track_progress.Progress = _reporting(track_progress.Progress, progress)
    track_progress.WeightedProgress = _reporting(track_progress.WeightedProgress, progress)
    keep_compiled_models()
    return nncf


def keep_compiled_models() -> None:
    """Let NNCF compile one helper model for all layers of a shape, which halves the cost of compressing weights.

    NNCF compresses a layer's weights by inference of a small OpenVINO model. Where the result goes into the user's
    model it compiles that model for every layer anew, because the results of one compiled model share the memory of its
    request. Here each inference gets a request of its own, so that a compiled model can stay; the bytes of the
    result are the same.
    """
    from nncf.openvino.optimized_functions import models

    infer = models._infer_ov_model

    def infer_by_itself(settings: Any, compiled: Any, inputs: Any) -> Any:
        compiled._infer_request = None
        return infer(settings, compiled, inputs)

    models._infer_ov_model = infer_by_itself
    models.OV_MODEL_CACHE.disable = lambda: None


def _reporting(bar: type[Any], progress: Progress) -> type[Any]:
    """A subclass of a rich progress bar that tells `progress` how far its newest task is."""

    class Reporting(bar):  # type: ignore[misc]
        def update(self, task_id: Any, **changes: Any) -> None:
            super().update(task_id, **changes)
            self._tell(task_id)

        def advance(self, task_id: Any, advance: float = 1) -> None:
            super().advance(task_id, advance)
            self._tell(task_id)

        def _tell(self, task_id: Any) -> None:
            task = self._tasks.get(task_id)
            if task is not None and task.total:
                progress(int(task.completed), int(task.total))

    return Reporting


def ignored_scope(nncf: Any, scope: IgnoredScope) -> Any:
    """The `nncf.IgnoredScope` of a recipe's."""
    return nncf.IgnoredScope(
        names=list(scope.names),
        patterns=list(scope.patterns),
        types=list(scope.types),
        validate=scope.validate,
    )


def refuse_unmatched(scope: IgnoredScope | None, model: Any) -> None:
    """Refuse what an ignored scope names and the model does not have, before any work.

    Raises:
        RecipeError: for each name and pattern that matches no operation, unless the scope has `validate: false`.
    """
    if scope is None or not scope.validate:
        return
    there = [node.get_friendly_name() for node in model.get_ops()]
    known = set(there)
    problems: list[Problem] = []
    for name in scope.names:
        if name not in known:
            suggestion = near(name, there) if len(problems) < MOST_NAMES else None
            what = f'the model has no operation called "{name}"'
            problems.append(Problem("", "ignored_scope.names", what, suggestion=suggestion))
    for pattern in scope.patterns:
        if not any(re.match(pattern, name) for name in there):
            what = f'no operation of the model matches "{pattern}"'
            allowed = f"a pattern matches from the start of a name, such as {there[len(there) // 2]}"
            problems.append(Problem("", "ignored_scope.patterns", what, allowed))
    if problems:
        raise RecipeError(problems)


@contextmanager
def refusals_worded(nncf: Any) -> Iterator[None]:
    """What NNCF itself refuses because of the model or the data, as a mistake in the recipe."""
    try:
        yield
    except (
        nncf.ValidationError,
        nncf.ParameterNotSupportedError,
        nncf.UnsupportedModelError,
        nncf.InternalError,
    ) as error:
        text = str(error).strip()
        key = "ignored_scope" if text.startswith("Ignored nodes") else ""
        raise RecipeError([Problem("", key, f"NNCF refuses this: {text}")]) from error
