"""Makes model folders of a given geometry with random weights, as a model hub would serve them; no network, no torch.

The weights are standard normal times 0.02, drawn from `seed`; a folder is made once and is the same on every machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.geometry_tokenizers import END_OF_TEXT, write_bpe, write_json, write_tokenizer_json, write_wordpiece
from tests.geometry_weights import Shards, Tensors, Weights, save

DIALOGPT_ID = "microsoft/DialoGPT-small"
DIALOGPT_REVISION = "49c537161a457d5256512f9d2d38a87d81ae0f0e"


def _gpt2_config(layers: int, hidden: int, heads: int, vocab: int, positions: int) -> dict[str, Any]:
    return {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": vocab - 1,
        "embd_pdrop": 0.1,
        "eos_token_id": vocab - 1,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": positions,
        "n_embd": hidden,
        "n_head": heads,
        "n_layer": layers,
        "n_positions": positions,
        "resid_pdrop": 0.1,
        "vocab_size": vocab,
    }


def _gpt2_weights(layers: int, hidden: int, vocab: int, positions: int, dtype: str, seed: int) -> Tensors:
    """The tensors of GPT2LMHeadModel; Conv1D weights are [in, out]."""
    weights = Weights(seed, dtype)
    weights.normal("transformer.wte.weight", vocab, hidden)
    weights.normal("transformer.wpe.weight", positions, hidden)
    for layer in range(layers):
        block = f"transformer.h.{layer}"
        shapes = {"attn.c_attn": (1, 3), "attn.c_proj": (1, 1), "mlp.c_fc": (1, 4), "mlp.c_proj": (4, 1)}
        for name, (rows, columns) in shapes.items():
            weights.normal(f"{block}.{name}.weight", rows * hidden, columns * hidden)
            weights.normal(f"{block}.{name}.bias", columns * hidden)
        weights.norm(f"{block}.ln_1", hidden)
        weights.norm(f"{block}.ln_2", hidden)
    weights.norm("transformer.ln_f", hidden)
    return weights.tensors


def gpt2_folder(
    path: Path,
    *,
    layers: int = 12,
    hidden: int = 768,
    heads: int | None = None,
    vocab: int = 50257,
    positions: int = 1024,
    dtype: str = "float32",
    seed: int = 0,
    with_tokenizer_json: bool = True,
) -> Path:
    """A GPT-2 folder: config, generation config, safetensors in `dtype`, tokenizer; the defaults are GPT-2 small.

    Args:
        heads: attention heads; one a 64 hidden units where not given.
        with_tokenizer_json: False leaves vocab.json and merges.txt alone, as old models come.
    """
    path.mkdir(parents=True, exist_ok=True)
    config = _gpt2_config(layers, hidden, heads or max(1, hidden // 64), vocab, positions)
    write_json(path / "config.json", config | {"torch_dtype": dtype})
    write_json(path / "generation_config.json", {"bos_token_id": vocab - 1, "eos_token_id": vocab - 1})
    special = {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT}
    write_json(
        path / "tokenizer_config.json", {"model_max_length": positions, "tokenizer_class": "GPT2Tokenizer", **special}
    )
    write_bpe(path, vocab)
    if with_tokenizer_json:
        write_tokenizer_json(path, vocab)
    save(_gpt2_weights(layers, hidden, vocab, positions, dtype, seed), path / "model.safetensors")
    return path


def _old_buffers(layers: int, positions: int) -> Tensors:
    """The causal masks that old GPT-2 checkpoints hold beside their weights."""
    mask = np.tril(np.ones((positions, positions), np.float16)).reshape(1, 1, positions, positions)
    tensors: Tensors = {}
    for layer in range(layers):
        tensors[f"transformer.h.{layer}.attn.bias"] = mask
        tensors[f"transformer.h.{layer}.attn.masked_bias"] = np.array(-1e4, np.float16)
    return tensors


def _write_dialogpt(folder: Path, layers: int, hidden: int, vocab: int, positions: int, seed: int) -> None:
    config = _gpt2_config(layers, hidden, max(1, hidden // 64), vocab, positions)
    config |= {
        "summary_activation": None,
        "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "task_specific_params": {"conversational": {"max_length": 1000}},
    }
    write_json(folder / "config.json", config)
    generation = {"_from_model_config": True, "bos_token_id": vocab - 1, "eos_token_id": vocab - 1}
    write_json(folder / "generation_config.json", generation)
    conversational = {"bos_token_id": vocab - 1, "eos_token_id": vocab - 1, "max_length": 1000}
    write_json(folder / "generation_config_for_conversational.json", conversational)
    template = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
    write_json(folder / "tokenizer_config.json", {"model_max_length": positions, "chat_template": template})
    write_bpe(folder, vocab)
    tensors = _gpt2_weights(layers, hidden, vocab, positions, "float16", seed)
    tensors |= _old_buffers(layers, positions)
    save(tensors | {"lm_head.weight": tensors["transformer.wte.weight"].copy()}, folder / "model.safetensors")
    for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "README.md"):
        (folder / name).write_bytes(f"stands for {name}\n".encode())


def dialogpt_small_snapshot(
    hub_cache: Path,
    *,
    layers: int = 12,
    hidden: int = 768,
    vocab: int = 50257,
    positions: int = 1024,
    seed: int = 0,
    revision: str = DIALOGPT_REVISION,
) -> Path:
    """DialoGPT-small as a hub cache holds it after a download; returns `snapshots/<revision>`.

    fp16 safetensors of 351 MB with `attn.bias`, `attn.masked_bias` and `lm_head.weight`, the three pickles as small
    dummies, vocab.json and merges.txt without tokenizer.json, no pad token, no dtype in config.json.
    """
    from hashlib import sha256

    root = hub_cache / "models--microsoft--DialoGPT-small"
    snapshot, blobs = root / "snapshots" / revision, root / "blobs"
    for folder in (snapshot, blobs, root / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(revision, encoding="utf-8")
    _write_dialogpt(snapshot, layers, hidden, vocab, positions, seed)
    for file in sorted(snapshot.iterdir()):
        with file.open("rb") as stream:
            digest = sha256(stream.read()).hexdigest()
        file.replace(blobs / digest)
        file.symlink_to(Path("../../blobs") / digest)
    return snapshot


def llama_folder(
    path: Path,
    *,
    layers: int = 2,
    hidden: int = 128,
    intermediate: int = 256,
    heads: int = 4,
    kv_heads: int = 2,
    vocab: int = 512,
    positions: int = 256,
    dtype: str = "float32",
    seed: int = 0,
    shards: int = 0,
) -> Path:
    """A Llama folder with grouped-query attention and a byte-level BPE tokenizer; files of `shards` bytes if not 0."""
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": positions,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "vocab_size": vocab,
        "bos_token_id": vocab - 1,
        "eos_token_id": vocab - 1,
        "torch_dtype": dtype,
    }
    write_json(path / "config.json", config)
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TEXT,
        "bos_token": END_OF_TEXT,
    }
    write_json(path / "tokenizer_config.json", tokenizer_config)
    write_tokenizer_json(path, vocab)
    weights = Shards(path, shards, seed, dtype) if shards else Weights(seed, dtype)
    weights.normal("model.embed_tokens.weight", vocab, hidden)
    weights.normal("lm_head.weight", vocab, hidden)
    kv = hidden // heads * kv_heads
    for layer in range(layers):
        block = f"model.layers.{layer}"
        for name, rows in {"q": hidden, "k": kv, "v": kv, "o": hidden}.items():
            weights.normal(f"{block}.self_attn.{name}_proj.weight", rows, hidden)
        weights.normal(f"{block}.mlp.gate_proj.weight", intermediate, hidden)
        weights.normal(f"{block}.mlp.up_proj.weight", intermediate, hidden)
        weights.normal(f"{block}.mlp.down_proj.weight", hidden, intermediate)
        weights.norm(f"{block}.input_layernorm", hidden, bias=False)
        weights.norm(f"{block}.post_attention_layernorm", hidden, bias=False)
    weights.norm("model.norm", hidden, bias=False)
    weights.save(path)
    return path


def bert_folder(
    path: Path,
    *,
    layers: int = 2,
    hidden: int = 64,
    heads: int = 4,
    vocab: int = 512,
    positions: int = 128,
    dtype: str = "float32",
    seed: int = 0,
) -> Path:
    """A BERT encoder folder with a WordPiece tokenizer, such as sentence embedders are; for feature-extraction."""
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": positions,
        "vocab_size": vocab,
        "torch_dtype": dtype,
    }
    write_json(path / "config.json", config)
    write_wordpiece(path, vocab)
    weights = Weights(seed, dtype)
    for name, rows in {"word": vocab, "position": positions, "token_type": 2}.items():
        weights.normal(f"embeddings.{name}_embeddings.weight", rows, hidden)
    weights.norm("embeddings.LayerNorm", hidden)
    for layer in range(layers):
        block = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            weights.linear(f"{block}.attention.self.{name}", hidden, hidden)
        weights.linear(f"{block}.attention.output.dense", hidden, hidden)
        weights.linear(f"{block}.intermediate.dense", 2 * hidden, hidden)
        weights.linear(f"{block}.output.dense", hidden, 2 * hidden)
        weights.norm(f"{block}.attention.output.LayerNorm", hidden)
        weights.norm(f"{block}.output.LayerNorm", hidden)
    save(weights.tensors, path / "model.safetensors")
    return path


def vit_folder(
    path: Path, *, layers: int = 2, hidden: int = 64, heads: int = 4, labels: int = 5, seed: int = 0
) -> Path:
    """A Vision Transformer folder for image-classification of 32 x 32 RGB images in patches of 8 x 8."""
    path.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["ViTForImageClassification"],
        "model_type": "vit",
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": 32,
        "patch_size": 8,
        "id2label": {str(label): f"label {label}" for label in range(labels)},
        "label2id": {f"label {label}": label for label in range(labels)},
    }
    write_json(path / "config.json", config)
    size = {"height": 32, "width": 32}
    write_json(path / "preprocessor_config.json", {"image_processor_type": "ViTImageProcessor", "size": size})
    weights = Weights(seed, "float32")
    weights.normal("vit.embeddings.cls_token", 1, 1, hidden)
    weights.normal("vit.embeddings.position_embeddings", 1, 17, hidden)
    weights.normal("vit.embeddings.patch_embeddings.projection.weight", hidden, 3, 8, 8)
    weights.normal("vit.embeddings.patch_embeddings.projection.bias", hidden)
    for layer in range(layers):
        block = f"vit.encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            weights.linear(f"{block}.attention.attention.{name}", hidden, hidden)
        weights.linear(f"{block}.attention.output.dense", hidden, hidden)
        weights.linear(f"{block}.intermediate.dense", 2 * hidden, hidden)
        weights.linear(f"{block}.output.dense", hidden, 2 * hidden)
        weights.norm(f"{block}.layernorm_before", hidden)
        weights.norm(f"{block}.layernorm_after", hidden)
    weights.norm("vit.layernorm", hidden)
    weights.linear("classifier", labels, hidden)
    save(weights.tensors, path / "model.safetensors")
    return path
