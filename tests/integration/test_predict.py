"""What models give for rows: fed as transformers' own processors feed them, and kept in the rows' order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runner.errors import SourceError
from runner.recipe.types import Dataset
from tests.geometry_tokenizers import write_json
from tests.predictions import kept, rows
from tests.readers import SIZE, hidden, looker, reader, tokenizer, weights

TEXTS = ["ab cd", "a", "What is Über? ab, no cd!", "ab " * 40]


def test_texts_are_encoded_as_transformers_does_and_keep_their_order(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    reader(tmp_path / "model", "pooled")
    tokenizer(tmp_path / "model", model_max_length=20)
    data = rows(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS], ["text"])
    found = kept(tmp_path / "model", "text-classification", "class scores", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    for scores, text in zip(found.values, TEXTS, strict=True):
        ids = own(text, truncation=True)["input_ids"]
        expected = hidden(ids, np.zeros_like(ids)).mean(0) @ weights(3, SIZE).T
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert (found.classes, found.count) == (("class 0", "class 1", "class 2"), 4)
    assert {key: found.protocol[key] for key in ("rows", "rows_cut", "longest", "output")} == {
        "rows": 4,
        "rows_cut": 1,
        "longest": 20,
        "output": "logits",
    }


@pytest.mark.parametrize("length", [10, 12])
def test_pairs_are_cut_as_transformers_cuts_them(length: int, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    pairs = [("ab cd", "ef gh ij"), ("a b c d e f g", "h i"), ("a", "b c d e f g h i j k")]
    reader(tmp_path / "model", "pooled")
    tokenizer(tmp_path / "model", model_max_length=length)
    data = rows(tmp_path / "a.jsonl", [{"text": one, "text_pair": two} for one, two in pairs], ["text", "text_pair"])
    found = kept(tmp_path / "model", "text-classification", "class scores", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    for scores, (one, two) in zip(found.values, pairs, strict=True):
        fed = own(one, two, truncation=True, max_length=length, return_token_type_ids=True)
        expected = hidden(fed["input_ids"], fed["token_type_ids"]).mean(0) @ weights(3, SIZE).T
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_a_model_of_a_fixed_length_gets_padding_that_does_not_count(tmp_path: Path) -> None:
    for name, tokens in (("open", -1), ("fixed", 32)):
        reader(tmp_path / name, "pooled", tokens=tokens)
    data = rows(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS[:3]], ["text"])
    opened, fixed = (
        kept(tmp_path / name, "text-classification", "class scores", data, tmp_path / f"out {name}")
        for name in ("open", "fixed")
    )
    np.testing.assert_allclose(np.asarray(fixed.values), np.asarray(opened.values), rtol=1e-5)


def test_positions_that_begin_behind_the_padding_token_are_fewer(tmp_path: Path) -> None:
    config = {"model_type": "roberta", "max_position_embeddings": 14, "pad_token_id": 1}
    reader(tmp_path / "model", "pooled", config=config)
    data = rows(tmp_path / "a.jsonl", [{"text": "ab " * 40}], ["text"])
    found = kept(tmp_path / "model", "text-classification", "class scores", data, tmp_path / "out")
    assert found.protocol["longest"] == 12


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (None, lambda x: x.mean(0)),
        ({"pooling_mode_cls_token": True}, lambda x: x[0]),
        ({"pooling_mode": "lasttoken"}, lambda x: x[-1]),
        ({"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}, lambda x: [*x.max(0), *x.mean(0)]),
        ({"pooling_mode": ["mean_sqrt_len_tokens"]}, lambda x: x.sum(0) / np.sqrt(len(x))),
        (
            {"pooling_mode_weightedmean_tokens": True},
            lambda x: (x * np.arange(1, len(x) + 1)[:, None]).sum(0) / np.arange(1, len(x) + 1).sum(),
        ),
    ],
)
@pytest.mark.parametrize("tokens", [-1, 32])
def test_embeddings_are_pooled_as_the_folder_says(modes: object, expected: object, tokens: int, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    model = tmp_path / "model"
    reader(model, "none", tokens=tokens)
    normalized = bool(modes)
    if modes:
        kinds = ("Transformer", "Pooling", "Normalize")
        steps = [{"idx": at, "path": f"{at}_{kind}", "type": f"x.{kind}"} for at, kind in enumerate(kinds)]
        (model / "1_Pooling").mkdir()
        write_json(model / "modules.json", steps)
        write_json(model / "1_Pooling" / "config.json", modes)
    data = rows(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS[:3]], ["text"])
    found = kept(model, "feature-extraction", "embeddings", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(model)
    for embedding, text in zip(found.values, TEXTS, strict=False):
        ids = own(text)["input_ids"]
        pooled = np.asarray(expected(hidden(ids, np.zeros_like(ids))))  # type: ignore[operator]
        pooled = pooled / np.linalg.norm(pooled) if normalized else pooled
        np.testing.assert_allclose(embedding, pooled, rtol=1e-4, atol=1e-6)


def test_images_are_prepared_as_transformers_does(tmp_path: Path) -> None:
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    looker(tmp_path / "model")
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (size, 20, 3), dtype=np.uint8) for size in (10, 30, 12)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    data = rows(tmp_path / "a.jsonl", [{"image": f"{number}.png"} for number in range(3)], ["image"])
    found = kept(tmp_path / "model", "image-classification", "class scores", data, tmp_path / "out")
    own = ViTImageProcessorPil.from_pretrained(tmp_path / "model")
    for scores, picture in zip(found.values, pictures, strict=True):
        pixels = own(Image.fromarray(picture), return_tensors="np")["pixel_values"]
        np.testing.assert_allclose(scores, weights(5, 3 * 12 * 16) @ pixels.reshape(-1), rtol=2e-3, atol=2e-3)
    assert found.protocol["image_processor"] == "ViTImageProcessorPil"


def test_a_folder_without_a_processor_is_refused(tmp_path: Path) -> None:
    looker(tmp_path / "model")
    (tmp_path / "model" / "preprocessor_config.json").unlink()
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    data = rows(tmp_path / "a.jsonl", [{"image": "0.png"}], ["image"])
    with pytest.raises(SourceError, match="which says how a model is fed with an image"):
        kept(tmp_path / "model", "image-classification", "class scores", data, tmp_path / "out")


def test_arrays_feed_any_model_and_rows_without_numbers_are_told(tmp_path: Path) -> None:
    looker(tmp_path / "model", height=2, width=2)
    pixels = np.random.default_rng(0).normal(size=(40, 3, 2, 2)).astype(np.float32)
    pixels[35] = 3e38  # whose scores are infinite
    np.savez(tmp_path / "a.npz", pixels=pixels)
    data = Dataset("mine", "file", tmp_path / "a.npz", "npz", inputs={"": "pixels"})
    found = kept(tmp_path / "model", "image-classification", "class scores", data, tmp_path / "out")
    expected = pixels[:35].reshape(35, -1) @ weights(5, 12).T
    np.testing.assert_allclose(np.asarray(found.values)[:35], expected, rtol=2e-3, atol=2e-3)
    assert found.not_finite is not None
    assert str(found.not_finite) == "output logits isn't finite in 1 rows, first in row 36"
    outputs = kept(tmp_path / "model", "none at all", "outputs", data, tmp_path / "outputs")
    np.testing.assert_array_equal(np.asarray(outputs.values), np.asarray(found.values))
