"""Accuracy control on rows that a model's own processors feed: the same figure as a check's, by every way of asking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import SourceError
from runner.metrics.predicting import Asked
from runner.metrics.row_items import RowItems, row_items
from runner.model.runtime import compile_folder
from runner.recipe.accuracy import RUNTIME
from runner.recipe.dataset import Dataset
from runner.registry.metrics import FAMILIES
from runner.stages import predict
from tests.geometry_tokenizers import write_json
from tests.predictions import measured, rows
from tests.readers import SIZE, VOCABULARY, looker, reader, tokenizer, weights

TEXTS = [f"{one} {other}" for one in ("ab", "cat", "do") for other in ("ae", "bo", "cy", "dog")]
Case = tuple[str, str, Dataset]


def classes(folder: Path) -> Case:
    reader(folder / "model", "pooled")
    lines = [{"text": text, "label": f"class {row % 3}"} for row, text in enumerate(TEXTS)]
    return "f1_macro", "text-classification", rows(folder / "a.jsonl", lines, ["text", "label"])


def tags(folder: Path) -> Case:
    reader(folder / "model", "each", config={"id2label": dict(enumerate(("O", "B-X", "I-X")))})
    lines = [{"tokens": text.split(), "tags": ["B-X", "O"]} for text in TEXTS]
    return "entity_f1", "token-classification", rows(folder / "a.jsonl", lines, ["tokens", "tags"])


def answers(folder: Path) -> Case:
    reader(folder / "model", "ends")
    lines = [{"question": "ab", "context": f"{text} dog bo", "answers": ["bo", "dog"]} for text in TEXTS]
    return "answer_f1", "question-answering", rows(folder / "a.jsonl", lines, ["question", "context", "answers"])


def masked(folder: Path) -> Case:
    reader(folder / "model", "each", classes=VOCABULARY)
    return "mask_agreement", "fill-mask", rows(folder / "a.jsonl", [{"text": f"{t} [MASK]"} for t in TEXTS], ["text"])


def pairs(folder: Path) -> Case:
    reader(folder / "model", "none")
    lines = [{"text": text, "text_pair": "ab bo", "score": row} for row, text in enumerate(TEXTS)]
    return "similarity_spearman", "feature-extraction", rows(folder / "a.jsonl", lines, ["text", "text_pair", "score"])


def pictured(folder: Path, values: Any) -> list[str]:
    """A file for each image; their names."""
    from PIL import Image

    names = [f"{number}.png" for number in range(len(values))]
    for name, one in zip(names, values, strict=True):
        Image.fromarray(one).save(folder / name)
    return names


def images(folder: Path) -> Case:
    looker(folder / "model")
    names = pictured(folder, np.random.default_rng(0).integers(0, 256, (8, 20, 30, 3), np.uint8))
    lines = [{"image": name, "label": row % 5} for row, name in enumerate(names)]
    return "accuracy", "image-classification", rows(folder / "a.jsonl", lines, ["image", "label"])


def places(folder: Path) -> Case:
    """A class for each 4 x 4 pixels, which transformers' processor makes as large as the image, with torch."""
    import openvino as ov
    from openvino import opset13 as op

    (folder / "model").mkdir()
    pixels = op.parameter([-1, 3, 16, 16], np.float32, name="pixel_values")
    pixels.output(0).set_names({"pixel_values"})
    logits = op.convolution(pixels, op.constant(weights(3, 3, 4, 4)), [4, 4], [0, 0], [0, 0], [1, 1])
    logits.output(0).set_names({"logits"})
    ov.save_model(ov.Model([op.result(logits)], [pixels], "places"), folder / "model" / "openvino_model.xml")
    labels = {str(number): f"class {number}" for number in range(3)}
    write_json(folder / "model" / "config.json", {"model_type": "segformer", "id2label": labels})
    size = {"height": 16, "width": 16}
    write_json(
        folder / "model" / "preprocessor_config.json", {"image_processor_type": "SegformerImageProcessor", "size": size}
    )
    random = np.random.default_rng(0)
    names = pictured(folder, random.integers(0, 256, (4, 20, 30, 3), np.uint8))
    (folder / "maps").mkdir()
    told = pictured(folder / "maps", random.integers(0, 3, (4, 20, 30), np.uint8))
    lines = [{"image": name, "mask": f"maps/{one}"} for name, one in zip(names, told, strict=True)]
    return "mean_iou", "semantic-segmentation", rows(folder / "a.jsonl", lines, ["image", "mask"])


def spoken(folder: Path) -> Case:
    """Letters for each moment, spelled by transformers' tokenizer."""
    soundfile = pytest.importorskip("soundfile")
    from tests.listeners import RATE, listener

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C"]
    listener(folder / "model", len(letters), each=True)
    write_json(folder / "model" / "vocab.json", {letter: at for at, letter in enumerate(letters)})
    write_json(folder / "model" / "tokenizer_config.json", {"tokenizer_class": "Wav2Vec2CTCTokenizer"})
    for number in range(4):
        noise = 0.1 * np.random.default_rng(number).standard_normal(RATE // 2)
        soundfile.write(folder / f"{number}.wav", noise.astype(np.float32), RATE, subtype="FLOAT")
    lines = [{"audio": f"{number}.wav", "reply": "AB CAB"} for number in range(4)]
    return "character_error_rate", "automatic-speech-recognition", rows(folder / "a.jsonl", lines, ["audio", "reply"])


def named(folder: Path) -> Case:
    """Classes that texts name: an image's values against the mean of a text's tokens."""
    import openvino as ov
    from openvino import opset13 as op

    (folder / "model").mkdir()
    ids, mask = (op.parameter([-1, -1], np.int64, name=name) for name in ("input_ids", "attention_mask"))
    pixels = op.parameter([-1, 3, 12, 16], np.float32, name="pixel_values")
    inputs = [ids, pixels, mask]
    for one, name in zip(inputs, ("input_ids", "pixel_values", "attention_mask"), strict=True):
        one.output(0).set_names({name})
    floats = op.unsqueeze(op.convert(mask, np.float32), op.constant(-1))
    told = op.gather(op.constant(weights(VOCABULARY, SIZE)), ids, op.constant(0))
    texts = op.reduce_sum(op.multiply(told, floats), op.constant(1))
    flat = op.reshape(pixels, op.constant([0, -1]), True)
    seen = op.matmul(flat, op.constant(weights(SIZE, 3 * 12 * 16)), False, True)
    logits = op.matmul(seen, texts, False, True)
    logits.output(0).set_names({"logits_per_image"})
    ov.save_model(ov.Model([op.result(logits)], inputs, "named"), folder / "model" / "openvino_model.xml")
    write_json(folder / "model" / "config.json", {"model_type": "clip", "pad_token_id": 0})
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 12, "width": 16}}
    write_json(folder / "model" / "preprocessor_config.json", processor)
    tokenizer(folder / "model")
    names = pictured(folder, np.random.default_rng(0).integers(0, 256, (6, 20, 30, 3), np.uint8))
    lines = [{"image": name, "choices": ["cat", "dog", "bo"], "label": row % 3} for row, name in enumerate(names)]
    return "accuracy", "zero-shot-image-classification", rows(folder / "a.jsonl", lines, ["image", "choices", "label"])


def searched(case: Case, model: Path, folder: Path, **settings: object) -> RowItems:
    """The rows as accuracy control has them."""
    metric, task, data = case
    family, folder = FAMILIES[metric], folder / "searched"
    folder.mkdir()
    gives = next(one for one in family.rows if predict.possible(task, one, data))
    found = predict.rows(task, gives, data, settings)
    asked = Asked(gives, model, data, found.settings, RUNTIME)
    return row_items(family, found.way, compile_folder(model), asked, settings, folder)


@pytest.fixture
def opened() -> Iterator[list[RowItems]]:
    """Ends the processes that were started."""
    found: list[RowItems] = []
    yield found
    for one in found:
        one.close()


@pytest.mark.parametrize(
    "make",
    [
        *(classes, tags, answers, masked, pairs),
        *(pytest.param(one, marks=pytest.mark.newest) for one in (images, places, spoken, named)),
    ],
)
def test_a_search_has_the_figure_of_a_check(
    make: Callable[[Path], Case], opened: list[RowItems], tmp_path: Path
) -> None:
    metric, task, data = case = make(tmp_path)
    model = tmp_path / "model"
    opened.append(searched(case, model, tmp_path))
    (items,) = opened
    whole = measured(metric, task, model, data, tmp_path / "out")
    value, each = items.measure(compile_folder(model), range(items.count))
    assert value == whole["values"][metric], "exactly"
    assert items.count == len(each) == whole["rows"] and np.isfinite(each).all()
    lines = data.path.read_text().splitlines()
    data.path.write_text("".join(f"{lines[row]}\n" for row in (1, 3)))
    fewer = measured(metric, task, model, data, tmp_path / "fewer")["values"][metric]
    data.path.write_text("".join(f"{line}\n" for line in lines))
    assert items.measure(compile_folder(model), [3, 1])[0] == fewer
    back, forth = (items.measure(compile_folder(model), chosen)[1] for chosen in ([3, 1], [1, 3]))
    assert back == forth[::-1], "a number of each row, in the order of the rows that were asked for"


@pytest.mark.parametrize("batch", [-1, 4])
def test_arrays_are_batched_as_a_check_does(batch: int, tmp_path: Path) -> None:
    import openvino as ov
    from openvino import opset13 as op

    (tmp_path / "model").mkdir()
    x = op.parameter([batch, 6], np.float32, name="x")
    x.output(0).set_names({"x"})
    model = ov.Model([op.result(op.matmul(x, op.constant(weights(3, 6)), False, True))], [x])
    ov.save_model(model, tmp_path / "model" / "openvino_model.xml")
    np.savez(tmp_path / "a.npz", x=weights(10, 6), y=np.arange(10) % 3)
    data = Dataset("a", "file", tmp_path / "a.npz", "npz", columns={"label": "y"}, inputs={"": "x"})
    items = searched(("f1_weighted", "arrays", data), tmp_path / "model", tmp_path)
    whole = measured("f1_weighted", "arrays", tmp_path / "model", data, tmp_path / "out")
    assert items.measure(compile_folder(tmp_path / "model"), range(10))[0] == whole["values"]["f1_weighted"]
    np.savez(tmp_path / "b.npz", x=weights(10, 6)[[7, 3]], y=np.array([1, 0]))
    some = Dataset("b", "file", tmp_path / "b.npz", "npz", columns={"label": "y"}, inputs={"": "x"})
    part = measured("f1_weighted", "arrays", tmp_path / "model", some, tmp_path / "part")
    found, each = items.measure(compile_folder(tmp_path / "model"), [7, 3])
    assert found == part["values"]["f1_weighted"] and len(each) == 2


def test_what_is_wrong_with_a_row_is_told_by_the_process_that_feeds_it(tmp_path: Path) -> None:
    metric, task, data = images(tmp_path)
    broken = [json.loads(line) for line in data.path.read_text().splitlines()]
    (tmp_path / "3.png").write_bytes(b"no image")
    assert broken[3]["image"] == "3.png"
    with pytest.raises(SourceError, match=r"a\.jsonl:4: .*3\.png: is no image"):
        searched((metric, task, data), tmp_path / "model", tmp_path)
