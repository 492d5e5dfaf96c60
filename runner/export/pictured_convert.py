"""Converts models that find objects or distances in images, by Optimum's exporter, which it imports.

The exporter names the outputs of these tasks, and traces and patches any model whose inputs it is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from optimum.exporters.openvino import export
from optimum.exporters.openvino.model_configs import ViTOpenVINOConfig
from optimum.exporters.openvino.utils import save_config, save_preprocessors
from optimum.utils.normalized_config import NormalizedVisionConfig

from runner.export.convert import ov_config
from runner.model.parts import IR

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from runner.export.model import Request


class _Moving(ViTOpenVINOConfig):  # type: ignore[misc]
    """Images of any size."""


class _Still(ViTOpenVINOConfig):  # type: ignore[misc]
    """Images of the one size that config.json tells: a trace keeps it."""

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """Name -> the axes that are open."""
        return {"pixel_values": {0: "batch_size"}}


class _Framed(_Still):
    """Its backbone tells the size."""

    NORMALIZED_CONFIG_CLASS = NormalizedVisionConfig.with_args(image_size="backbone_config.image_size")


_CONFIGS = {"depth_anything": _Framed, "dpt": _Still, "mobilevit": _Still, "swin": _Still}


def convert(request: Request, model: PreTrainedModel, preprocessors: Iterable[object]) -> None:
    """Write the IR, config.json and the preprocessors' files."""
    save_config(model.config, request.out)
    save_preprocessors(list(preprocessors), model.config, request.out, request.trust_remote_code)
    export(
        model,
        _CONFIGS.get(model.config.model_type, _Moving)(model.config, task=request.task),
        request.out / IR,
        ov_config=ov_config(request.precision),
        stateful=False,
        patch_16bit_model=model.dtype in (torch.float16, torch.bfloat16),
    )
