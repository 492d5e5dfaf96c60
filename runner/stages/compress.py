"""Compress: `nncf.compress_weights` on an OpenVINO IR."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner import ir, nncf_process
from runner.errors import Problem, RecipeError
from runner.stages import Progress, Task

REVISION = 1
_PLAIN = ("ratio", "group_size", "all_layers", "awq", "scale_estimation", "gptq", "lora_correction")


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The tokenizer's library matters only to data-aware methods."""
    return ("nncf", "numpy", "openvino", "tokenizers") if params["dataset"] else ("nncf", "openvino")


def prepare(params: Mapping[str, Any]) -> None:
    """Import NNCF."""
    nncf_process.import_nncf()


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Fill `task.out` with the compressed model and everything else of its input's folder."""
    nncf = nncf_process.load(progress)
    source = task.inputs["model"]
    model = ir.read(source)
    _refuse_compressed(model, task.params)
    try:
        nncf.compress_weights(model, **_arguments(nncf, task, model))
    except nncf.InvalidGroupSizeError as error:
        raise _wrong_group_size(task.params["group_size"], str(error)) from error
    except nncf.ValidationError as error:
        raise RecipeError([Problem("", "", f"NNCF refuses this: {str(error).strip()}")]) from error
    counted = ir.constants(model)
    _require_effect(counted, task.params)
    ir.write(model, source, task.out)
    return {"constants": counted}


def _arguments(nncf: Any, task: Task, model: Any) -> dict[str, Any]:
    """The keyword arguments of `nncf.compress_weights`; what the recipe leaves out stays NNCF's own default."""
    params = task.params
    arguments: dict[str, Any] = {name: params[name] for name in _PLAIN if params[name] is not None}
    arguments["mode"] = nncf.CompressWeightsMode(params["mode"])
    if params["backup_mode"] is not None:
        arguments["backup_mode"] = nncf.BackupMode(params["backup_mode"])
    if params["sensitivity_metric"] is not None:
        arguments["sensitivity_metric"] = nncf.SensitivityMetric(params["sensitivity_metric"])
    if params["ignored_scope"] is not None:
        arguments["ignored_scope"] = nncf_process.ignored_scope(nncf, params["ignored_scope"])
    if "calibration" in task.datasets:
        arguments["dataset"] = nncf.Dataset(_calibration(task, model))
        arguments["subset_size"] = params["subset_size"]
    return arguments


def _calibration(task: Task, model: Any) -> list[dict[str, Any]]:
    from runner.data.calibration import calibration_items

    return calibration_items(
        task.datasets["calibration"],
        model,
        task.inputs["model"],
        task.params["subset_size"],
        task.seed,
        task.params["sequence_length"],
    )


def _refuse_compressed(model: Any, params: Mapping[str, Any]) -> None:
    """NNCF leaves integer weights as they are without a word; a recipe that asks for more must hear it."""
    before = ir.compressed_by(model)
    if before:
        what = f"the model went through NNCF's {before} before, and {params['mode']} would change nothing in it"
        raise RecipeError([Problem("", "mode", what, "start from an uncompressed model")])


def _require_effect(counted: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    kind = {"int8_sym": "i8", "int8_asym": "u8", "int4_sym": "i4", "int4_asym": "u4", "nf4": "nf4"}[params["mode"]]
    if kind not in counted:
        what = f"no layer of the model took {params['mode']} weights"
        allowed = "the ignored scope, the ratio or the group size leaves nothing to compress"
        raise RecipeError([Problem("", "mode", what, allowed)])


def _wrong_group_size(group_size: int | None, text: str) -> RecipeError:
    """Say which layers the group size does not divide, and which group sizes would divide them all."""
    failed = re.findall(r'"([^"]+)" \(channel size: (\d+)\)', text)
    shown = ", ".join(f"{name} ({size})" for name, size in failed[:4])
    more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
    asked = group_size if group_size is not None else 128
    what = f"group size {asked} does not divide the channels of {shown}{more}"
    sizes = [size for size in (256, 128, 64, 32, 16, 8) if all(int(channels) % size == 0 for _, channels in failed)]
    allowed = f"{', '.join(map(str, sizes))} or -1 (one group a channel) would work"
    return RecipeError([Problem("", "group_size", what, allowed)])
