"""Makes model folders of a given geometry with random weights, as a model hub would serve them; no network, no torch.

The weights are standard normal times 0.02, drawn from `seed`; a folder is made once and is the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np

DIALOGPT_ID = "microsoft/DialoGPT-small"
DIALOGPT_REVISION = "49c537161a457d5256512f9d2d38a87d81ae0f0e"
END_OF_TEXT = "<|endoftext|>"

Tensors = dict[str, np.ndarray]


class _Weights:
    """Random tensors by name, cut from one pool of normal values so that large models take no longer than a copy."""

    def __init__(self, seed: int, dtype: str) -> None:
        self._rng = np.random.default_rng(seed)
        self._pool = (self._rng.standard_normal(1 << 20, dtype=np.float32) * 0.02).astype(dtype)
        self.dtype = np.dtype(dtype)
        self.tensors: Tensors = {}

    def normal(self, name: str, *shape: int) -> None:
        """A tensor of `shape`, each row block from another place of the pool."""
        size = int(np.prod(shape))
        flat = np.empty(size, self.dtype)
        step = len(self._pool) // 2
        for start in range(0, size, step):
            offset = int(self._rng.integers(0, step))
            stop = min(start + step, size)
            flat[start:stop] = self._pool[offset : offset + stop - start]
        self.tensors[name] = flat.reshape(shape)

    def norm(self, name: str, size: int, *, bias: bool = True) -> None:
        """The weight (about one) and bias (about zero) of a normalisation layer."""
        self.normal(f"{name}.weight", size)
        self.tensors[f"{name}.weight"] += self.dtype.type(1.0)
        if bias:
            self.normal(f"{name}.bias", size)


def _byte_alphabet() -> list[str]:
    """The 256 printable characters that stand for the bytes in byte-level BPE, in GPT-2's order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(code) for code in [*printable, *range(256, 256 + len(others))]]


def _merges() -> Iterator[tuple[str, str]]:
    """Merge rules without end and without repetition: words of growing length over the small letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["Ġ", *letters]
    while True:
        yield from product(words, letters)
        words = [word + letter for word, letter in product(words, letters)]


def byte_level_bpe(size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-level BPE vocabulary of exactly `size` entries, the last `<|endoftext|>`, and its merge rules."""
    merges = list(islice(_merges(), size - 257))
    tokens = [*_byte_alphabet(), *(left + right for left, right in merges), END_OF_TEXT]
    return {token: index for index, token in enumerate(tokens)}, merges


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_bpe(folder: Path, size: int) -> None:
    """vocab.json and merges.txt, GPT-2's original tokenizer files."""
    vocabulary, merges = byte_level_bpe(size)
    _write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_tokenizer_json(folder: Path, size: int) -> None:
    """tokenizer.json of a byte-level BPE tokenizer, for a fast tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary, merges = byte_level_bpe(size)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([END_OF_TEXT])
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_wordpiece(folder: Path, size: int) -> None:
    """vocab.txt and tokenizer_config.json of a BERT tokenizer with `size` entries."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = (
        "".join(letters) for length in (1, 2, 3) for letters in product("abcdefghijklmnopqrstuvwxyz", repeat=length)
    )
    tokens = [*special, *islice(words, size - len(special))]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 128})


def _save(tensors: Tensors, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, str(path), metadata={"format": "pt"})


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
    weights = _Weights(seed, dtype)
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
    _write_json(path / "config.json", config | {"torch_dtype": dtype})
    _write_json(path / "generation_config.json", {"bos_token_id": vocab - 1, "eos_token_id": vocab - 1})
    special = {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT}
    _write_json(
        path / "tokenizer_config.json", {"model_max_length": positions, "tokenizer_class": "GPT2Tokenizer", **special}
    )
    _write_bpe(path, vocab)
    if with_tokenizer_json:
        _write_tokenizer_json(path, vocab)
    _save(_gpt2_weights(layers, hidden, vocab, positions, dtype, seed), path / "model.safetensors")
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
    _write_json(folder / "config.json", config)
    generation = {"_from_model_config": True, "bos_token_id": vocab - 1, "eos_token_id": vocab - 1}
    _write_json(folder / "generation_config.json", generation)
    conversational = {"bos_token_id": vocab - 1, "eos_token_id": vocab - 1, "max_length": 1000}
    _write_json(folder / "generation_config_for_conversational.json", conversational)
    template = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
    _write_json(folder / "tokenizer_config.json", {"model_max_length": positions, "chat_template": template})
    _write_bpe(folder, vocab)
    tensors = _gpt2_weights(layers, hidden, vocab, positions, "float16", seed)
    tensors |= _old_buffers(layers, positions)
    _save(tensors | {"lm_head.weight": tensors["transformer.wte.weight"].copy()}, folder / "model.safetensors")
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
) -> Path:
    """A Llama folder with grouped-query attention and a byte-level BPE tokenizer."""
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
    _write_json(path / "config.json", config)
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END_OF_TEXT,
        "bos_token": END_OF_TEXT,
    }
    _write_json(path / "tokenizer_config.json", tokenizer_config)
    _write_tokenizer_json(path, vocab)
    weights = _Weights(seed, dtype)
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
    _save(weights.tensors, path / "model.safetensors")
    return path
