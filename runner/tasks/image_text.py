"""Models that write a text about images and another text."""

from pathlib import Path

from runner.registry.tasks import WRITING, TaskFamily, Used

_LOADED_BY = "OVModelForVisualCausalLM"


def _use(folder: Path) -> Used:
    from runner.model import sight

    return sight.described(folder, _LOADED_BY)


IMAGE_TEXT_TO_TEXT = TaskFamily(
    "image-text-to-text",
    "a text is written about images and a question: LLaVA, LLaVA-NeXT",
    use=_use,
    gives="text",
    architectures=("LlavaForConditionalGeneration", "LlavaNextForConditionalGeneration"),
    parts={
        "language_model": "writes the text, token by token",
        "text_embeddings": "tokens become embeddings",
        "vision_embeddings": "images become embeddings",
    },
    mild=("text_embeddings", "vision_embeddings"),
    users_load=_LOADED_BY,
    processor="AutoProcessor",
    example="""compression:
  algorithm: weight_compression
  mode: int4_sym    # of the language model; images and embeddings get int8_sym
  group_size: 64
""",
    libraries=WRITING,
    usage="""import numpy as np
import openvino as ov
import openvino_genai
from PIL import Image

pipe = openvino_genai.VLMPipeline("path/to/this/folder", "CPU")
image = ov.Tensor(np.array(Image.open("image.png").convert("RGB")))
print(pipe.generate("What is to be seen?", image=image, max_new_tokens=64))""",
)
