"""Tiny models with random weights that find objects or distances in images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.geometry_tokenizers import write_json

_DETECTED = "object-detection"
_DISTANCES = "depth-estimation"
_LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
_FOUR = {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 1, 1]}
_NECK = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}


def _write(folder: Path, model: Any, kind: str, height: int, width: int) -> None:
    model.save_pretrained(folder)
    write_json(
        folder / "preprocessor_config.json", {"image_processor_type": kind, "size": {"height": height, "width": width}}
    )


def _yolos(folder: Path) -> None:
    from transformers import YolosConfig, YolosForObjectDetection

    config = YolosConfig(**_LAYERS, image_size=[64, 96], patch_size=16, num_detection_tokens=5, num_labels=3)
    _write(folder, YolosForObjectDetection(config), "YolosImageProcessor", 64, 96)


def _detr(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        import transformers

        backbone = transformers.ResNetConfig(**_FOUR, embedding_size=8, layer_type="basic", out_features=["stage4"])
        halves: Mapping[str, Any] = {
            f"{half}_{what}": count
            for half in ("encoder", "decoder")
            for what, count in (("layers", 1), ("ffn_dim", 32), ("attention_heads", 2))
        }
        sizes = {"d_model": 32, "num_queries": 5, "num_labels": 3, "use_timm_backbone": False, "backbone": None}
        config = getattr(transformers, f"{name}Config")(
            **halves, **sizes, use_pretrained_backbone=False, backbone_config=backbone
        )
        _write(folder, getattr(transformers, f"{name}ForObjectDetection")(config), "DetrImageProcessor", 64, 96)

    return make


def _glpn(folder: Path) -> None:
    from transformers import GLPNConfig, GLPNForDepthEstimation

    config = GLPNConfig(
        **{**_FOUR, "hidden_sizes": [16, 32, 64, 128]}, num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16
    )
    _write(folder, GLPNForDepthEstimation(config), "GLPNImageProcessor", 64, 96)


def _dpt(folder: Path) -> None:
    from transformers import DPTConfig, DPTForDepthEstimation

    sizes = {**_LAYERS, "num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3], "is_hybrid": False}
    config = DPTConfig(**sizes, **_NECK, image_size=64, patch_size=16)
    _write(folder, DPTForDepthEstimation(config), "DPTImageProcessor", 64, 64)


def _depth_anything(folder: Path) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    sizes = {**_LAYERS, "num_hidden_layers": 4, "out_indices": [1, 2, 3, 4]}
    backbone = Dinov2Config(**sizes, image_size=56, patch_size=14, reshape_hidden_states=False, apply_layernorm=True)
    config = DepthAnythingConfig(
        **_NECK, backbone_config=backbone, patch_size=14, reassemble_hidden_size=32, head_hidden_size=8
    )
    _write(folder, DepthAnythingForDepthEstimation(config), "DPTImageProcessor", 56, 56)


FINDERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "yolos": (_DETECTED, _yolos),
    "detr": (_DETECTED, _detr("Detr")),
    "table-transformer": (_DETECTED, _detr("TableTransformer")),
    "glpn": (_DISTANCES, _glpn),
    "dpt": (_DISTANCES, _dpt),
    "depth-anything": (_DISTANCES, _depth_anything),
}
"""Name -> Optimum's task, and what writes the folder."""
