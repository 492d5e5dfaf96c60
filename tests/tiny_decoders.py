"""A GPT-2 with random weights as PyTorch has it and as IR without a cache, with a byte-level tokenizer."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from tests.geometry_tokenizers import END_OF_TEXT, write_tokenizer_json

VOCABULARY, POSITIONS = 400, 48


def decoder(folder: Path) -> Path:
    """Fill a model folder; below it, `torch` has the original."""
    import openvino as ov
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    end = VOCABULARY - 1
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": POSITIONS, "initializer_range": 0.3}
    special = {"bos_token_id": end, "eos_token_id": end}
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCABULARY, attn_implementation="eager", **sizes, **special)
    model = GPT2LMHeadModel(config).eval()
    model.save_pretrained(folder / "torch")

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            length = input_ids.shape[1]
            mask = torch.full((length, length), -1e9).triu(1)[None, None]  # its own can't be traced
            logits: torch.Tensor = self.model(input_ids, attention_mask=mask, use_cache=False).logits
            return logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = torch.ones(1, 7, dtype=torch.int64)
        ir = ov.convert_model(Logits(), example_input={"input_ids": ids}, input=[("input_ids", [-1, -1])])
    ir.outputs[0].set_names({"logits"})
    ov.save_model(ir, folder / "openvino_model.xml", compress_to_fp16=False)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", **sizes, **special}))
    tokenizer(folder)
    return folder


def tokenizer(folder: Path, *, start: bool = False) -> None:
    """Write the tokenizer's files.

    Args:
        start: whether it puts a start token before a text.
    """
    from tokenizers import Tokenizer, processors

    write_tokenizer_json(folder, VOCABULARY)
    if start:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokens = [(END_OF_TEXT, VOCABULARY - 1)]
        backend.post_processor = processors.TemplateProcessing(single=f"{END_OF_TEXT} $A", special_tokens=tokens)
        backend.save(str(folder / "tokenizer.json"))
    names = dict.fromkeys(("bos_token", "eos_token"), END_OF_TEXT)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))
