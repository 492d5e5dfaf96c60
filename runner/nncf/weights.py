"""What a step of weight compression is to `nncf.compress_weights`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from runner.base.values import section
from runner.errors import Problem, RecipeError
from runner.nncf import process as nncf_process
from runner.recipe.judge.weight_rules import backup_mode, group_size
from runner.recipe.types import WeightCompression

_PLAIN = ("ratio", "group_size", "all_layers", "awq", "scale_estimation", "gptq", "lora_correction")


def arguments(nncf: ModuleType, step: WeightCompression, more: Mapping[str, object]) -> dict[str, object]:
    """The keyword arguments but for the dataset's; what the recipe leaves out stays NNCF's own default.

    Args:
        more: fields of `nncf.AdvancedCompressionParameters` that the recipe doesn't have.
    """
    found: dict[str, object] = {name: getattr(step, name) for name in _PLAIN if getattr(step, name) is not None}
    found["mode"] = nncf.CompressWeightsMode(step.mode)
    if step.backup_mode is not None:
        found["backup_mode"] = nncf.BackupMode(step.backup_mode)
    if step.sensitivity_metric is not None:
        found["sensitivity_metric"] = nncf.SensitivityMetric(step.sensitivity_metric)
    if step.ignored_scope is not None:
        found["ignored_scope"] = nncf_process.ignored_scope(nncf, step.ignored_scope)
    fields = advanced(step) | dict(more)
    if fields:
        found["advanced_parameters"] = nncf.AdvancedCompressionParameters(**fields)
    return found


def advanced(step: WeightCompression) -> dict[str, object]:
    """The fields of `nncf.AdvancedCompressionParameters`, with NNCF's own objects in them."""
    from nncf.quantization import advanced_parameters as nested

    fields = dict(step.advanced or {})
    if step.group_size_fallback_mode is not None:
        fields["group_size_fallback_mode"] = nested.GroupSizeFallbackMode(step.group_size_fallback_mode)
    kinds = {
        "awq_params": nested.AdvancedAWQParameters,
        "scale_estimation_params": nested.AdvancedScaleEstimationParameters,
        "gptq_params": nested.AdvancedGPTQParameters,
        "lora_correction_params": nested.AdvancedLoraCorrectionParameters,
        "adaptive_codebook_params": nested.AdvancedAdaptiveCodebookParameters,
    }
    for name, kind in kinds.items():
        if name in fields:
            fields[name] = kind(**_typed(section(fields, name)))
    if "codebook" in fields:
        import numpy as np

        fields["codebook"] = np.array(fields["codebook"], dtype=np.float32)
    return fields


def _typed(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings with the element type, which is the only one that NNCF wants as an object."""
    if "value_type" not in settings:
        return dict(settings)
    from nncf.tensor import TensorDataType

    return {**settings, "value_type": TensorDataType[settings["value_type"]]}


@contextmanager
def worded(nncf: ModuleType, params: Mapping[str, object]) -> Iterator[None]:
    """What `nncf.compress_weights` refuses because of the model or the data, in words.

    Args:
        params: the step as a recipe has it.
    """
    from numpy.linalg import LinAlgError

    try:
        with nncf_process.refusals_worded(nncf):
            yield
    except nncf.InvalidGroupSizeError as error:
        raise _wrong_group_size(params, str(error)) from error
    except LinAlgError as error:
        what = f"GPTQ can't invert what it measured on the calibration data: {error}"
        allowed = "raise damp_percent, or use more samples"
        raise RecipeError([Problem("", "advanced.gptq_params.damp_percent", what, allowed)]) from error


def _wrong_group_size(params: Mapping[str, object], text: str) -> RecipeError:
    """Say which layers the group size does not divide, and which group sizes would divide them all."""
    failed = re.findall(r'"([^"]+)" \(channel size: (\d+)\)', text)
    if not failed:
        return RecipeError([Problem("", "backup_mode", *_wrong_backup(params, text))])
    shown = ", ".join(f"{name} ({size})" for name, size in failed[:4])
    more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
    what = f"group size {group_size(params)} does not divide the channels of {shown}{more}"
    if params["mode"] in ("mxfp4", "mxfp8_e4m3", "nvfp4"):
        fallback = (
            "group_size_fallback_mode: ignore leaves these layers uncompressed; another mode has other group sizes"
        )
        return RecipeError([Problem("", "mode", what, fallback)])
    sizes = [size for size in (256, 128, 64, 32, 16, 8) if all(int(channels) % size == 0 for _, channels in failed)]
    allowed = f"{', '.join(map(str, [*sizes, '-1']))} (-1: one group a channel) would work"
    return RecipeError([Problem("", "group_size", what, allowed)])


def _wrong_backup(params: Mapping[str, object], text: str) -> tuple[str, str]:
    """The layers of the backup type have groups too where it is a float."""
    found = re.search(r"Channel size (\d+) should be divisible by size of group (\d+)", text)
    told = f"groups of {found[2]}, and a layer has {found[1]} channels" if found else text.strip()
    return f"{backup_mode(params)} has {told}", "choose none, int8_sym or int8_asym"
