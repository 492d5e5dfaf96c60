"""A sentence-transformers folder with random weights, and how far a version's embeddings are from its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from runner.base.values import Array
from runner.export.comparing import relative_l2
from tests.geometry_tokenizers import write_json, write_wordpiece

TEXTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10"]
_MODULES = {
    "": "sentence_transformers.models.Transformer",
    "1_Pooling": "sentence_transformers.models.Pooling",
    "2_Normalize": "sentence_transformers.models.Normalize",
}


def make(folder: Path) -> None:
    """Write the folder as the library lays it out: mean pooling, then normalization."""
    import torch
    import transformers

    torch.manual_seed(0)
    layers = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
    transformers.BertModel(transformers.BertConfig(**layers, vocab_size=400)).save_pretrained(folder)
    write_wordpiece(folder, 400)
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(_MODULES.items())
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", {"similarity_fn_name": "cosine"})


def distances(folder: Path, version: Path) -> dict[str, float]:
    """Relative L2 distance of a version's embeddings, by the library, from those of the folder and from our own."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer

    settings = {"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}, "file_name": "openvino_model.xml"}
    found = SentenceTransformer(str(version), backend="openvino", model_kwargs=settings).encode(TEXTS)
    library = SentenceTransformer(str(folder)).encode(TEXTS)
    fed = transformers.AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = transformers.AutoModel.from_pretrained(folder)(**fed).last_hidden_state
    mask = fed["attention_mask"][..., None]
    own = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    apart = {name: relative_l2(one, found) for name, one in (("library", library), ("own", own))}
    return {**apart, "genai": relative_l2(library, by_genai(version))}


def similarities(folder: Path, texts: Path) -> list[float]:
    """The cosine of each pair of texts in a JSON file, by the library."""
    from sentence_transformers import SentenceTransformer, util

    model = SentenceTransformer(str(folder))
    one, other = (model.encode(side) for side in zip(*json.loads(texts.read_text()), strict=True))
    return [float(cosine) for cosine in util.pairwise_cos_sim(one, other)]


def by_genai(version: Path) -> Array:
    """The embeddings of OpenVINO GenAI, told to pool and normalize as the folder says."""
    import numpy as np
    from openvino_genai import TextEmbeddingPipeline

    config = TextEmbeddingPipeline.Config()
    config.pooling_type, config.normalize = TextEmbeddingPipeline.PoolingType.MEAN, True
    pipe = TextEmbeddingPipeline(str(version), "CPU", config, INFERENCE_PRECISION_HINT="f32")
    return np.array(pipe.embed_documents(TEXTS), np.float32)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "make":
        make(Path(words[0]))
    elif verb == "similar":
        print(json.dumps(similarities(*map(Path, words))))
    else:
        print(json.dumps(distances(*map(Path, words))))
