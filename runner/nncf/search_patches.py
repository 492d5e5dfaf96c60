"""All that is changed in NNCF's accuracy control, or read of its private parts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.base.patches import Patch, code_of

if TYPE_CHECKING:
    import openvino as ov

_TRIED = ("3.4", "3.5")
_ACCURACY = "nncf.quantization.algorithms.accuracy_control"
_REPORT = "QuantizationAccuracyRestorerReport"
_RESTORER = "QuantizationAccuracyRestorer"
_COLLECT = "_collect_original_biases_and_weights"
_BEFORE = "original_weight."

RUNTIME = Patch(
    "The runtime of accuracy control",
    "nncf",
    _TRIED,
    "results",
    "The search compiles the models that it measures with the properties of `accuracy.runtime`.",
    "The search has to have compiled a model this way, or the stage fails.",
)
REPORT = Patch(
    "The report of accuracy control",
    "nncf",
    _TRIED,
    "results",
    "NNCF's report of the operations that went back to floats is kept; NNCF itself only logs it.",
    "The search's code has to name the report's class, or the stage fails.",
)
WEIGHTS = Patch(
    "Weights of layers that go back to floats",
    "nncf",
    _TRIED,
    "results",
    "Such a layer keeps the weights that SmoothQuant scaled along with its input; NNCF gives it those of before, which "
    "don't fit that input.",
    "The search's code has to remember weights by the name that is looked for, or the stage fails.",
)
SEARCH = Patch(
    "The end of accuracy control",
    "nncf",
    _TRIED,
    "results",
    "The search ends with the best model that it measured, and when the time of the recipe is up; NNCF knows no time, "
    "and ends with the model that it measured last.",
    "NNCF's quantization has to call the search by its class, or the stage fails.",
)


@contextmanager
def using_runtime(runtime: Mapping[str, object]) -> Iterator[list[ov.Model]]:
    """Have NNCF compile the models that it measures with the properties of the recipe's checks.

    Yields:
        the model that was compiled last, in a list that is empty before; NNCF then measures it.

    Raises:
        StageError: the search ended, and compiled no model this way.
    """
    import openvino as ov

    original = RUNTIME.part(f"{_ACCURACY}.openvino_backend", "OVPreparedModel")
    has_state = RUNTIME.part(f"{_ACCURACY}.openvino_backend", "model_has_state")
    backend = sys.modules[f"{_ACCURACY}.openvino_backend"]
    made: list[ov.Model] = []

    class Prepared(original):  # type: ignore[misc, valid-type]
        def __init__(self, model: ov.Model, use_fp32_precision: bool = True) -> None:
            self._stateful = has_state(model)
            self._compiled_model = ov.Core().compile_model(model, "CPU", dict(runtime))
            self._engine = None
            if self.model_for_inference is not self._compiled_model:
                why = "it measures another model than `_compiled_model`"
                raise RUNTIME.broken(why)
            made[:] = [model]

    backend.OVPreparedModel = Prepared  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        backend.OVPreparedModel = original  # type: ignore[attr-defined]
    if not made:
        why = "its search doesn't compile models by `OVPreparedModel`"
        raise RUNTIME.broken(why)


def keep_reports() -> list[Any]:
    """Have NNCF's report of its search, which it only writes to its log, put into the list that this returns.

    Raises:
        StageError: NNCF's search makes no such report.
    """
    original = REPORT.part(f"{_ACCURACY}.algorithm", _REPORT)
    search = REPORT.part(f"{_ACCURACY}.algorithm", "QuantizationAccuracyRestorer")
    if not any(_REPORT in code.co_names for code in code_of(search)):
        why = f"its search makes no `{_REPORT}`"
        raise REPORT.broken(why)
    reports: list[Any] = []

    class Kept(original):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            super().__init__()
            reports.append(self)

    sys.modules[f"{_ACCURACY}.algorithm"].QuantizationAccuracyRestorerReport = Kept  # type: ignore[attr-defined]
    return reports


@contextmanager
def keeping_weights() -> Iterator[None]:
    """Have layers that go back to floats keep the weights of the quantized model, which are floats in it too.

    NNCF gives such a layer its weights of before. SmoothQuant has scaled them, and what goes into the layer inversely:
    that stays, and so the layer would multiply what no longer fits together.

    Raises:
        StageError: NNCF remembers weights in some other way.
    """
    search = WEIGHTS.part(f"{_ACCURACY}.algorithm", _RESTORER)
    collect = WEIGHTS.part(f"{_ACCURACY}.algorithm", f"{_RESTORER}.{_COLLECT}")
    constants = (one for code in code_of(search) for one in code.co_consts)
    if not any(isinstance(one, str) and one.startswith(_BEFORE) for one in constants):
        why = f"its search remembers no `{_BEFORE}`"
        raise WEIGHTS.broken(why)

    def without_weights(initial: Any, quantized: Any, *arguments: Any) -> None:
        collect(initial, quantized, *arguments)
        for node in quantized.get_all_nodes():
            for name in [name for name in node.attributes if name.startswith(_BEFORE)]:
                del node.attributes[name]

    setattr(search, _COLLECT, staticmethod(without_weights))
    try:
        yield
    finally:
        setattr(search, _COLLECT, staticmethod(collect))


class TimeIsUpError(Exception):
    """Ends a search from within."""


@contextmanager
def ending_with(best: Callable[[], ov.Model]) -> Iterator[None]:
    """Have NNCF's search end with a model of ours, whether it ended by itself or by `TimeIsUpError`.

    Args:
        best: gives the model, once the search has ended.

    Raises:
        StageError: NNCF's quantization makes no such search.
    """
    module = "nncf.openvino.quantization.quantize_model"
    original = SEARCH.part(module, _RESTORER)
    impl = SEARCH.part(module, "quantize_with_accuracy_control_impl")
    if not {_RESTORER, "apply"} <= set(impl.__code__.co_names):
        why = f"its quantization doesn't search by `{_RESTORER}.apply`"
        raise SEARCH.broken(why)

    class Ending(original):  # type: ignore[misc, valid-type]
        def apply(self, *arguments: Any, **options: Any) -> ov.Model:
            with contextlib.suppress(TimeIsUpError):
                super().apply(*arguments, **options)
            return best()

    setattr(sys.modules[module], _RESTORER, Ending)
    try:
        yield
    finally:
        setattr(sys.modules[module], _RESTORER, original)
