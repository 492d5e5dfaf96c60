"""Models of several tasks in the sizes that people use, with random weights: `python -m bench.task_models FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tests.geometry_tokenizers import write_json, write_tokenizer_json, write_wordpiece
from tests.tiny_models import processor, save

_FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}


def _t5(folder: Path) -> None:
    """T5-small, 60 M."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(decoder_start_token_id=0)
    write_tokenizer_json(save(folder, T5ForConditionalGeneration(config)), 32_100)
    write_json(folder / "tokenizer_config.json", _FAST)


def _whisper(folder: Path) -> None:
    """Whisper-tiny, 38 M."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    save(folder, WhisperForConditionalGeneration(WhisperConfig()))
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    write_tokenizer_json(folder, 51_865)
    write_json(folder / "tokenizer_config.json", _FAST)


def _vit(folder: Path) -> None:
    """ViT-base for patches of 16, 86 M."""
    from transformers import ViTConfig, ViTForImageClassification

    save(folder, ViTForImageClassification(ViTConfig(num_labels=1000)))
    processor(folder, "ViTImageProcessor", size={"height": 224, "width": 224})


def _clip(folder: Path) -> None:
    """CLIP-B/32, 151 M."""
    from transformers import CLIPConfig, CLIPModel

    save(folder, CLIPModel(CLIPConfig()))
    processor(folder, "CLIPImageProcessor", size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224})
    write_tokenizer_json(folder, 49_408)
    write_json(folder / "tokenizer_config.json", {**_FAST, "model_max_length": 77})


def _minilm(folder: Path) -> None:
    """MiniLM-L6, 22 M."""
    from transformers import BertConfig, BertModel

    sizes = {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}
    write_wordpiece(save(folder, BertModel(BertConfig(**sizes))), 30_522)


def _llava(folder: Path) -> None:
    """LLaVA's geometry with 162 M weights: images of 224, of which a text has 196 places."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 8}
    text = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**vision, image_size=224, patch_size=16),
        text_config=LlamaConfig(**text, num_key_value_heads=12, max_position_embeddings=1024, vocab_size=32_000),
        image_token_index=31_999,
        image_seq_length=196,
    )
    save(folder, LlavaForConditionalGeneration(config))
    processor(folder, "CLIPImageProcessor", size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224})
    settings = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    write_json(folder / "processor_config.json", {"processor_class": "LlavaProcessor", **settings})
    write_tokenizer_json(folder, 32_000, "<image>")
    write_json(folder / "tokenizer_config.json", _FAST)


MODELS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "t5-small": ("text2text-generation-with-past", _t5),
    "whisper-tiny": ("automatic-speech-recognition-with-past", _whisper),
    "vit-base": ("image-classification", _vit),
    "clip-b32": ("zero-shot-image-classification", _clip),
    "minilm": ("feature-extraction", _minilm),
    "llava": ("image-text-to-text", _llava),
}
"""Name -> Optimum's task, and what writes the folder."""


def main(folder: Path) -> None:
    """Write all of them."""
    import torch

    for name, (_, make) in MODELS.items():
        torch.manual_seed(0)
        (folder / name).mkdir(parents=True)
        make(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
