"""What Olive's OpenVINO passes take, as olive/passes/openvino declares it, and a pass as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.recipe.origins import KeyPath

SCRIPT = ("user_script", "script_dir")
_QUANTIZATION = (
    *("data_config", "model_type", "preset", "ignored_scope", "ignored_scope_type", "target_device", "transform_fn"),
    *("validation_func", "max_drop", "drop_type", "extra_configs", "reuse_cache", *SCRIPT),
)

PASSES: Mapping[str, tuple[str, ...]] = {
    "OpenVINOConversion": (
        *("input_shapes", "example_input_func", "compress_to_fp16", "extra_configs", "model_name", "static", *SCRIPT),
    ),
    "OpenVINOOptimumConversion": ("components", "device", "extra_args", "ov_quant_config", *SCRIPT),
    "OpenVINOIoUpdate": ("extra_configs", "input_shapes", "input_names", "static", "reuse_cache", *SCRIPT),
    "OpenVINOQuantization": _QUANTIZATION,
    "OpenVINOQuantizationWithAccuracy": _QUANTIZATION,
    "OpenVINOWeightCompression": (
        *("data_config", "ignored_scope", "ignored_scope_type", "target_device", "transform_fn", "extra_args"),
        *("compress_config", "reuse_cache", *SCRIPT),
    ),
    "OpenVINOEncapsulation": (
        *("target_device", "ov_version", "opset_imports", "keep_ov_dynamic_dims", "reuse_cache"),
        "genai_config_override",
    ),
}
"""Pass -> its parameters."""

COMPRESS = (
    *("mode", "ratio", "group_size", "all_layers", "sensitivity_metric", "subset_size", "awq", "scale_estimation"),
    *("gptq", "lora_correction", "backup_mode", "compression_format"),
)
"""Parameters of nncf.compress_weights that `compress_config` may hold."""


@dataclass(frozen=True)
class Part:
    """A pass of a workflow, or its model: type, place, parameters without nulls, and the place of each."""

    kind: str
    at: KeyPath
    values: Mapping[str, object]
    places: Mapping[str, KeyPath]

    def __getitem__(self, name: str) -> object:
        return self.values.get(name)

    def place(self, name: str) -> KeyPath:
        """The key path of a parameter in the workflow."""
        return self.places.get(name, self.at)
