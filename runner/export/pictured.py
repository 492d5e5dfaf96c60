"""Models that find objects or distances in images: types that ovrun adds to those that Optimum Intel converts."""

from __future__ import annotations

from collections.abc import Mapping

from runner.export import of_timm

TYPES = {
    "depth_anything": "depth-estimation",
    "detr": "object-detection",
    "dpt": "depth-estimation",
    "glpn": "depth-estimation",
    "table-transformer": "object-detection",
    "yolos": "object-detection",
}
"""Model type -> its task."""
_STILL = {
    "mobilevit": ("feature-extraction", "image-classification", "image-segmentation"),
    "swin": ("masked-im",),
}
"""Model type -> the tasks for which Optimum leaves the size of images open, and a trace keeps one."""


def converts(model_type: str, task: str) -> bool:
    """Whether ovrun, and not Optimum, knows the inputs of such a model for a task by Optimum's name."""
    return TYPES.get(model_type) == task or task in _STILL.get(model_type, ())


def without_timm(config: Mapping[str, object]) -> tuple[str, str] | None:
    """Why a model whose backbone is one of timm isn't had, and what would do.

    Args:
        config: the model's config.json.
    """
    backbone = config.get("backbone_config")
    kind = backbone.get("model_type") if isinstance(backbone, Mapping) else None
    needed = config.get("use_timm_backbone") is True or kind == "timm_backbone"
    return of_timm.absent("its backbone is") if needed and config.get("model_type") in TYPES else None
