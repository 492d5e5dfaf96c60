"""Images of texts that the users' own libraries draw: `python -m tests.drawings KIND FOLDER OUT TEXTS SEED`.

KIND is `diffusers` for a pipeline in PyTorch, or `openvino` for a folder that ovrun published. TEXTS is a JSON list.
The image of text i is drawn from noise of the seed SEED + i, 64 x 64 and in 2 steps, as Pillow has it; OUT is an array
[texts, 64, 64, 3] of 8 bits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from runner.recipe.accuracy import RUNTIME

SIDE, STEPS = 64, 2


def pipeline(kind: str, folder: str) -> Any:
    if kind == "diffusers":
        from diffusers import StableDiffusionPipeline

        return StableDiffusionPipeline.from_pretrained(folder)
    from optimum.intel import OVStableDiffusionPipeline

    return OVStableDiffusionPipeline.from_pretrained(folder, ov_config=dict(RUNTIME))


def main(kind: str, folder: str, out: Path, texts: list[str], seed: int) -> None:
    """Draw and save."""
    import torch

    pipe = pipeline(kind, folder)
    settings = {"num_inference_steps": STEPS, "height": SIDE, "width": SIDE, "guidance_scale": 5.0}
    drawn = [
        np.asarray(pipe(text, generator=torch.Generator().manual_seed(seed + place), **settings).images[0])
        for place, text in enumerate(texts)
    ]
    np.save(out, np.stack(drawn))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]), int(sys.argv[5]))
