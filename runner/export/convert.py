"""Traces a loaded model and writes its OpenVINO IR and configuration, by Optimum's exporter."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

from runner.export import pictured
from runner.export.model import Precision, Request, refuse_missing
from runner.export.patches import lean_traces, telling_missing, trace_once
from runner.model import vocoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def convert(request: Request, model: PreTrainedModel, preprocessors: list[object]) -> None:
    """Write the IR of each part, config.json, generation_config.json and the preprocessors' files."""
    import torch
    from optimum.exporters.openvino import export_from_model

    if pictured.converts(model.config.model_type, request.task):
        from runner.export import pictured_convert

        with trace_once(), lean_traces():
            pictured_convert.convert(request, model, preprocessors)
        return
    with trace_once(), lean_traces():
        export_from_model(
            model,
            request.out,
            task=request.task,
            ov_config=ov_config(request.precision),
            stateful=request.stateful,
            preprocessors=preprocessors,
            trust_remote_code=request.trust_remote_code,
            patch_16bit_model=model.dtype in (torch.float16, torch.bfloat16),
        )


def convert_by_main_export(request: Request) -> None:
    """Let Optimum load and convert a model that needs its special handling."""
    from optimum.exporters.openvino import main_export

    speaks = request.source / vocoder.FOLDER
    with telling_missing(partial(refuse_missing, request)), trace_once(), lean_traces():
        main_export(
            str(request.source),
            request.out,
            task=request.task,
            trust_remote_code=request.trust_remote_code,
            local_files_only=True,
            ov_config=ov_config(request.precision),
            stateful=request.stateful,
            convert_tokenizer=request.tokenizer,
            library_name="transformers",
            model_kwargs={"vocoder": str(speaks)} if speaks.is_dir() else None,
            model_loading_kwargs={"use_safetensors": None if request.allow_pickle else True},
        )


def ov_config(precision: Precision) -> SimpleNamespace:
    """What the exporter reads of an OVConfig, without importing NNCF for the class.

    Given at all, it keeps the exporter from quantizing models of 1e9 parameters and more to 8 bits unasked.
    """
    return SimpleNamespace(dtype=precision, quantization_config=None)
