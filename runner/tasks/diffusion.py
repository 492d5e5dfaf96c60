"""Pipelines that make images by diffusion: from a text, from a text and an image, into a part of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.registry.predicting import IMAGES, Predicts
from runner.registry.tasks import WEIGHTS, TaskFamily, Used

if TYPE_CHECKING:
    from runner.data.recorded import Wanted
    from runner.model.feed import Feed

_LIBRARIES = ("diffusers", "openvino", "optimum-intel", "transformers")
_PARTS = {
    "unet": "removes noise step by step; Stable Diffusion and Stable Diffusion XL",
    "transformer": "removes noise step by step; Stable Diffusion 3 and Flux",
    "text_encoder": "reads the text",
    "text_encoder_2": "reads the text too, where there are two",
    "text_encoder_3": "reads the text too, where there are three",
    "vae_encoder": "turns an image into latents",
    "vae_decoder": "turns latents into the image",
}
_MILD = ("text_encoder", "text_encoder_2", "text_encoder_3", "vae_encoder", "vae_decoder")
_EXAMPLE = f"""{WEIGHTS}parts:
  vae_decoder: none   # stays as it was converted
"""
_READS = tuple(part for part in _PARTS if part != "vae_encoder")
_TEXT, _IMAGE, _MASK = "OVPipelineForText2Image", "OVPipelineForImage2Image", "OVPipelineForInpainting"
_FROM_TEXT = """import openvino_genai
from PIL import Image

pipe = openvino_genai.Text2ImagePipeline("path/to/this/folder", "CPU")
image = pipe.generate("a lighthouse in a storm", width=512, height=512, num_inference_steps=20)
Image.fromarray(image.data[0]).save("image.png")"""
_FROM_IMAGE = """from diffusers.utils import load_image
from optimum.intel import {kind}

pipe = {kind}.from_pretrained("path/to/this/folder")
image = pipe("a lighthouse in a storm", image=load_image("image.png"){more}).images[0]
image.save("changed.png")"""


def _draw(folder: Path) -> Used:
    from runner.model import diffused

    return diffused.drawn(folder, _TEXT)


def _change(folder: Path) -> Used:
    from runner.model import diffused

    return diffused.drawn(folder, _IMAGE, image=True)


def _fill(folder: Path) -> Used:
    from runner.model import diffused

    return diffused.drawn(folder, _MASK, image=True, mask=True)


def _record(folder: Path, part: str, wanted: Wanted) -> Iterator[Feed]:
    from runner.data import recorded

    return recorded.of_pipeline(folder, _TEXT, part, wanted)


def _draws(
    name: str, help: str, use: Callable[[Path], Used], loaded_by: str, usage: str, predicts: tuple[Predicts, ...] = ()
) -> TaskFamily:
    return TaskFamily(
        name,
        help,
        use=use,
        parts=_PARTS,
        mild=_MILD,
        text_parts=_READS,
        record=_record,
        predicts=predicts,
        metrics=("image_psnr", "image_ssim", "clip_score") if predicts else (),
        users_load=loaded_by,
        libraries=_LIBRARIES,
        example=_EXAMPLE,
        usage=usage,
    )


TEXT_TO_IMAGE = _draws(
    "text-to-image",
    "an image is made from a text: Stable Diffusion, Stable Diffusion XL, Stable Diffusion 3, Flux",
    _draw,
    _TEXT,
    _FROM_TEXT,
    IMAGES,
)
IMAGE_TO_IMAGE = _draws(
    "image-to-image",
    "an image becomes another as a text says, by the same pipelines",
    _change,
    _IMAGE,
    _FROM_IMAGE.format(kind=_IMAGE, more=""),
)
INPAINTING = _draws(
    "inpainting",
    "the masked part of an image is made anew as a text says, by the same pipelines",
    _fill,
    _MASK,
    _FROM_IMAGE.format(kind=_MASK, more=', mask_image=load_image("mask.png")'),
)
