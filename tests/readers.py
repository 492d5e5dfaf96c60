"""Model folders of a few operations by hand, with a tokenizer or an image processor: what reads texts and images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.geometry_tokenizers import write_json

SIZE, VOCABULARY = 8, 400


def tokenizer(folder: Path, **settings: object) -> None:
    """tokenizer.json of a BERT tokenizer of words of up to three letters, and tokenizer_config.json."""
    from itertools import islice, product
    from string import ascii_lowercase

    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    words = ("".join(found) for found in product(ascii_lowercase, repeat=2))
    known = [*special, *letters, *islice(words, VOCABULARY - len(special) - len(letters))]
    backend = Tokenizer(models.WordPiece({word: at for at, word in enumerate(known)}, unk_token="[UNK]"))
    backend.add_special_tokens(special)
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    backend.save(str(folder / "tokenizer.json"))
    names = {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names, **settings})


def weights(*shape: int, seed: int = 0) -> Any:
    """Random ones."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def hidden(ids: Any, types: Any) -> Any:
    """What `reader` makes of tokens before its head, computed by NumPy; shape [tokens, SIZE]."""
    return weights(VOCABULARY, SIZE)[ids] + weights(2, SIZE)[types]


def reader(
    folder: Path, head: str, classes: int = 3, tokens: int = -1, config: Mapping[str, object] = {}, scale: float = 1.0
) -> None:
    """A model whose tokens know nothing of each other: an embedding of token and type, and a head.

    Args:
        head: `pooled`: logits [batch, classes] of the mean of the tokens that the mask leaves. `each`: logits
            [batch, tokens, classes]. `none`: the tokens' embeddings. `ends`: start_logits and end_logits.
        tokens: how many it takes; -1 for any number.
        scale: of the weights of a head for `each`.
    """
    import openvino as ov
    from openvino import opset13 as op

    folder.mkdir(exist_ok=True, parents=True)
    inputs = []
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        inputs.append(op.parameter([-1, tokens], np.int64, name=name))
        inputs[-1].output(0).set_names({name})
    ids, mask, types = inputs
    zero = op.constant(0)
    x = op.add(
        op.gather(op.constant(weights(VOCABULARY, SIZE)), ids, zero),
        op.gather(op.constant(weights(2, SIZE)), types, zero),
    )
    floats = op.unsqueeze(op.convert(mask, np.float32), op.constant(-1))
    if head == "none":
        outputs = {"last_hidden_state": op.add(x, op.multiply(floats, op.constant(np.float32(0))))}
    elif head == "pooled":
        one = op.constant(1)
        mean = op.divide(op.reduce_sum(op.multiply(x, floats), one), op.reduce_sum(floats, one))
        outputs = {"logits": op.matmul(mean, op.constant(weights(classes, SIZE)), False, True)}
    else:
        masked = op.multiply(x, floats)
        sizes = {"each": ["logits"], "ends": ["start_logits", "end_logits"]}[head]
        rows, factor = (classes, np.float32(scale)) if head == "each" else (1, np.float32(1))
        made = [op.constant(weights(rows, SIZE, seed=at) * factor) for at in range(len(sizes))]
        logits = [op.matmul(masked, one, False, True) for one in made]
        squeezed = [op.squeeze(one, op.constant(-1)) for one in logits] if head == "ends" else logits
        outputs = dict(zip(sizes, squeezed, strict=True))
    results = []
    for name, node in outputs.items():
        node.output(0).set_names({name})
        results.append(op.result(node))
    ov.save_model(ov.Model(results, inputs, "reader"), folder / "openvino_model.xml", compress_to_fp16=False)
    labels = {str(number): f"class {number}" for number in range(classes)}
    write_json(folder / "config.json", {"id2label": labels, "pad_token_id": 0, **config})
    tokenizer(folder)


def looker(folder: Path, classes: int = 5, height: int = 12, width: int = 16) -> None:
    """A model that classifies images by a linear layer on all their values, with a processor that makes their size."""
    import openvino as ov
    from openvino import opset13 as op

    folder.mkdir(exist_ok=True, parents=True)
    pixels = op.parameter([-1, 3, height, width], np.float32, name="pixel_values")
    pixels.output(0).set_names({"pixel_values"})
    flat = op.reshape(pixels, op.constant([0, -1]), True)
    logits = op.matmul(flat, op.constant(weights(classes, 3 * height * width)), False, True)
    logits.output(0).set_names({"logits"})
    ov.save_model(ov.Model([op.result(logits)], [pixels], "looker"), folder / "openvino_model.xml")
    labels = {str(number): f"class {number}" for number in range(classes)}
    write_json(folder / "config.json", {"model_type": "vit", "id2label": labels})
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": height, "width": width}}
    write_json(folder / "preprocessor_config.json", processor)
