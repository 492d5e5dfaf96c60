"""Optimum Intel's settings for the compression of weights -> `weight_compression`, and what all its settings share.

The fields are those of OVWeightQuantizationConfig, OVQuantizationConfig and OVMixedQuantizationConfig; what they mean
for NNCF is read off their `to_nncf_dict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from runner.base.values import inside
from runner.base.words import near
from runner.importers.draft import PLACEHOLDER, Draft
from runner.importers.writer import flow
from runner.recipe.origins import KeyPath, Origin, found

WEIGHTS = (
    *(
        "bits",
        "sym",
        "group_size",
        "tokenizer",
        "dataset",
        "ratio",
        "all_layers",
        "sensitivity_metric",
        "ignored_scope",
    ),
    *("num_samples", "quant_method", "scale_estimation", "dtype", "gptq", "processor", "lora_correction"),
    *("backup_precision", "statistics_path", "group_size_fallback", "dq_group_size"),
)
"""Fields of OVWeightQuantizationConfig."""

FULL = (
    *("bits", "sym", "ignored_scope", "num_samples", "model_type", "fast_bias_correction", "overflow_fix", "dataset"),
    *("tokenizer", "processor", "smooth_quant_alpha", "dtype"),
)
"""Fields of OVQuantizationConfig."""

OLD = {"weight_format": "dtype", "activation_format": "dtype"}
"""Fields of earlier releases -> today's."""

COMMON = ("_dataset_kwargs", "weight_only", "trust_remote_code")
"""What either may hold besides."""

_WEIGHT_TYPES = ("int4", "int8", "mxfp4", "nf4", "cb4")
FLOATS = {"f8e4m3": "fp8_e4m3", "f8e5m2": "fp8_e5m2"}
"""Optimum Intel's 8-bit floats -> modes of `quantization`."""

SAMPLES = 128


@dataclass(frozen=True)
class Settings:
    """Settings by Optimum Intel's field names.

    Attributes:
        names: how a field is called where it was stated.
        origins: where that was.
        home: the place of the settings as a whole.
        said: how to speak of who stated them: `the command`, `the configuration`.
        texts: how a field and its value were stated, where they were stated as another field.
    """

    values: Mapping[str, object]
    names: Mapping[str, str]
    origins: Mapping[str, Origin]
    home: Origin
    said: str = "the configuration"
    texts: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> object:
        return self.values.get(name)

    def name(self, name: str) -> str:
        """How a field is called, with its value."""
        said = self.names.get(name, name)
        flag = said.startswith("--") and self[name] is True
        return self.texts.get(name) or (said if flag else f"{said} {flow(self[name])}")

    def was(self, name: str) -> str:
        """The remark for a value that stems from a field."""
        return f"was {self.name(name)}"

    def origin(self, name: str) -> Origin:
        """The place of a field."""
        return self.origins.get(name, self.home)


def inner(settings: Settings, name: str) -> Settings:
    """The settings inside a field."""
    given = settings[name]
    values = given if isinstance(given, dict) else {}
    names = {key: f"{settings.names.get(name, name)}.{key}" for key in values}
    origins = {key: settings.origins.get(f"{name}.{key}", settings.origin(name)) for key in values}
    deeper = {
        place.removeprefix(f"{name}."): origin
        for place, origin in settings.origins.items()
        if place.startswith(f"{name}.")
    }
    return replace(settings, values=values, names=names, origins={**deeper, **origins}, home=settings.origin(name))


def today(settings: Settings) -> Settings:
    """Earlier names of fields as today's."""
    for old, new in OLD.items():
        if old in settings.values:
            values = {**{key: value for key, value in settings.values.items() if key != old}, new: settings[old]}
            names = {**settings.names, new: settings.names.get(old, old)}
            return replace(
                settings, values=values, names=names, origins={**settings.origins, new: settings.origin(old)}
            )
    return settings


def are_known(draft: Draft, settings: Settings, known: tuple[str, ...]) -> bool:
    """Whether all fields are some of these; those that aren't become mistakes."""
    strange = [key for key in settings.values if key not in known]
    for key in strange:
        path, allowed = (settings.names.get(key, key),), f"allowed: {', '.join(known)}"
        draft.problems.append(found(path, settings.origin(key), "unknown key", allowed, near(key, known)))
    return not strange


def wrong(draft: Draft, settings: Settings, name: str, what: str, allowed: str | None = None) -> None:
    """Note a mistake in a field."""
    path: KeyPath = (settings.names.get(name, name),)
    draft.problems.append(found(path, settings.origin(name), what, allowed))


def weights(draft: Draft, path: KeyPath, settings: Settings) -> None:
    """OVWeightQuantizationConfig as `weight_compression`."""
    kind = _weight_type(draft, settings)
    if kind is None:
        return
    draft.put((*path, "algorithm"), "weight_compression", "", settings.home)
    _mode(draft, path, settings, kind)
    section = str(path[0])
    if kind == "int8":
        _no_data(draft, section, settings, "8-bit weights are made without data")
    else:
        _choice(draft, path, settings, kind)
        _data(draft, path, settings)
    for name, key in (("sensitivity_metric", "sensitivity_metric"), ("backup_precision", "backup_mode")):
        if settings[name] is not None and not _idle_metric(draft, section, settings, name, kind):
            draft.put((*path, key), settings[name], settings.was(name), settings.origin(name))
    for name in ("all_layers", "scale_estimation", "gptq", "lora_correction"):
        if settings[name]:
            draft.put((*path, name), settings[name], settings.was(name), settings.origin(name))
    if kind in ("int4", "nf4") and settings["backup_precision"] is None:
        draft.put((*path, "backup_mode"), "int8_asym", "Optimum Intel's default", settings.home)
    _method(draft, path, settings)
    scope(draft, path, settings)
    others(draft, section, settings)


def _weight_type(draft: Draft, settings: Settings) -> str | None:
    bits, kind = settings["bits"], settings["dtype"]
    if kind is None and bits not in (None, 4, 8):
        wrong(draft, settings, "bits", f"{flow(bits)} bits can't be had", "allowed: 4, 8")
        return None
    kind = kind or ("int4" if bits == 4 else "int8")
    if kind not in _WEIGHT_TYPES:
        wrong(draft, settings, "dtype", f"{flow(kind)} is not known", f"allowed: {', '.join(_WEIGHT_TYPES)}")
        return None
    return str(kind)


def _mode(draft: Draft, path: KeyPath, settings: Settings, kind: str) -> None:
    stated = "dtype" if settings["dtype"] is not None else "bits"
    remark = settings.was(stated) if settings[stated] is not None else "the default of Optimum Intel is 8 bits"
    mode = kind
    if kind in ("int4", "int8"):
        mode = f"{kind}_{'sym' if settings['sym'] else 'asym'}"
        if settings["sym"] is None:
            remark += f"; Optimum Intel's {kind} is asymmetric without {settings.names.get('sym', 'sym')}"
        else:
            remark += f" and {settings.name('sym')}"
    elif settings["sym"]:
        draft.drop(str(path[0]), settings.name("sym"), f"{kind} is symmetric by itself")
    draft.put((*path, "mode"), mode, remark, settings.origin(stated))


def _choice(draft: Draft, path: KeyPath, settings: Settings, kind: str) -> None:
    """`ratio`, `group_size` and what happens to layers that it does not fit; defaults are written out."""
    ratio = settings["ratio"]
    remark = settings.was("ratio") if ratio is not None else "Optimum Intel's default"
    draft.put((*path, "ratio"), 1.0 if ratio is None else ratio, remark, settings.origin("ratio"))
    size = settings["group_size"]
    own = {"int4": 128, "nf4": 128, "mxfp4": 32, "cb4": -1}[kind]
    remark = settings.was("group_size") if size is not None else f"the default for {kind}"
    draft.put((*path, "group_size"), own if size is None else size, remark, settings.origin("group_size"))
    fallback = settings["group_size_fallback"]
    if fallback in ("ignore", "adjust") and draft_value(draft, (*path, "group_size")) == -1:
        draft.drop(str(path[0]), settings.name("group_size_fallback"), "one scale a channel fits every layer")
    elif fallback is not None:
        at = settings.origin("group_size_fallback")
        draft.put((*path, "group_size_fallback_mode"), fallback, settings.was("group_size_fallback"), at)


def draft_value(draft: Draft, path: KeyPath) -> object:
    """What the draft states at a key path."""
    return inside(draft.config, path)


def uses_data(settings: Settings) -> bool:
    """Whether settings of weights look at calibration data."""
    ratio = settings["ratio"]
    chooses = isinstance(ratio, int | float) and 0 < ratio < 1
    named = any(settings[name] for name in ("scale_estimation", "gptq", "lora_correction"))
    by_activations = chooses and settings["sensitivity_metric"] != "weight_quantization_error"
    return named or settings["quant_method"] == "awq" or by_activations


def _data(draft: Draft, path: KeyPath, settings: Settings) -> None:
    if settings["dataset"] is None or not uses_data(settings):
        _no_data(draft, str(path[0]), settings, "nothing in these settings looks at data")
        return
    dataset(draft, path, settings)


def dataset(draft: Draft, path: KeyPath, settings: Settings, usual: int = SAMPLES) -> None:
    """Calibration data: a recipe has its own, so its name is left to be stated."""
    samples = settings["num_samples"]
    length = (
        (settings["_dataset_kwargs"] or {}).get("seq_len") if isinstance(settings["_dataset_kwargs"], dict) else None
    )
    whose = settings.was("dataset") if settings["dataset"] is not None else f"{settings.said} names none"
    tokens = f" with {length} tokens a sample" if length else ""
    remark = f"{whose}{tokens}; state the name of a dataset of the recipe"
    draft.put((*path, "dataset"), PLACEHOLDER, remark, settings.origin("dataset"))
    counted = settings.was("num_samples") if samples is not None else "Optimum Intel's default"
    draft.put((*path, "subset_size"), samples or usual, counted, settings.origin("num_samples"))


def _no_data(draft: Draft, section: str, settings: Settings, why: str) -> None:
    for name in ("dataset", "num_samples", "_dataset_kwargs"):
        if settings[name]:
            draft.drop(section, settings.name(name), why)


def _idle_metric(draft: Draft, section: str, settings: Settings, name: str, kind: str) -> bool:
    """Whether this is a metric that chooses nothing: every layer gets the type of mode."""
    if name != "sensitivity_metric" or kind == "int8" or settings["ratio"] not in (None, 1, 1.0):
        return False
    draft.drop(section, settings.name(name), "with ratio 1 there is nothing to choose")
    return True


def _method(draft: Draft, path: KeyPath, settings: Settings) -> None:
    method = settings["quant_method"]
    if method == "awq":
        remark = settings.was("quant_method")
        if settings["dataset"] is None:
            remark += "; without a dataset it looks at the weights alone"
        draft.put((*path, "awq"), True, remark, settings.origin("quant_method"))
    elif method not in (None, "default"):
        wrong(draft, settings, "quant_method", f"{flow(method)} is not known", "allowed: default, hybrid, awq")


def scope(draft: Draft, path: KeyPath, settings: Settings) -> None:
    """`ignored_scope`, without its empty lists."""
    kept = settings["ignored_scope"]
    if isinstance(kept, dict):
        kept = {key: value for key, value in kept.items() if value not in (None, [])}
    if kept and kept != {"validate": True}:
        said = settings.names.get("ignored_scope", "ignored_scope")
        draft.put((*path, "ignored_scope"), kept, f"was {said}", settings.origin("ignored_scope"))


def drop_given(draft: Draft, section: str, settings: Settings, reasons: Mapping[str, str]) -> None:
    """Drop what was given of the settings named here, each with the reason why it is not needed."""
    for name, reason in reasons.items():
        if settings[name] is not None:
            draft.drop(section, settings.name(name), reason)


def others(draft: Draft, section: str, settings: Settings) -> None:
    """What changes nothing in the model, and what recipes have no counterpart of."""
    needless = {
        "statistics_path": "ovrun keeps statistics by itself",
        "tokenizer": "calibration text is tokenized with the model's own tokenizer",
        "processor": "calibration data are read with the model's own files",
        "trust_remote_code": "state it as model.trust_remote_code where the model needs it",
        "weight_only": "told what kind of configuration it is",
    }
    drop_given(draft, section, settings, needless)
    if settings["dq_group_size"] is not None:
        what = "an option for the runtime; set DYNAMIC_QUANTIZATION_GROUP_SIZE where the model is loaded"
        draft.refuse(section, settings.name("dq_group_size"), what, settings.origin("dq_group_size"))
