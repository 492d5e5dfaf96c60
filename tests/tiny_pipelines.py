"""Makes a pipeline folder of each kind with random weights, by diffusers: `python -m tests.tiny_pipelines FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.geometry_tokenizers import write_json

_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
_ENDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "vocab_size": 96}
_LENGTH = 77
_BLOCKS = {"block_out_channels": (32, 64), "layers_per_block": 1, "norm_num_groups": 32}


def _tokenizer(folder: Path) -> Any:
    """A CLIP tokenizer whose words are single characters."""
    from transformers import CLIPTokenizer

    ends = ["<|startoftext|>", "<|endoftext|>"]
    letters = [chr(code) for code in range(97, 123)]
    words = [*ends, *letters, *(f"{one}</w>" for one in letters)]
    folder.mkdir(parents=True)
    write_json(folder / "vocab.json", {word: index for index, word in enumerate(words)})
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=_LENGTH)


def _clip(*, projected: bool = False) -> Any:
    import transformers

    config = transformers.CLIPTextConfig(**_TEXT, **_ENDS, projection_dim=32, max_position_embeddings=_LENGTH)
    return (transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel)(config).eval()


def _t5(folder: Path, width: int) -> tuple[Any, Any]:
    """A T5 encoder and its tokenizer."""
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    from tests.geometry_tokenizers import END_OF_TEXT, write_tokenizer_json

    folder.mkdir(parents=True)
    write_tokenizer_json(folder, 400)
    config = T5Config(d_model=width, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=400)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        pad_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        model_max_length=_LENGTH,
    )
    return T5EncoderModel(config).eval(), tokenizer


def _vae(channels: int = 4, **more: Any) -> Any:
    from diffusers import AutoencoderKL

    kinds = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
    return AutoencoderKL(**_BLOCKS, **kinds, latent_channels=channels, sample_size=32, **more)


def _unet(width: int, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    kinds = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    return UNet2DConditionModel(**_BLOCKS, **{**kinds, **more}, sample_size=16, cross_attention_dim=width)


def _stable_diffusion(scratch: Path) -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_tokenizer(scratch / "tokenizer"),
        unet=_unet(32, attention_head_dim=4),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _stable_diffusion_xl(scratch: Path) -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    added = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 32 + 6 * 8,
        "transformer_layers_per_block": (1, 1),
        "attention_head_dim": (2, 4),
        "use_linear_projection": True,
    }
    return StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        text_encoder_2=_clip(projected=True),
        tokenizer=_tokenizer(scratch / "tokenizer"),
        tokenizer_2=_tokenizer(scratch / "tokenizer_2"),
        unet=_unet(64, **added),
        scheduler=EulerDiscreteScheduler(),
    )


def _stable_diffusion_3(scratch: Path) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=1,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=64,
        pooled_projection_dim=64,
        out_channels=4,
        pos_embed_max_size=32,
    )
    encoder, tokenizer = _t5(scratch / "tokenizer_3", 64)
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(4, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=_clip(projected=True),
        tokenizer=_tokenizer(scratch / "tokenizer"),
        text_encoder_2=_clip(projected=True),
        tokenizer_2=_tokenizer(scratch / "tokenizer_2"),
        text_encoder_3=encoder,
        tokenizer_3=tokenizer,
    )


def _flux(scratch: Path) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    encoder, tokenizer = _t5(scratch / "tokenizer_2", 32)
    return FluxPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(4, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=_clip(),
        tokenizer=_tokenizer(scratch / "tokenizer"),
        text_encoder_2=encoder,
        tokenizer_2=tokenizer,
    )


PIPELINES: dict[str, Callable[[Path], Any]] = {
    "stable-diffusion": _stable_diffusion,
    "stable-diffusion-xl": _stable_diffusion_xl,
    "stable-diffusion-3": _stable_diffusion_3,
    "flux": _flux,
}


def main(folder: Path, names: list[str]) -> None:
    """Write the folders that are named, by default all."""
    import tempfile

    import torch

    for name in names or list(PIPELINES):
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as scratch:
            PIPELINES[name](Path(scratch)).save_pretrained(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
