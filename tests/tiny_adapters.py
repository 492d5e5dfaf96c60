"""Makes PEFT adapters with random weights, and the model that PEFT merges one into: `python -m tests.tiny_adapters`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from runner.export.comparing import relative_l2
from tests.geometry_tokenizers import write_json, write_tokenizer_json

METHODS = ("LoraConfig", "IA3Config", "LoHaConfig", "LoKrConfig")
LAYERS = {"gpt2": "c_attn", "llama": "q_proj"}


def make(kind: str, method: str, base: Path, adapter: Path) -> None:
    """Save a model and an adapter of it."""
    import peft
    import torch
    import transformers

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 400, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "gpt2":
        config = transformers.GPT2Config(n_layer=2, n_embd=64, n_head=4, n_positions=64, **sizes)
    else:
        layers = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
        config = transformers.LlamaConfig(max_position_embeddings=64, **layers, **sizes)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(base)
    write_tokenizer_json(base, sizes["vocab_size"])
    write_json(base / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    targets = {"target_modules": [LAYERS[kind]]}
    feedforward = {"feedforward_modules": []} if method == "IA3Config" else {}
    settings = getattr(peft, method)(task_type="CAUSAL_LM", **targets, **feedforward)
    adapted = peft.get_peft_model(model, settings)
    for name, weight in adapted.named_parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, mean=float("ia3" in name), std=0.2)
    adapted.save_pretrained(adapter)


def distances(base: Path, adapter: Path, version: Path) -> dict[str, float]:
    """How far a version's logits are from those of PEFT's merged model and of the base: relative L2."""
    import numpy as np
    import openvino as ov
    import peft
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(base).eval()
    ids = torch.arange(1, 17)[None]
    with torch.no_grad():
        alone = model(ids).logits.numpy()
        merged = peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()(ids).logits.numpy()
    compiled = ov.Core().compile_model(version / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    fed = {"input_ids": ids.numpy(), "attention_mask": np.ones((1, 16), np.int64)}
    whole = fed | {"position_ids": np.arange(16)[None], "beam_idx": np.zeros(1, np.int32)}
    named = {port.get_any_name() for port in compiled.inputs}
    found = compiled({name: value for name, value in whole.items() if name in named})["logits"]
    return {name: relative_l2(one, found) for name, one in (("merged", merged), ("base", alone))}


def replies(base: Path, adapter: Path, version: Path, alpha: float) -> dict[str, list[int]]:
    """Tokens that follow some others: by PEFT's merged model, by the base, and by OpenVINO GenAI with the adapter."""
    import openvino as ov
    import openvino_genai as genai
    import peft
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(base).eval()
    ids = torch.arange(40, 52)[None]

    def greedy(one: Any) -> list[int]:
        found = one.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, eos_token_id=-1
        )
        told: list[int] = found[0, ids.shape[1] :].tolist()
        return told

    alone = greedy(model)
    merged = greedy(peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload())
    adapters = genai.AdapterConfig()
    adapters.add(genai.Adapter(str(version / "adapter_model.safetensors")), alpha)
    exact = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    pipeline = genai.LLMPipeline(str(version), "CPU", adapters=adapters, **exact)
    settings = genai.GenerationConfig(max_new_tokens=8, do_sample=False, ignore_eos=True)
    found = pipeline.generate(ov.Tensor(ids.numpy()), settings).tokens[0]
    return {"base": alone, "merged": merged, "genai": list(found)}


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "make":
        folder = Path(words[0])
        for method in METHODS:
            make("llama", method, folder / f"base-{method}", folder / method)
        make("gpt2", METHODS[0], folder / "base-other", folder / "other")
    elif verb == "ask":
        print(json.dumps(replies(*map(Path, words[:3]), alpha=float(words[3]))))
    else:
        print(json.dumps(distances(*map(Path, words))))
