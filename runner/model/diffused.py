"""One use of a finished pipeline that makes images, as its users load it."""

from __future__ import annotations

from pathlib import Path

from runner.base.values import Array
from runner.model.trial import by_optimum, check_finite, load, tried
from runner.registry.tasks import Used

_SIDE = 64
"""Pixels of the images, in both directions: the fewest that all pipelines take."""
_STEPS = 2


def drawn(folder: Path, loaded_by: str, *, image: bool = False, mask: bool = False) -> Used:
    """A small image of two steps by a class of Optimum Intel, from a text, and from an image and a mask where it takes
    them.

    Raises:
        SourceError: the folder can't be loaded.
        StageError: the model fails, or the image has values that aren't finite numbers.
    """
    import numpy as np

    given = np.random.default_rng(0).random((1, _SIDE, _SIDE, 3), np.float32)
    more: dict[str, object] = {"image": given, "strength": 1.0} if image else {}
    if mask:
        more["mask_image"] = np.ones((1, _SIDE, _SIDE, 1), np.float32)
    if mask or not image:
        more |= {"height": _SIDE, "width": _SIDE}
    pipe = load(folder, loaded_by)
    pipe.set_progress_bar_config(disable=True)
    made = tried(folder, lambda: pipe("a text", num_inference_steps=_STEPS, output_type="np", **more).images)
    check_finite(folder, "image", made)
    from_image = " from a text and an image" if image else " from a text"
    return Used((*by_optimum(), "diffusers"), f"drew {told(made)}{from_image} in {_STEPS} steps with {loaded_by}")


def told(made: Array) -> str:
    """`an image of 64 x 64`."""
    return f"an image of {made.shape[-2]} x {made.shape[-3]}"
