"""Makes a model folder of each task with random weights, by transformers: `python -m tests.tiny_models FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.geometry_tokenizers import pieces, write_characters, write_json, write_tokenizer_json, write_wordpiece
from tests.tiny_finders import FINDERS
from tests.tiny_gemma import gemma3, gemma4

VOCABULARY = 400
_TEXT = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_LAYERS = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
_HALVES = {
    **{f"{half}_{what}": size for half in ("encoder", "decoder") for what, size in
       {"layers": 1, "attention_heads": 4, "ffn_dim": 128}.items()},
    "d_model": 64,
}  # fmt: skip


def save(folder: Path, model: Any) -> Path:
    """Write a model of transformers; its folder."""
    model.eval().save_pretrained(folder)
    return folder


def processor(folder: Path, kind: str, **settings: Any) -> None:
    """Write preprocessor_config.json, whose class needs torchvision to write it."""
    cropped = {"do_center_crop": True} if "crop_size" in settings else {}
    write_json(folder / "preprocessor_config.json", {"image_processor_type": kind, **cropped, **settings})


def _bert(kind: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        import transformers

        config = transformers.BertConfig(**_LAYERS, vocab_size=VOCABULARY, num_labels=2)
        write_wordpiece(save(folder, getattr(transformers, kind)(config)), VOCABULARY)

    return make


def _t5(folder: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, decoder_start_token_id=0, **_TEXT)
    write_tokenizer_json(save(folder, T5ForConditionalGeneration(config)), VOCABULARY)
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})


def _bart(folder: Path) -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(max_position_embeddings=64, decoder_start_token_id=2, **_HALVES, **_TEXT)
    write_tokenizer_json(save(folder, BartForConditionalGeneration(config)), VOCABULARY)
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})


def _mbart(folder: Path) -> None:
    from transformers import MBartConfig, MBartForConditionalGeneration, MBartTokenizer
    from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES as LANGUAGES

    ends = {**_TEXT, "pad_token_id": 1, "bos_token_id": 0, "decoder_start_token_id": 2, "forced_eos_token_id": 2}
    config = MBartConfig(max_position_embeddings=64, **_HALVES, **ends)
    save(folder, MBartForConditionalGeneration(config))
    own = len(LANGUAGES) + 1  # and "<mask>"
    vocabulary = pieces("<s>", "<pad>", "</s>", "<unk>", size=VOCABULARY - own)
    MBartTokenizer(vocab=vocabulary, src_lang="en_XX", tgt_lang="de_DE").save_pretrained(folder)


def _pegasus(folder: Path) -> None:
    from transformers import PegasusConfig, PegasusForConditionalGeneration, PegasusTokenizer

    ends = {**_TEXT, "eos_token_id": 1, "decoder_start_token_id": 0}
    save(folder, PegasusForConditionalGeneration(PegasusConfig(max_position_embeddings=64, **_HALVES, **ends)))
    masks = ("<mask_2>", "<mask_1>", *(f"<unk_{number}>" for number in range(2, 103)))
    PegasusTokenizer(vocab=pieces("<pad>", "</s>", "<unk>", *masks, size=VOCABULARY)).save_pretrained(folder)


def _vit(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    save(folder, ViTForImageClassification(ViTConfig(**_LAYERS, image_size=48, patch_size=16, num_labels=5)))
    processor(folder, "ViTImageProcessor", size={"height": 48, "width": 48})


def _segformer(folder: Path) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    sizes = {
        "hidden_sizes": [16, 16, 32, 32],
        "depths": [1, 1, 1, 1],
        "decoder_hidden_size": 32,
        "num_attention_heads": [1, 1, 2, 2],
    }
    save(folder, SegformerForSemanticSegmentation(SegformerConfig(**sizes, num_labels=4)))
    processor(folder, "SegformerImageProcessor", size={"height": 64, "width": 96})


def _clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPModel

    text = {**_LAYERS, **_TEXT, "max_position_embeddings": 32}
    vision = {**_LAYERS, "image_size": 32, "patch_size": 16}
    save(folder, CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)))
    processor(folder, "CLIPImageProcessor", size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    write_tokenizer_json(folder, VOCABULARY)
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 32})


def _siglip(folder: Path) -> None:
    from transformers import SiglipConfig, SiglipModel

    text = {**_LAYERS, **_TEXT, "max_position_embeddings": 16, "projection_size": 64}
    vision = {**_LAYERS, "image_size": 32, "patch_size": 16}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    model.logit_bias.data.fill_(-10)  # where a training of SigLIP starts
    save(folder, model)
    processor(folder, "SiglipImageProcessor", size={"height": 32, "width": 32})
    write_tokenizer_json(folder, VOCABULARY)
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 16})


def _wav2vec2(kind: str) -> Callable[[Path], None]:
    return lambda folder: _listening(folder, kind)


def _listening(folder: Path, kind: str) -> None:
    import transformers

    layers = {"conv_dim": [32] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    config = transformers.Wav2Vec2Config(**_LAYERS, **layers, num_labels=3, classifier_proj_size=32, vocab_size=32)
    save(folder, getattr(transformers, kind)(config))
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)


def _whisper(folder: Path) -> None:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    ends = {**_TEXT, "decoder_start_token_id": 1}
    config = WhisperConfig(max_source_positions=1500, max_target_positions=64, num_mel_bins=80, **_HALVES, **ends)
    save(folder, WhisperForConditionalGeneration(config))
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    write_tokenizer_json(folder, VOCABULARY)
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})


def _speecht5(folder: Path) -> None:
    from transformers import SpeechT5Config, SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5HifiGanConfig

    sizes = {
        "hidden_size": 64,
        "speech_decoder_prenet_units": 32,
        "speech_decoder_postnet_units": 32,
        "conv_dim": [32] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
        "max_text_positions": 64,
        "max_speech_positions": 128,
    }
    config = SpeechT5Config(**_HALVES, **sizes, vocab_size=81)
    save(folder, SpeechT5ForTextToSpeech(config))
    blocks = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]]}
    rates = {"upsample_initial_channel": 64, "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8]}
    write_characters(folder, "SpeechT5Tokenizer")
    save(folder / "vocoder", SpeechT5HifiGan(SpeechT5HifiGanConfig(**rates, **blocks)))


def _llava(*, tiles: bool = False) -> Callable[[Path], None]:
    """LLaVA, or with `tiles` LLaVA-NeXT, which cuts an image into pieces."""
    return lambda folder: _seeing(folder, tiles)


def _seeing(folder: Path, tiles: bool) -> None:
    import transformers

    kind = "LlavaNext" if tiles else "Llava"
    grid = {"image_grid_pinpoints": [[32, 64], [64, 32], [64, 64]]} if tiles else {}
    config = getattr(transformers, f"{kind}Config")(
        vision_config=transformers.CLIPVisionConfig(**_LAYERS, image_size=32, patch_size=8),
        text_config=transformers.LlamaConfig(**_LAYERS, num_key_value_heads=2, max_position_embeddings=256, **_TEXT),
        image_token_index=VOCABULARY - 1,
        vision_feature_layer=-1,
        image_seq_length=16,
        **grid,
    )
    save(folder, getattr(transformers, f"{kind}ForConditionalGeneration")(config))
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    processor(folder, "LlavaNextImageProcessor" if tiles else "CLIPImageProcessor", **sizes, **grid)
    settings = {"processor_class": f"{kind}Processor", "patch_size": 8, "vision_feature_select_strategy": "default"}
    settings["num_additional_image_tokens"] = 1
    write_json(folder / "processor_config.json", settings)
    write_tokenizer_json(folder, VOCABULARY, "<image>")
    chat = (
        "{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}"
        "{% for one in message.content %}{{ one.text if one.type == 'text' else '<image>' }}{% endfor %}"
        "{% endif %}{% endfor %}"
    )
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": chat})


MODELS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "bert-classes": ("text-classification", _bert("BertForSequenceClassification")),
    "bert-tokens": ("token-classification", _bert("BertForTokenClassification")),
    "bert-answers": ("question-answering", _bert("BertForQuestionAnswering")),
    "bert-choices": ("multiple-choice", _bert("BertForMultipleChoice")),
    "bert-masks": ("fill-mask", _bert("BertForMaskedLM")),
    "bert-features": ("feature-extraction", _bert("BertModel")),
    "t5": ("text2text-generation-with-past", _t5),
    "bart": ("text2text-generation-with-past", _bart),
    "mbart": ("text2text-generation-with-past", _mbart),
    "pegasus": ("text2text-generation-with-past", _pegasus),
    "vit": ("image-classification", _vit),
    "segformer": ("semantic-segmentation", _segformer),
    **FINDERS,
    "clip": ("zero-shot-image-classification", _clip),
    "siglip": ("zero-shot-image-classification", _siglip),
    "speecht5": ("text-to-audio", _speecht5),
    "llava": ("image-text-to-text", _llava()),
    "wav2vec2": ("audio-classification", _wav2vec2("Wav2Vec2ForSequenceClassification")),
    "wav2vec2-ctc": ("automatic-speech-recognition", _wav2vec2("Wav2Vec2ForCTC")),
    "whisper": ("automatic-speech-recognition-with-past", _whisper),
}
"""Name -> Optimum's task, and what writes the folder."""
OTHERS: dict[str, Callable[[Path], None]] = {"llava-next": _llava(tiles=True), "gemma3": gemma3, "gemma4": gemma4}
"""Models of the same tasks that are fed in another way."""


def main(folder: Path, names: list[str]) -> None:
    """Write the folders that are named, by default all."""
    import torch

    for name in names or [*MODELS, *OTHERS]:
        torch.manual_seed(0)
        (folder / name).mkdir(parents=True)
        make = OTHERS[name] if name in OTHERS else MODELS[name][1]
        make(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
