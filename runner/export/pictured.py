"""Models that find objects or distances in images: types that ovrun adds to those that Optimum Intel converts."""

from __future__ import annotations

from collections.abc import Mapping

from runner.base.keys import version_of

TYPES = {
    "depth_anything": "depth-estimation",
    "detr": "object-detection",
    "dpt": "depth-estimation",
    "glpn": "depth-estimation",
    "table-transformer": "object-detection",
    "yolos": "object-detection",
}
"""Model type -> its task."""


def without_timm(config: Mapping[str, object]) -> tuple[str, str] | None:
    """Why a model whose backbone is one of timm isn't had, and what would do.

    Args:
        config: the model's config.json.
    """
    backbone = config.get("backbone_config")
    kind = backbone.get("model_type") if isinstance(backbone, Mapping) else None
    needed = config.get("use_timm_backbone") is True or kind == "timm_backbone"
    if config.get("model_type") not in TYPES or not needed or version_of("timm") != "absent":
        return None
    what = "its backbone is a network of the package timm, which is not installed"
    return what, "pip install timm torchvision, of the version that goes with your torch"
