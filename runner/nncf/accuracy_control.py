"""Accuracy control: NNCF's search for the layers that have to stay floats, by a metric of ours and measured again."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.base.figures import megabytes
from runner.base.words import plural
from runner.errors import AccuracyError, Problem, RecipeError, SourceError
from runner.export.user_function import UserFunction
from runner.metrics.items import Items, items
from runner.metrics.own import Scoring
from runner.metrics.predicting import Asked
from runner.metrics.row_items import RowItems, row_items
from runner.model.parts import Model
from runner.model.runtime import Compiled, compile_folder, refuse_other_cpu
from runner.nncf import search_patches
from runner.nncf.control import Control
from runner.recipe.types import AccuracyControl, Dataset
from runner.registry.gates import Better
from runner.registry.metrics import METRICS
from runner.registry.metrics import settings as stated
from runner.registry.own import family_of, metric_of

if TYPE_CHECKING:
    import openvino as ov

_SHOWN = 8
_WORST = -1e30
_RESTORER = ("max_num_iterations", "ranking_subset_size")


class Best(NamedTuple):
    """The best model that was measured on all items.

    Attributes:
        value: of the metric, as NNCF compares.
        reverted: operations that are floats in it.
    """

    value: float
    model: ov.Model
    reverted: tuple[str, ...]


@dataclass
class Search:
    """One search: what the unquantized model reaches, and which layers NNCF took back to floats.

    Attributes:
        control: what is asked for.
        source: folder of the unquantized model.
        out: the stage's folder, where the quantized one is written.
        value: the metric of the unquantized model.
        reports: NNCF's own of its search; none where the first quantized model was good enough.
        compiled: the model that NNCF compiled last.
        seen: what was taken back in models that were measured on all items.
        start: of the monotonic clock.
    """

    control: Control
    source: Path
    out: Path
    items: Items | RowItems
    value: float
    reports: list[Any] = field(default_factory=list)
    compiled: list[ov.Model] = field(default_factory=list)
    best: Best | None = None
    seen: set[tuple[str, ...]] = field(default_factory=set)
    evaluations: int = 0
    start: float = field(default_factory=time.monotonic)

    @property
    def settings(self) -> AccuracyControl:
        """The recipe's."""
        return self.control.settings

    @property
    def sign(self) -> int:
        """NNCF takes more for better."""
        return 1 if metric_of(self.settings).better == Better.HIGHER else -1

    def validate(self, model: ov.CompiledModel, chosen: Iterable[int]) -> tuple[float, list[float]]:
        """What NNCF asks: the metric of a compiled model over some items, and that of each of them.

        Raises:
            TimeIsUpError: the first quantized model was measured, and there is no time to look for a better one.
        """
        from runner.model.feed import ports

        if self.reports and self.is_over:
            raise search_patches.TimeIsUpError
        numbers = list(chosen)
        self.evaluations += len(numbers)
        found, each = self.items.measure(Compiled(self.source, model, ports(model), {}), numbers)
        if len(numbers) == self.items.count:
            self._note(self._more_is_better(found))
        return self._more_is_better(found), [self._more_is_better(one) for one in each]

    def _note(self, value: float) -> None:
        """Keep what was measured if it is the best; what is measured to rank layers has one more taken back."""
        nodes = self.reports[-1].reverted_operations if self.reports else ()
        reverted = tuple(sorted({node.node_name for node in nodes}))
        is_new = reverted not in self.seen or not self.reports
        self.seen.add(reverted)
        if is_new and (not self.reports or self.best is None or value > self.best.value):
            self.best = Best(value, self.compiled[0], reverted)

    def best_model(self) -> ov.Model:
        """The best of all."""
        assert self.best
        return self.best.model

    @property
    def is_over(self) -> bool:
        """Whether the time is up that the recipe gives."""
        minutes = self.settings.minutes
        return minutes is not None and time.monotonic() - self.start > 60 * minutes

    @property
    def stopped(self) -> str | None:
        """The setting that ended the search; None where it ended by itself."""
        report = self.reports[-1] if self.reports else None
        if report is None or report.reached_required_drop or report.removed_all:
            return None
        return "minutes" if self.is_over else "max_num_iterations"

    def _more_is_better(self, value: float) -> float:
        """As NNCF compares; what is no number is worse than any."""
        return self.sign * value if math.isfinite(value) else _WORST

    def finish(self) -> tuple[dict[str, Any], str]:
        """Measure the model as it was written, and tell what became of the search, as data and in a sentence.

        Raises:
            AccuracyError: the drop is larger than the recipe allows, and the search had all the time it wanted.
        """
        stopped, compiled = self.stopped, compile_folder(self.out, self.control.runtime)
        value, _ = self.items.measure(compiled, range(self.items.count))
        self.items.close()
        shutil.rmtree(_kept(self.out))
        drop = self.sign * (self.value - value)
        if self.settings.drop_type == "relative":
            drop /= abs(self.value)
        reverted = list(self.best.reverted) if self.best else []
        held = drop <= self.settings.max_drop or math.isclose(drop, self.settings.max_drop, abs_tol=1e-12)
        if not held and (stopped is None or not math.isfinite(value)):
            raise self.missed(value, drop, len(reverted))
        told = {
            **{name: getattr(self.settings, name) for name in ("metric", "max_drop", "drop_type")},
            **{"reference_value": self.value, "value": value, "drop": drop, "items": self.items.count},
            **{"evaluated_items": self.evaluations, "reverted": reverted},
            **{"bytes": _costs(self.source, reverted), "stopped": stopped, "held": held},
        }
        return told, _sentence(told)

    def missed(self, value: float, drop: float, reverted: int) -> AccuracyError:
        """The limit was not kept."""
        metric, kind = self.settings.metric, self.settings.drop_type
        message = (
            f"accuracy control could not keep {metric} within max_drop {self.settings.max_drop:g} ({kind}): "
            f"it went from {self.value:.6g} to {value:.6g}, a drop of {drop:.4g}, "
            f"with {reverted} operations back in floats"
        )
        return AccuracyError(message, hint="Raise max_drop, or leave the worst layers out with `ignored_scope`.")


def _sentence(found: Mapping[str, Any]) -> str:
    """The outcome in words."""
    reverted, added = found["reverted"], found["bytes"]
    costs = [f"{name} +{megabytes(added.get(name, 0))}" for name in reverted[:_SHOWN]]
    more = ", …" if len(reverted) > _SHOWN else ""
    names = f", {megabytes(sum(added.values()))} more ({', '.join(costs)}{more})" if reverted else ""
    end = f"; {found['stopped']} ended the search" if found["stopped"] else ""
    if not found["held"]:
        end += f" before max_drop {found['max_drop']:g} ({found['drop_type']}) was kept: this is the best model so far"
    return (
        f"accuracy control: {found['metric']} {found['reference_value']:.6g} → {found['value']:.6g}, "
        f"{plural(len(reverted), 'operation')} taken back to floats{names}{end}"
    )


def _costs(source: Path, names: Collection[str]) -> dict[str, int]:
    """Operation -> how many bytes more its weights take than in 8 bits."""
    found = {}
    for node in Model.of(source).read().get_ops() if names else ():
        if node.get_friendly_name() in names:
            constants = [one for one in map(_constant, node.inputs()) if one is not None]
            found[str(node.get_friendly_name())] = sum(one.get_byte_size() - one.get_size() for one in constants)
    return found


def _constant(port: ov.Input) -> ov.Tensor | None:
    """The tensor that an input gets, if it is one of several floats, also where these are stored in half."""
    node = port.get_source_output().get_node()
    while node.get_type_name() in ("Convert", "Reshape", "Transpose"):
        node = node.input(0).get_source_output().get_node()
    if node.get_type_name() != "Constant" or not node.get_element_type().is_real():
        return None
    tensor = node.get_tensor_view()
    return tensor if tensor.get_size() > 1 else None


def quantize(
    nncf: ModuleType, model: ov.Model, calibration: Any, arguments: Mapping[str, object], search: Search
) -> Any:
    """Run `nncf.quantize_with_accuracy_control`.

    Returns:
        the model; once it is written, `search.finish` has to be called.

    Raises:
        AccuracyError: the limit can only be kept with nothing quantized.
        StageError: NNCF's search does not take what `patches` gives it.
    """
    search.reports = search_patches.keep_reports()
    given = dict(arguments)
    advanced = given.pop("advanced_parameters")
    with search_patches.using_runtime(search.control.runtime) as search.compiled:
        with search_patches.keeping_weights(), search_patches.ending_with(search.best_model):
            model = nncf.quantize_with_accuracy_control(
                model,
                calibration,
                nncf.Dataset(range(search.items.count)),
                search.validate,
                max_drop=search.settings.max_drop,
                drop_type=nncf.DropType(search.settings.drop_type),
                advanced_quantization_parameters=advanced,
                advanced_accuracy_restorer_parameters=_restorer(search.settings),
                **given,
            )
    if not any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
        message = (
            f"accuracy control keeps {search.settings.metric} within max_drop {search.settings.max_drop:g} "
            "only with no layer quantized"
        )
        raise AccuracyError(message, hint="Raise max_drop.")
    return model


def begin(control: Control, source: Path, validation: Dataset, out: Path, code: Path | None = None) -> Search:
    """Measure the model that is to be quantized.

    Args:
        code: the file of a metric of the recipe's own.

    Raises:
        SourceError: the validation dataset doesn't fit the model.
        RecipeError: a property of `accuracy.runtime` that OpenVINO refuses, or a drop relative to 0.
    """
    settings = control.settings
    refuse_other_cpu(control.cpu)
    compiled = compile_folder(source, control.runtime)
    folder = _kept(out)
    folder.mkdir()
    family = family_of(settings)
    found: Items | RowItems
    if control.rows:
        asked = Asked(control.rows.gives, source, validation, control.rows.settings, control.runtime)
        own: dict[str, object] = {}
        if settings.own and code:
            function = UserFunction(code, settings.own, out)
            family = replace(family, function=Scoring(function, function.name).statistics)
        else:
            given = stated(METRICS[settings.metric], settings.params)
            own = {name: value for name, value in given.items() if name in family.function_settings}
        found = row_items(family, control.rows.way, compiled, asked, own, folder)
    else:
        found = items(settings.metric, compiled, validation, settings.params, folder)
    value, _ = found.measure(compiled, range(found.count))
    if not math.isfinite(value):
        message = f"{source}: the unquantized model's {settings.metric} is no number; nothing can be told against it"
        raise SourceError(message)
    if value == 0 and settings.drop_type == "relative":
        what = f"the unquantized model's {settings.metric} is 0, nothing can be told relative to it"
        raise RecipeError([Problem("", "accuracy_control.drop_type", what, "choose absolute")])
    return Search(control, source, out, found, value)


def _kept(out: Path) -> Path:
    """Where the unquantized model's outputs lie while the stage runs."""
    return out / ".reference"


def _restorer(settings: AccuracyControl) -> Any:
    from nncf.quantization.advanced_parameters import AdvancedAccuracyRestorerParameters, RestoreMode

    fields = {name: getattr(settings, name) for name in _RESTORER if getattr(settings, name) is not None}
    if settings.restore_mode is not None:
        fields["restore_mode"] = RestoreMode(settings.restore_mode)
    return AdvancedAccuracyRestorerParameters(num_ranking_workers=1, **fields)
