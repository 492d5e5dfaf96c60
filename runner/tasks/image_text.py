"""Models that write a text about images and another text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.registry.predicting import DESCRIPTIONS
from runner.registry.tasks import WRITING, TaskFamily, Used

if TYPE_CHECKING:
    from runner.data.recorded import Wanted
    from runner.model.feed import Feed

_LOADED_BY = "OVModelForVisualCausalLM"
_EACH_LAYER = "text_embeddings_per_layer"


def _use(folder: Path) -> Used:
    from runner.model import sight

    return sight.described(folder, _LOADED_BY)


def _record(folder: Path, part: str, wanted: Wanted) -> Iterator[Feed]:
    from runner.data import described

    return described.of_image_texts(folder, _LOADED_BY, part, wanted)


IMAGE_TEXT_TO_TEXT = TaskFamily(
    "image-text-to-text",
    "a text is written about images and a question: LLaVA, LLaVA-NeXT, Gemma 3, Gemma 4",
    use=_use,
    gives="text",
    predicts=DESCRIPTIONS,
    architectures=tuple(f"{name}ForConditionalGeneration" for name in ("Llava", "LlavaNext", "Gemma3", "Gemma4")),
    parts={
        "language_model": "writes the text, token by token",
        "text_embeddings": "tokens become embeddings",
        "vision_embeddings": "images become embeddings",
    },
    more_parts={kind: {_EACH_LAYER: "tokens become what each layer adds"} for kind in ("gemma3n", "gemma4")},
    mild=("text_embeddings", "vision_embeddings", _EACH_LAYER),
    image_parts=("language_model", "vision_embeddings"),
    record=_record,
    users_load=_LOADED_BY,
    processor="AutoProcessor",
    example="""compression:
  algorithm: weight_compression
  mode: int4_sym    # of the language model; images and embeddings get int8_sym
  group_size: 64
""",
    revision=2,
    libraries=WRITING,
    usage="""import numpy as np
import openvino as ov
import openvino_genai
from PIL import Image

pipe = openvino_genai.VLMPipeline("path/to/this/folder", "CPU")
image = ov.Tensor(np.array(Image.open("image.png").convert("RGB")))
print(pipe.generate("What is to be seen?", image=image, max_new_tokens=64))""",
)
