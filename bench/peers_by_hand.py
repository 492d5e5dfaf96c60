"""The same job written by hand with Optimum Intel and NNCF: `python peers_by_hand.py MODEL OUT [TEXT.jsonl]`.

It stands for what somebody writes who uses no tool. With a text file it also measures what ovrun's `kl_divergence`
does: the mean divergence a token of the compressed from the converted model, in f32.
"""

import json
import sys
from pathlib import Path

import nncf
import numpy as np
import openvino as ov
from optimum.exporters.openvino import main_export
from transformers import AutoTokenizer

SETTINGS = {"mode": nncf.CompressWeightsMode.INT4_SYM, "ratio": 0.8, "group_size": 128}


def export(model: str, out: Path) -> None:
    """Convert model and tokenizer, compress, save."""
    main_export(model, out, task="text-generation-with-past", ov_config=None, convert_tokenizer=True)
    (out / "openvino_model.xml").rename(out / "original.xml")
    (out / "openvino_model.bin").rename(out / "original.bin")
    converted = ov.Core().read_model(out / "original.xml")
    ov.save_model(nncf.compress_weights(converted, **SETTINGS), out / "openvino_model.xml")


def log_probabilities(path: Path, texts: list[list[int]]) -> list[np.ndarray]:
    """The log probabilities that a model gives to every next token."""
    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"})
    request, found = compiled.create_infer_request(), []
    for ids in texts:
        request.reset_state()
        shape = (1, len(ids))
        inputs = {
            "input_ids": np.array([ids]),
            "attention_mask": np.ones(shape, np.int64),
            "position_ids": np.arange(len(ids))[None],
            "beam_idx": np.zeros(1, np.int32),
        }
        logits = request.infer(inputs)["logits"][0].astype(np.float64)
        shifted = logits - logits.max(-1, keepdims=True)
        found.append(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
    return found


def divergence(out: Path, model: str, text: Path) -> float:
    """The mean KL divergence a token, over the first 256 tokens of every text but the last token of each."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = [json.loads(line)["text"] for line in text.read_text().splitlines()]
    texts = [ids for ids in (tokenizer(row)["input_ids"][:256] for row in rows) if len(ids) > 1]
    pairs = zip(
        log_probabilities(out / "original.xml", texts),
        log_probabilities(out / "openvino_model.xml", texts),
        strict=True,
    )
    return float(np.concatenate([(np.exp(p[:-1]) * (p[:-1] - q[:-1])).sum(-1) for p, q in pairs]).mean())


if __name__ == "__main__":
    source, target = sys.argv[1], Path(sys.argv[2])
    export(source, target)
    if len(sys.argv) > 3:
        measured = divergence(target, source, Path(sys.argv[3]))
        print(f"kl_divergence {measured:.6f}")
        if measured > 0.01:
            sys.exit("the model has lost too much")
