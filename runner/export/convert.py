"""Traces a loaded model and writes its OpenVINO IR and configuration, by Optimum's exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from runner.export.model import Precision, Request


def convert(request: Request, model: Any, preprocessors: list[Any]) -> None:
    """Write openvino_model.xml and .bin, config.json, generation_config.json and the preprocessors' files."""
    import torch
    from optimum.exporters.openvino import export_from_model

    with _trace_once():
        export_from_model(
            model,
            request.out,
            task=request.task,
            ov_config=_ov_config(request.precision),
            stateful=request.stateful,
            preprocessors=preprocessors,
            trust_remote_code=request.trust_remote_code,
            patch_16bit_model=model.dtype in (torch.float16, torch.bfloat16),
        )


def convert_by_main_export(request: Request) -> None:
    """Let Optimum load and convert a model that needs its special handling."""
    from optimum.exporters.openvino import main_export

    main_export(
        str(request.source),
        request.out,
        task=request.task,
        trust_remote_code=request.trust_remote_code,
        local_files_only=True,
        ov_config=_ov_config(request.precision),
        stateful=request.stateful,
        convert_tokenizer=request.tokenizer,
        library_name="transformers",
        model_loading_kwargs={"use_safetensors": None if request.allow_pickle else True},
    )


def _ov_config(precision: Precision) -> Any:
    """What the exporter reads of an OVConfig, without importing NNCF for the class.

    Given at all, it keeps the exporter from quantizing models of 1e9 parameters and more to 8 bits unasked.
    """
    return SimpleNamespace(dtype=precision, quantization_config=None)


@contextmanager
def _trace_once() -> Iterator[None]:
    """Keep torch.jit.trace from tracing a second time to compare: half of the tracing time, for warnings nobody sees.

    Optimum does so itself for some model types and has no parameter for it, hence its internal function.
    """
    from optimum.exporters.openvino import convert as exporter

    asked = exporter.allow_skip_tracing_check
    exporter.allow_skip_tracing_check = lambda *_: True
    try:
        yield
    finally:
        exporter.allow_skip_tracing_check = asked
