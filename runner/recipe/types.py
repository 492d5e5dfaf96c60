"""A validated recipe as frozen dataclasses: what the rest of the runner works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runner.recipe.accuracy import Accuracy
from runner.recipe.conversion import Conversion
from runner.recipe.dataset import Dataset as Dataset
from runner.recipe.dataset import Preprocess as Preprocess
from runner.recipe.origins import show_path
from runner.registry.exporters import Code
from runner.registry.own import Own


@dataclass(frozen=True)
class Companion:
    """Where something comes from that goes with a model: a folder, or a hub by `id` and `revision`."""

    path: Path | None = None
    id: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class AdapterSource(Companion):
    """An adapter.

    `merge` says whether it becomes part of the model's weights, or lies beside the model as it is.
    """

    merge: bool = True


@dataclass(frozen=True)
class ModelSource:
    """Where the model comes from. Paths are absolute; `task` is an Optimum task name.

    `adapter` is what PEFT trained for it, and `vocoder` makes sound of what it gives; `code` says what of a Python file
    makes it, and `weights` is the file of the weights that it gets.
    """

    source: str
    id: str | None = None
    revision: str | None = None
    path: Path | None = None
    task: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    adapter: AdapterSource | None = None
    vocoder: Companion | None = None
    weights: Path | None = None
    code: Code | None = None


@dataclass(frozen=True)
class InputInfo:
    """One input of NNCF's `input_info`: shape, element type and name."""

    sample_size: tuple[int, ...]
    type: str = "float"
    keyword: str | None = None


@dataclass(frozen=True)
class IgnoredScope:
    """Operations left as they are, as `nncf.IgnoredScope` names them."""

    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    validate: bool = True


@dataclass(frozen=True)
class WeightCompression:
    """Parameters of `nncf.compress_weights`; None leaves NNCF's own default.

    `advanced` holds fields of `nncf.AdvancedCompressionParameters` by their names, nested ones as mappings.
    """

    mode: str
    ratio: float | None = None
    group_size: int | None = None
    group_size_fallback_mode: str | None = None
    all_layers: bool | None = None
    ignored_scope: IgnoredScope | None = None
    backup_mode: str | None = None
    sensitivity_metric: str | None = None
    dataset: str | None = None
    subset_size: int = 128
    awq: bool | None = None
    scale_estimation: bool | None = None
    gptq: bool | None = None
    lora_correction: bool | None = None
    advanced: Mapping[str, object] | None = None
    algorithm: Literal["weight_compression"] = "weight_compression"


@dataclass(frozen=True)
class AccuracyControl:
    """Parameters of `nncf.quantize_with_accuracy_control`: how much worse a metric may be after quantization.

    `dataset` is what it is measured on; None leaves NNCF's own default. `params` are the metric's own settings, such as
    `context_length` or `k`. `own` is what the recipe says of a metric of its own, whose name `metric` is then.
    """

    metric: str
    dataset: str
    max_drop: float = 0.01
    drop_type: str = "absolute"
    max_num_iterations: int | None = None
    ranking_subset_size: int | None = None
    restore_mode: str | None = None
    minutes: float | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    own: Own | None = None


@dataclass(frozen=True)
class Quantization:
    """Parameters of `nncf.quantize`; None leaves NNCF's own default. `dataset` is the calibration data.

    `hybrid` is the mode in which weights of matrix multiplications and embeddings are compressed before; these layers
    are not quantized then.

    `advanced` holds fields of `nncf.AdvancedQuantizationParameters` by their names, nested ones as mappings.
    """

    dataset: str
    hybrid: str | None = None
    mode: str | None = None
    preset: str | None = None
    subset_size: int = 300
    fast_bias_correction: bool = True
    model_type: str | None = None
    ignored_scope: IgnoredScope | None = None
    overflow_fix: str | None = None
    quantize_outputs: bool = False
    advanced: Mapping[str, object] | None = None
    accuracy_control: AccuracyControl | None = None
    algorithm: Literal["quantization"] = "quantization"


@dataclass(frozen=True)
class Gate:
    """A gate of `select`, on a metric that the recipe checks; `dataset` is None where it is checked on one only."""

    metric: str
    dataset: str | None = None
    max: float | None = None
    min: float | None = None
    max_drop: float | None = None
    max_relative_increase: float | None = None


@dataclass(frozen=True)
class Select:
    """Which point of a sweep is published: the one with the least (or the most) of `by` that meets all gates.

    `by` is `size` (bytes of the optimized model), `seconds` (that its stages took) or the name of a metric.
    """

    goal: Literal["minimize", "maximize"]
    by: str
    subject_to: tuple[Gate, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A recipe, composed, resolved and valid.

    Attributes:
        resolved: the whole recipe as plain data, without `defaults`: what is left out is filled in, paths are absolute,
            the old NNCF grammar stays as written. Manifest and recipe.yaml hold it; loaded again it is the same recipe.
        origins: dotted key -> `file:line:col` or `command line: key=value`, for every value that was stated.
        parts: name of a model's part -> its own settings, None to leave it as it is; `compression` is for all others.
        notes: remarks for the person, such as an old key that today's NNCF has no need of.
    """

    name: str
    path: Path
    model: ModelSource
    description: str = ""
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    input_info: tuple[InputInfo, ...] = ()
    conversion: Conversion = field(default_factory=Conversion)
    compression: tuple[WeightCompression | Quantization, ...] = ()
    parts: Mapping[str, WeightCompression | Quantization | None] = field(default_factory=dict)
    accuracy: Accuracy = field(default_factory=Accuracy)
    target_device: str = "ANY"
    seed: int = 0
    publish: Literal["link", "copy"] = "link"
    resolved: Mapping[str, object] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def own_metrics(self) -> tuple[tuple[str, Own], ...]:
        """Dotted key -> what the recipe says there of a metric of its own."""
        several = isinstance(self.resolved.get("compression"), list)
        checks = [(f"accuracy.checks.{index}", check.own) for index, check in enumerate(self.accuracy.checks)]
        controls = [
            (f"compression{f'.{index}' if several else ''}.accuracy_control", step.accuracy_control.own)
            for index, step in enumerate(self.compression)
            if isinstance(step, Quantization) and step.accuracy_control
        ]
        return tuple((f"{key}.metric", own) for key, own in [*checks, *controls] if own)

    @property
    def calibration_length(self) -> int | None:
        """The calibration length in tokens that NNCF's `input_info` asks for."""
        return self.input_info[0].sample_size[-1] if self.input_info else None

    def where(self, key: str) -> str:
        """The place of `key`, or of its nearest parent that has one: `file:line:col` or `command line: key=value`."""
        while key and key not in self.origins:
            key = key.rpartition(".")[0]
        return self.origins.get(key, f"{show_path(self.path)}:1:1")


@dataclass(frozen=True)
class Point:
    """One resolved combination.

    Attributes:
        name: the recipe's name and the settings; the name of the recipe too.
        settings: dotted key, or group of presets -> value, in the order of the sweep's keys.
    """

    name: str
    settings: Mapping[str, object]
    recipe: Recipe


@dataclass(frozen=True)
class Sweep:
    """A recipe's points, all of them valid. A recipe that sweeps nothing has one, with no settings."""

    name: str
    keys: tuple[str, ...]
    points: Sequence[Point]
    select: Select | None = None
