"""How far the image of a published pipeline is from that of the original in PyTorch, drawn from the same noise.

`python -m tests.agreement_pipelines MODEL VERSION`

Printed is JSON: who drew -> ||a - b|| / ||a||, a being the image that diffusers draws; of OpenVINO GenAI, which draws
other noise, the shape of its image.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from runner.artifact.published import Version
from runner.base.python import without_telemetry
from runner.export.comparing import relative_l2
from runner.registry.tasks import family_of

_SIDE, _STEPS = 64, 2


def main(original: Path, published: Path) -> None:
    """Draw with all three."""
    without_telemetry()
    from diffusers import DiffusionPipeline

    task = Version(published).manifest["model"]["task"]
    kind = getattr(importlib.import_module("optimum.intel"), family_of(task).users_load)
    wanted = drawn(DiffusionPipeline.from_pretrained(original))
    got = drawn(kind.from_pretrained(published, ov_config={"INFERENCE_PRECISION_HINT": "f32"}))
    print(json.dumps({"optimum-intel": relative_l2(wanted, got), "openvino-genai": by_genai(published)}))


def drawn(pipe: Any) -> Any:
    """The image of a pipeline, [1, height, width, 3]."""
    import torch

    pipe.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(0)
    options = {"height": _SIDE, "width": _SIDE, "num_inference_steps": _STEPS, "output_type": "np"}
    image = pipe("a text", generator=noise, **options).images
    assert np.isfinite(image).all() and image.std() > 0
    return image


def by_genai(published: Path) -> list[int]:
    """The shape of an image of OpenVINO GenAI."""
    import openvino_genai

    pipe = openvino_genai.Text2ImagePipeline(str(published), "CPU")
    image = pipe.generate("a text", width=_SIDE, height=_SIDE, num_inference_steps=_STEPS)
    return list(image.data.shape)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
