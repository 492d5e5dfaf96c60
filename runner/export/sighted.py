"""The architectures of images and texts: which are had, and why others are not that Optimum Intel converts."""

from __future__ import annotations

from collections.abc import Mapping

from runner.base.keys import version_of
from runner.export import of_timm

TASK = "image-text-to-text"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Files that say how images become inputs; either will do."""
HAD = {"llava": "LLaVA", "llava_next": "LLaVA-NeXT", "gemma3": "Gemma 3", "gemma4": "Gemma 4"}
"""Model type -> what it is called: those whose parts are known, and that were held against PyTorch."""
OWN_CODE = ("maira2",)
"""Types that transformers has no class for: their code comes with them."""
_BUT = {
    "llava_next": " where an image is cut into as many pieces in height as in width (of others the class of Optimum "
    "Intel 2.1.0 takes one for the other)"
}
"""What holds for some images alone."""
_TIMM = "gemma3n"
_NOT_HAD = {
    "llama": ("it takes no images", "state model.task: text-generation-with-past"),
    "qwen3_omni_moe": ("ovrun doesn't know the parts by which it hears and speaks", "convert it with Optimum Intel"),
}


def misfit(config: Mapping[str, object]) -> tuple[str, str] | None:
    """Why a model that Optimum Intel converts for the task isn't had, and what would do.

    Args:
        config: the model's config.json.
    """
    kind = config.get("model_type")
    if kind == _TIMM:
        return of_timm.absent("its images are read by")
    what, allowed = _NOT_HAD.get(str(kind), ("", ""))
    return (f"a model of type {kind}: {what}", allowed) if what else None


def unread(config: Mapping[str, object], processors: Mapping[str, Mapping[str, object]]) -> str | None:
    """Why transformers can't load the processor of an architecture here.

    Args:
        config: the model's config.json.
        processors: name of a file -> its content, of those of the processor; none if nobody knows yet.
    """
    if config.get("model_type") != "gemma4":
        return None
    hears = any(key in said for said in processors.values() for key in ("feature_extractor", "feature_extractor_type"))
    if processors and not hears:
        return "it has no word of a feature extractor, without which transformers loads none of a Gemma 4"
    if version_of("torchvision") == "absent":
        return "transformers loads that of a Gemma 4 with the package torchvision alone, which is not installed"
    return None


def told(kind: str) -> str:
    """What of a type is had, in words for a table."""
    if kind in HAD:
        return (
            f"published; the logits are those of PyTorch{_BUT.get(kind, '')}, and VLMPipeline of OpenVINO GenAI answers"
        )
    if kind in OWN_CODE:
        return "its code comes with it: `model.trust_remote_code`; not tried"
    if kind == _TIMM:
        return "refused without the package timm, which imports torchvision; not tried"
    return f"refused: {_NOT_HAD[kind][0]}"
