"""Gemma 3 and Gemma 4 that see, with random weights: models of images and texts for `tests.tiny_models`."""

from __future__ import annotations

from pathlib import Path

from tests.geometry_tokenizers import pieces, write_json

_VOCABULARY = 400
_LAYERS = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
_TEXT = {
    **{"vocab_size": _VOCABULARY, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1, "num_key_value_heads": 2},
    **{"head_dim": 16, "max_position_embeddings": 256, "sliding_window": 64},
    "layer_types": ["sliding_attention", "full_attention"],
}
_SPECIAL = ("image", "boi", "eoi", "audio", "video")
_CHAT = (
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for one in message.content %}{{ '<image>' if one.type == 'image' else one.text }}{% endfor %}"
    "{% endif %}{% endfor %}"
)


def gemma3(folder: Path) -> None:
    import transformers

    config = transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(**_LAYERS, **_TEXT),
        vision_config=transformers.SiglipVisionConfig(**_LAYERS, image_size=32, patch_size=8),
        mm_tokens_per_image=4,
        image_token_index=_VOCABULARY - 1,
        boi_token_index=_VOCABULARY - 2,
        eoi_token_index=_VOCABULARY - 3,
    )
    model = transformers.Gemma3ForConditionalGeneration(config).eval()
    model.model.multi_modal_projector.mm_input_projection_weight.data.normal_(std=0.02)  # else it sees nothing
    model.save_pretrained(folder)
    size = {"size": {"height": 32, "width": 32}, "image_seq_length": 4}
    write_json(folder / "preprocessor_config.json", {"image_processor_type": "Gemma3ImageProcessor", **size})
    write_json(folder / "processor_config.json", {"processor_class": "Gemma3Processor", "image_seq_length": 4})
    _tokenizer(folder, "<start_of_image>", ["<end_of_image>", "<start_of_image>", "<image_soft_token>"])


def gemma4(folder: Path) -> None:
    """As Gemma 4 E2B: what each layer adds has embeddings of its own; one file has all settings of the processor."""
    import transformers

    layered = {"vocab_size_per_layer_input": _VOCABULARY, "hidden_size_per_layer_input": 16, "global_head_dim": 32}
    patches = {"patch_size": 4, "pooling_kernel_size": 2}
    config = transformers.Gemma4Config(
        text_config=transformers.Gemma4TextConfig(**_LAYERS, **_TEXT, **layered),
        vision_config=transformers.Gemma4VisionConfig(
            **_LAYERS, **patches, num_key_value_heads=4, head_dim=16, position_embedding_size=128
        ),
        **{f"{name}_token_id": _VOCABULARY - 1 - place for place, name in enumerate(_SPECIAL)},
    )
    transformers.Gemma4ForConditionalGeneration(config).eval().save_pretrained(folder)
    image = {"image_processor_type": "Gemma4ImageProcessor", **patches, "max_soft_tokens": 70}
    settings = {"processor_class": "Gemma4Processor", "image_seq_length": 70, "image_processor": image}
    write_json(folder / "processor_config.json", settings)
    _tokenizer(folder, "<|image|>", ["<|video|>", "<|audio|>", "<image|>", "<|image>", "<|image|>"])


def _tokenizer(folder: Path, asked: str, special: list[str]) -> None:
    """A tokenizer of letters; its last tokens are where an image ends, begins and stands, and a chat has `asked`."""
    from transformers import GemmaTokenizer

    first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = [piece for piece, _ in pieces(size=27)]
    unused = [f"<unused{number}>" for number in range(_VOCABULARY - len(first) - len(letters) - len(special))]
    names = dict(zip(("eoi_token", "boi_token", "image_token"), special[-3:], strict=True))
    vocabulary = {token: number for number, token in enumerate([*first, *letters, *unused, *special])}
    tokenizer = GemmaTokenizer(vocab=vocabulary, extra_special_tokens=names)
    tokenizer.chat_template = _CHAT.replace("<image>", asked)
    tokenizer.save_pretrained(folder)
