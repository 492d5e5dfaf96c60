"""The architectures of images and texts: which are had, and why others are not that Optimum Intel converts."""

from __future__ import annotations

from collections.abc import Mapping

from runner.export import of_timm

TASK = "image-text-to-text"
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
