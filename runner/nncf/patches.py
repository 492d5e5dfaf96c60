"""All that is changed in NNCF, or read of its private parts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.base.patches import Patch, code_of
from runner.base.progress import Progress
from runner.nncf.search_patches import REPORT, RUNTIME, SEARCH, WEIGHTS

_TRIED = ("3.4", "3.5")
_MODELS = "nncf.openvino.optimized_functions.models"
_AWQ = "nncf.quantization.algorithms.weight_compression.awq"
_NOTHING_FOUND = "No matching patterns were found for applying AWQ"

WITHOUT_FRAMEWORKS = Patch(
    "NNCF without torch and ONNX",
    "nncf",
    _TRIED,
    "performance",
    "NNCF is imported as if torch and ONNX were not installed: seconds and 180 MB.",
    "Left out with other versions.",
)
BARS = Patch(
    "NNCF's progress bars",
    "nncf",
    _TRIED,
    "performance",
    "NNCF's progress bars are shown as the stage's own progress.",
    "Left out with other versions: the stage then shows no progress.",
)

if TYPE_CHECKING:
    import openvino as ov
COMPILED = Patch(
    "NNCF's compiled helper models",
    "nncf",
    _TRIED,
    "performance",
    "A helper model is compiled once for all layers of a shape, with a request of its own for each inference.",
    "Left out with other versions; every helper model has to be inferred by the patched function, and each "
    "inference to have made its own request where it is expected, or the stage fails.",
)
OUTPUTS = Patch(
    "Statistics without outputs",
    "nncf",
    _TRIED,
    "performance",
    "NNCF does not compute the model's own outputs where it collects statistics, which look at none of them.",
    "Left out with other versions.",
)
AWQ = Patch(
    "AWQ that finds nothing",
    "nncf",
    _TRIED,
    "results",
    "A sentence in NNCF's log, its only word for it, says that AWQ found nothing to scale; the stage then fails.",
    "NNCF's code has to hold the sentence, and its log to let it through, or the stage fails.",
)
PATCHES = (WITHOUT_FRAMEWORKS, BARS, COMPILED, OUTPUTS, RUNTIME, REPORT, WEIGHTS, SEARCH, AWQ)


def hide_frameworks() -> None:
    """Let torch and ONNX look as if they were not installed."""
    if WITHOUT_FRAMEWORKS.fits:
        for name in ("torch", "onnx"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def report_bars(progress: Progress) -> None:
    """Have NNCF's progress bars reported through `progress`."""
    if not BARS.fits:
        return
    track_progress = BARS.part("nncf.common.logging", "track_progress")
    for name in ("Progress", "WeightedProgress"):
        setattr(track_progress, name, _reporting(getattr(track_progress, name), progress))


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
            task = next((task for task in self.tasks if task.id == task_id), None)
            if task is not None and task.total:
                progress(int(task.completed), int(task.total))

    return Reporting


def keep_compiled_models() -> None:
    """Let NNCF compile one helper model for all layers of a shape, which halves the cost of compressing weights.

    NNCF compresses a layer's weights by inference of a small OpenVINO model. Where the result goes into the user's
    model it compiles that model for every layer anew, because the results of one compiled model share the memory of its
    request. Here each inference gets a request of its own, so that a compiled model can stay; the bytes of the
    result are the same.

    Raises:
        StageError: NNCF has no such parts or uses others; results could share memory.
    """
    if not COMPILED.fits:
        return
    infer, cache = COMPILED.part(_MODELS, "_infer_ov_model"), COMPILED.part(_MODELS, "OV_MODEL_CACHE")
    module = sys.modules[_MODELS]
    own = [one for one in vars(module).values() if getattr(one, "__module__", None) == _MODELS]
    kept = [one.__wrapped__ for one in own if hasattr(one, "__wrapped__")]
    if not kept or not all("_infer_ov_model" in one.__code__.co_names for one in kept):
        why = "it doesn't infer its helper models by `_infer_ov_model`"
        raise COMPILED.broken(why)

    def infer_by_itself(settings: object, compiled: ov.CompiledModel, inputs: Any) -> Any:
        compiled._infer_request = None
        outputs = infer(settings, compiled, inputs)
        if compiled._infer_request is None:
            why = "an inference doesn't keep its request in `_infer_request`"
            raise COMPILED.broken(why)
        return outputs

    module._infer_ov_model = infer_by_itself  # type: ignore[attr-defined]
    cache.disable = lambda: None


@contextmanager
def without_outputs(model: ov.Model) -> Iterator[None]:
    """Keep NNCF from computing the model's own outputs, which it does not look at.

    The last layer of a language model, as wide as its vocabulary, can be a third of the work. NNCF adds outputs to a
    copy of the model and has no parameter to leave out the others, hence its class.
    """
    if not OUTPUTS.fits:
        yield
        return
    engine = OUTPUTS.part("nncf.openvino.engine", "OVNativeEngine")
    own = {result.get_friendly_name() for result in model.get_results()}
    original = engine.__init__

    def of_statistics(self: Any, instrumented: Any, *arguments: Any, **options: Any) -> None:
        for result in instrumented.get_results():
            if result.get_friendly_name() in own:
                instrumented.remove_result(result)
        original(self, instrumented, *arguments, **options)

    engine.__init__ = of_statistics
    try:
        yield
    finally:
        engine.__init__ = original


@contextmanager
def awq_found_nothing() -> Iterator[list[str]]:
    """A list that holds what NNCF says when it finds nothing that AWQ could scale: it says so in its log alone.

    Raises:
        StageError: NNCF has no such sentence, or its log keeps it back.
    """
    algorithm, log = AWQ.part(_AWQ, "AWQ"), AWQ.part(_AWQ, "nncf_logger")
    constants = (one for code in code_of(algorithm) for one in code.co_consts)
    if not any(isinstance(one, str) and one.startswith(_NOTHING_FOUND) for one in constants):
        why = f'it doesn\'t say "{_NOTHING_FOUND}", so that AWQ might do nothing unnoticed'
        raise AWQ.broken(why)
    if not log.isEnabledFor(logging.INFO):
        why = "its log keeps back what it says of AWQ"
        raise AWQ.broken(why)
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith(_NOTHING_FOUND):
                heard.append(record.getMessage())

    listener = Listener(logging.INFO)
    log.addHandler(listener)
    try:
        yield heard
    finally:
        log.removeHandler(listener)
