"""Olive's OpenVINO passes -> conversion and compression of a recipe."""

from __future__ import annotations

from collections.abc import Sequence

from runner.base.values import inside, mapping
from runner.importers import olive_export
from runner.importers.draft import PLACEHOLDER, Draft
from runner.importers.olive_parameters import COMPRESS, SCRIPT, Part
from runner.importers.writer import flow
from runner.recipe.judge import weight_rules
from runner.recipe.origins import KeyPath, Origin, dotted

_DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU", "cpu_spr": "CPU_SPR"}
_CODE = "a recipe is data and calls no code; `datasets` say how arrays are preprocessed"


def convert(draft: Draft, model: Part, passes: Sequence[Part], device: str | None) -> None:
    """State what the passes make of the model."""
    writer = _Writer(draft, model, device)
    compressing = [one for one in passes if _compresses(one)]
    optimum = [one for one in compressing if one.kind == "OpenVINOOptimumConversion"]
    if optimum and len(compressing) > 1:
        draft.wrong(compressing[1].at, "a second compression of the same weights", "remove one of the two passes")
        return
    if model.kind == "hfmodel" and "model" not in draft.config:
        olive_export.export(draft, model, next((one for one in passes if one.kind in olive_export.EXPORTING), None))
    for one in passes:
        index = compressing.index(one) if one in compressing and len(compressing) > 1 else None
        path: KeyPath = ("compression",) if index is None else ("compression", index)
        writer.one(one, path)


def _compresses(one: Part) -> bool:
    if one.kind == "OpenVINOOptimumConversion":
        quant = one["ov_quant_config"]
        return isinstance(quant, dict) and (
            quant.get("weight_format") not in (None, "fp16", "fp32") or "quant_mode" in quant
        )
    return "Quantization" in one.kind or one.kind == "OpenVINOWeightCompression"


class _Writer:
    def __init__(self, draft: Draft, model: Part, device: str | None) -> None:
        self.draft, self.model, self.device = draft, model, device

    def one(self, one: Part, path: KeyPath) -> None:
        """State one pass."""
        for name in (*SCRIPT, "transform_fn", "example_input_func", "validation_func"):
            if one[name] is not None:
                self._refuse(one, name, _CODE)
        if one["reuse_cache"]:
            self._drop(one, "reuse_cache", "the store keeps what earlier stages made")
        kinds = {
            "OpenVINOConversion": self._conversion,
            "OpenVINOIoUpdate": self._io_update,
            "OpenVINOQuantization": self._quantization,
            "OpenVINOQuantizationWithAccuracy": self._quantization,
            "OpenVINOWeightCompression": self._weights,
            "OpenVINOEncapsulation": self._encapsulation,
        }
        if one.kind in kinds:
            kinds[one.kind](one, path)

    def _origin(self, one: Part, name: str) -> Origin:
        return self.draft.source.at(one.place(name))

    def _was(self, one: Part, name: str) -> str:
        value = f" {flow(one[name])}" if not isinstance(one[name], dict | list) else ""
        return f"was {dotted(one.place(name))}{value}"

    def _put(self, path: KeyPath, value: object, one: Part, name: str, default: str = "Olive's default") -> None:
        remark = self._was(one, name) if one[name] is not None else default
        self.draft.put(path, value, remark, self._origin(one, name))

    def _drop(self, one: Part, name: str, why: str) -> None:
        self.draft.drop("", f"{dotted(one.place(name))} {flow(one[name])}", why)

    def _refuse(self, one: Part, name: str, why: str) -> None:
        self.draft.refuse("", f"{dotted(one.place(name))} {flow(one[name])}", why, self._origin(one, name))

    def _conversion(self, one: Part, path: KeyPath) -> None:
        fp16 = True if one["compress_to_fp16"] is None else one["compress_to_fp16"]
        if not isinstance(fp16, bool):
            self.draft.wrong(one.place("compress_to_fp16"), f"{flow(fp16)} is not true or false")
        self._put(("conversion", "precision"), "fp16" if fp16 else "fp32", one, "compress_to_fp16")
        if self.model.kind == "hfmodel":
            why = f"{one.kind} makes none"
            self.draft.put(("conversion", "stateful"), False, why, self._origin(one, "type"))
            self.draft.put(("conversion", "tokenizer"), False, why, self._origin(one, "type"))
        self._shapes(one, static=one["static"] is not False)
        if one["model_name"]:
            self._drop(one, "model_name", "files are named as OpenVINO's users look for them")
        if one["extra_configs"]:
            self._refuse(one, "extra_configs", "the conversion has no other settings")

    def _io_update(self, one: Part, path: KeyPath) -> None:
        self._shapes(one, static=one["static"] is True)
        if one["extra_configs"]:
            self._refuse(one, "extra_configs", "the conversion has no other settings")

    def _shapes(self, one: Part, *, static: bool) -> None:
        shapes, names = one["input_shapes"], one["input_names"]
        if shapes is not None and not isinstance(shapes, list):
            self._refuse(one, "input_shapes", _CODE)
        elif shapes and not static:
            self._drop(one, "input_shapes", "Olive keeps shapes dynamic without `static`")
        elif shapes:
            for index, shape in enumerate(shapes):
                place = self.draft.source.at((*one.place("input_shapes"), index))
                self.draft.put(("input_info", index, "sample_size"), shape, self._was(one, "input_shapes"), place)
                if isinstance(names, list) and index < len(names):
                    self.draft.put(("input_info", index, "keyword"), names[index], self._was(one, "input_names"), place)
        if names and not (shapes and static):
            self._refuse(one, "input_names", "inputs keep the names that the export gives them")

    def _target(self, one: Part) -> None:
        device = one["target_device"] or self.device or "cpu"
        known = _DEVICES.get(str(device).lower(), "ANY")
        remark = "was the target system's device" if self.device else "Olive's default is the CPU"
        if one["target_device"]:
            remark = self._was(one, "target_device")
        if str(device).lower() not in (*_DEVICES, "any"):
            remark += "; Olive takes ANY for what NNCF doesn't know"
        self.draft.put(("target_device",), known, remark, self._origin(one, "target_device"))

    def _quantization(self, one: Part, path: KeyPath) -> None:
        draft = self.draft
        draft.put((*path, "algorithm"), "quantization", f"was {one.kind}", self._origin(one, "type"))
        if one["data_config"] is None:
            draft.wrong((*one.at, "data_config"), "missing", "quantization needs calibration data")
        self._data(one, path)
        draft.put((*path, "subset_size"), 300, "NNCF's default, which Olive leaves", self._origin(one, "data_config"))
        preset = str(one["preset"] or "PERFORMANCE").lower()
        self._put((*path, "preset"), preset, one, "preset")
        kind = str(one["model_type"]).lower() if one["model_type"] else "none"
        self._put((*path, "model_type"), kind, one, "model_type")
        self._scope(one, path)
        if one.kind == "OpenVINOQuantization":
            for name in ("max_drop", "drop_type"):
                if one[name] is not None:
                    self._drop(one, name, f"{one.kind} passes it over")
            self._advanced(one, path)
        else:
            self._accuracy(one, path)
        self._target(one)

    def _data(self, one: Part, path: KeyPath) -> None:
        name = one["data_config"] if isinstance(one["data_config"], str) else "a data config"
        remark = f"was {dotted(one.place('data_config'))} ({name}); state the name of a dataset of the recipe"
        self.draft.put((*path, "dataset"), PLACEHOLDER, remark, self._origin(one, "data_config"))

    def _accuracy(self, one: Part, path: KeyPath) -> None:
        control = (*path, "accuracy_control")
        own = one["validation_func"] is None
        metric = "accuracy" if own else PLACEHOLDER
        remark = "Olive's own validation is the share of right classes" if own else "was a function; state a metric"
        self.draft.put((*control, "metric"), metric, remark, self._origin(one, "validation_func"))
        self._put((*control, "max_drop"), 0.01 if one["max_drop"] is None else one["max_drop"], one, "max_drop")
        self._put((*control, "drop_type"), str(one["drop_type"] or "ABSOLUTE").lower(), one, "drop_type")
        if one["extra_configs"]:
            self._drop(one, "extra_configs", f"{one.kind} passes it over")

    def _advanced(self, one: Part, path: KeyPath) -> None:
        """`extra_configs`: the last advanced_quantization_parameters of the list count."""
        given = one["extra_configs"]
        if given is not None and not isinstance(given, list):
            self.draft.wrong(one.place("extra_configs"), f"{flow(given)} is not a list", "a list of mappings")
            return
        key = "advanced_quantization_parameters"
        for index, extra in enumerate(given or []):
            at = (*one.place("extra_configs"), index)
            for name in extra if isinstance(extra, dict) else ():
                if name != key:
                    self.draft.unknown((*at, name), (key,))
            stated = extra.get(key) if isinstance(extra, dict) else None
            for name, value in stated.items() if isinstance(stated, dict) else ():
                plain = value.lower() if isinstance(value, str) else value
                home = (name,) if name in ("overflow_fix", "quantize_outputs") else ("advanced", name)
                place = (*at, key, name)
                self.draft.put((*path, *home), plain, f"was {dotted(place)}", self.draft.source.at(place))

    def _scope(self, one: Part, path: KeyPath) -> None:
        scope, kind = one["ignored_scope"], one["ignored_scope_type"]
        if not scope and not kind:
            return
        if not scope or not kind:
            missing = "ignored_scope_type" if scope else "ignored_scope"
            self.draft.wrong((*one.at, missing), "missing", "ignored_scope and ignored_scope_type go together")
            return
        lists = scope if isinstance(scope, list | str) else [scope]
        pairs = zip(kind, lists, strict=False) if isinstance(kind, list) else [(kind, scope)]
        if isinstance(kind, list) and len(kind) != len(lists):
            self.draft.wrong(one.place("ignored_scope"), f"{len(lists)} lists for {len(kind)} types", "one list a type")
        for name, values in pairs:
            place = self._origin(one, "ignored_scope")
            self.draft.put((*path, "ignored_scope", str(name)), values, self._was(one, "ignored_scope"), place)

    def _weights(self, one: Part, path: KeyPath) -> None:
        draft, config = self.draft, one["compress_config"] or {}
        if not isinstance(config, dict):
            draft.wrong(
                one.place("compress_config"), f"{flow(config)} is not a mapping", "parameters of compress_weights"
            )
            return
        draft.put((*path, "algorithm"), "weight_compression", f"was {one.kind}", self._origin(one, "type"))
        if config.get("mode") is None:
            draft.put((*path, "mode"), "int8_asym", "NNCF's default", self._origin(one, "compress_config"))
        for key, value in config.items():
            self._parameter(one, path, key, value)
        self._extra(one, path)
        self._scope(one, path)
        if one["data_config"] is not None:
            self._weight_data(one, path)
        if one["target_device"]:
            self._drop(one, "target_device", "compression of weights does not depend on the device")

    def _parameter(self, one: Part, path: KeyPath, key: str, value: object) -> None:
        at = (*one.place("compress_config"), key)
        if key not in COMPRESS:
            self.draft.unknown(at, COMPRESS)
        elif key == "compression_format":
            self.draft.drop("", f"{dotted(at)} {flow(value)}", "OpenVINO models have one format")
        elif value is not None:
            plain = value.lower() if isinstance(value, str) else value
            self.draft.put((*path, key), plain, f"was {dotted(at)}", self.draft.source.at(at))

    def _weight_data(self, one: Part, path: KeyPath) -> None:
        """Data that no parameter uses are left out: a recipe with them is refused."""
        step = mapping(inside(self.draft.config, path))
        mode = str(step.get("mode"))
        judged = weight_rules.check((), {**step, "mode": mode, "dataset": "some"})
        if mode.startswith("int8") or any(found.path == ("dataset",) for found in judged):
            self._drop(one, "data_config", "nothing in these settings looks at data")
        else:
            self._data(one, path)

    def _extra(self, one: Part, path: KeyPath) -> None:
        """`extra_args`: advanced parameters; what is about the export is read by `olive_export`."""
        extra = one["extra_args"] if isinstance(one["extra_args"], dict) else {}
        for name in ("model_type", "preset"):
            if extra.get(name) is not None:
                self.draft.wrong(
                    (*one.place("extra_args"), name), "compress_weights takes none, and Olive fails", "remove it"
                )
        advanced = extra.get("advanced_compression_parameters")
        for key, value in advanced.items() if isinstance(advanced, dict) else ():
            at = (*one.place("extra_args"), "advanced_compression_parameters", key)
            if key in ("statistics_path", "backend_params"):
                self.draft.drop("", f"{dotted(at)} {flow(value)}", "ovrun keeps files and statistics by itself")
                continue
            home = (key,) if key == "group_size_fallback_mode" else ("advanced", key)
            plain = value.lower() if isinstance(value, str) else value
            self.draft.put((*path, *home), plain, f"was {dotted(at)}", self.draft.source.at(at))

    def _encapsulation(self, one: Part, path: KeyPath) -> None:
        what = "an ONNX file around the model, for ONNX Runtime; a recipe publishes the OpenVINO model itself"
        self.draft.refuse("", f"{dotted(one.at)} {one.kind}", what, self.draft.source.at(one.at))
