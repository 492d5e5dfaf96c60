"""Shapes that a recipe gives to inputs: the version has them, data keep to them, and what can't be is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import embedded
from runner.data.pieces import piece_feed, text_pieces
from runner.data.tokens import Tokenizer
from runner.errors import RecipeError, SourceError
from runner.export.reshape import inputs_of, reshape
from runner.model.example import example
from runner.model.feed import array_feed, largest_batch, ports
from runner.model.inputs import Input
from runner.recipe.conversion import shape_of, shown
from runner.sources import Located
from runner.sources.inputs import known_inputs
from tests.conftest import Ovrun
from tests.foreign import conv, onnx_file, tflite_file
from tests.outputs import stage_result
from tests.tiny_models import MODELS
from tests.tiny_modules import FILE, RECIPE

pytestmark = pytest.mark.libraries
INT8 = "compression: {algorithm: weight_compression, mode: int8_asym}\n"


def network(kind: str = "f32") -> Any:
    """A convolution and a sum with another input, of any sizes."""
    import openvino as ov
    from openvino import opset13 as op

    x, y = (op.parameter(ov.PartialShape([-1, size, -1, -1]), getattr(ov.Type, kind)) for size in (3, 2))
    for port, name in ((x, "x"), (y, "y")):
        port.output(0).set_names({name, f"{name}:0"})
    kernel = op.constant(np.ones((2, 3, 1, 1), np.float32))
    found = op.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    return ov.Model([op.result(op.add(found, y))], [x, y], "network")


def shapes(model: Any) -> list[str]:
    return [str(one) for one in inputs_of(model)]


@pytest.mark.parametrize("text", ["[1, 3, 224..640, ?]", "[?, 3, 8.., ?]", "[1, 3, 8, 6]", "[1..4, 3, 8, 6]"])
def test_an_input_gets_its_shape_and_a_file_keeps_it(text: str, tmp_path: Path) -> None:
    import openvino as ov

    wanted = shape_of(text[1:-1].split(", "))
    assert shown(wanted) == text
    model = network()
    reshape(model, {"x:0": wanted})
    assert shapes(model)[0].endswith(text) and shapes(model)[1].endswith("[?, 2, ?, ?]")
    ov.save_model(model, tmp_path / "m.xml")
    read = ov.Core().read_model(tmp_path / "m.xml")
    assert inputs_of(read)[0].sizes == wanted
    of_file = known_inputs(Located("openvino", {}, path=tmp_path / "m.xml"), None)
    assert [one.sizes for one in of_file] == [one.sizes for one in inputs_of(read)]
    fed = next(iter(example(tmp_path, ports(ov.compile_model(read, "CPU"))).values()))
    assert all(size in range(least, (most or size) + 1) for size, (least, most) in zip(fed.shape, wanted, strict=True))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"xx": [1, 3, 8, 6]}, 'shapes.xx: the model has no input "xx"; its inputs are: '),
        ({"x": [1, 3, 8]}, "shapes.x: [1, 3, 8] has 3 sizes, and the model's input x"),
        ({"x": [1, 4, 8, 6]}, "shapes: the model can't take x [1, 4, 8, 6]: "),
    ],
)
def test_what_the_model_can_not_take_is_told(given: dict[str, list[object]], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        reshape(network(), {name: shape_of(sizes) for name, sizes in given.items()})
    assert told in str(caught.value)


def test_data_keep_to_the_range_of_an_input() -> None:
    model = network()
    reshape(model, {"x": shape_of(["1..4", 3, "8..16", -1])})
    port = ports(model)[0]
    assert str(port).endswith("[1..4, 3, 8..16, ?]")
    assert largest_batch(ports(model), 32) == 4
    array_feed({"x": port}, {"x": np.zeros((2, 3, 8, 60), np.float32)}, "data")
    with pytest.raises(SourceError, match=r"its items have shape \[3, 17, 6\]"):
        array_feed({"x": port}, {"x": np.zeros((2, 3, 17, 6), np.float32)}, "data")


def test_texts_keep_to_the_range_of_tokens() -> None:
    """They are cut to the most, and padded to the least."""
    import openvino as ov
    from openvino import opset13 as op

    ids = op.parameter(ov.PartialShape("[1,4..8]"), np.int64, name="input_ids")
    ids.output(0).set_names({"input_ids"})
    inputs = ports(ov.Model([op.result(ids)], [ids], "ids"))
    tokenizer = Tokenizer(embedded.MODELS["dialogpt-mini"].path)
    pieces = text_pieces(inputs, tokenizer, ["a", "a b c d e f g h i j k l m n o p"], 128, "data")
    fed = [piece_feed(inputs, piece, tokenizer.pad)["input_ids"].shape[1] for piece in pieces]
    assert max(fed) == 8 and min(fed) >= 4 and min(map(len, pieces)) < 4


def write(tmp_path: Path, source: str, path: Path, conversion: str, more: str = INT8) -> None:
    task = ", task: text-classification" if source == "local" else ""
    model = f"model: {{source: {source}, path: {path.name}{task}}}"
    (tmp_path / "mine.yaml").write_text(f"{model}\nconversion: {{{conversion}}}\n{more}")


def test_a_file_becomes_a_version_of_a_shape_and_is_measured_in_it(ovrun: Ovrun, tmp_path: Path) -> None:
    import openvino as ov

    pixels = np.random.default_rng(3).standard_normal((11, 3, 8, 6)).astype(np.float32)
    np.savez(tmp_path / "images.npz", pixels=pixels)
    more = (
        "datasets: {pixels: {source: file, path: images.npz, inputs: pixels}}\n"
        "compression: {algorithm: quantization, dataset: pixels}\n"
        "accuracy: {checks: [{metric: relative_l2, dataset: pixels, max: 0.1}]}\n"
    )
    path = onnx_file(tmp_path / "net.onnx", conv())
    write(tmp_path, "onnx", path, "shapes: {x: [1..4, 3, 8..32, 6]}, preprocess: {x: {mean: 0.5, resize: cubic}}", more)
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "preprocess.x.resize: the model's input x [1..4, 3, 8..32, 6] leaves height and width open" in told
    write(tmp_path, "onnx", path, "shapes: {x: [1..4, 3, 9..32, 6]}", more)
    told = ovrun("plan", "mine.yaml", code=2).stderr
    what = 'the array "pixels" has items of shape [3, 8, 6], and the model takes x [1..4, 3, 9..32, 6]'
    assert f"datasets.pixels.inputs: {what}" in told
    write(tmp_path, "onnx", path, "shapes: {x: [1..4, 3, 8..32, 6]}", more)
    version = tmp_path / json.loads(ovrun("optimize", "mine.yaml", "--json").stdout)["path"]
    assert stage_result(version, "convert")["conversion"]["outputs"]
    assert stage_result(version, "inputs")["notes"] == ["the input x [1..4, 3, 8..32, 6] takes f32"]
    assert shapes(ov.Core().read_model(version / "openvino_model.xml")) == ["x [1..4, 3, 8..32, 6]"]


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ("xx: [1, 3, 8, 6]", 'conversion.shapes.xx: the model has no input "xx"; its inputs are: x (did you mean x?)'),
        ("x: [1, 3, 8]", "conversion.shapes.x: [1, 3, 8] has 3 sizes, and the model's input x [?, 3, 8, 6] has 4"),
    ],
)
def test_the_plan_tells_names_and_ranks(sizes: str, told: str, ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path, "onnx", onnx_file(tmp_path / "net.onnx", conv()), f"shapes: {{{sizes}}}")
    assert told in ovrun("plan", "mine.yaml", code=2).stderr


def test_the_recipe_of_a_module_tells_its_inputs(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(FILE)
    (tmp_path / "mine.yaml").write_text(
        f"{RECIPE}conversion: {{preprocess: {{y: {{mean: 1}}}}, shapes: {{x: [1, 3]}}}}\n"
    )
    told = ovrun("plan", "mine.yaml", "--allow-code", code=2).stderr
    assert 'conversion.preprocess.y: the model has no input "y"; its inputs are: x' in told
    assert "conversion.shapes.x: [1, 3] has 2 sizes, and the model's input x [" in told


def test_what_the_files_do_not_show_is_told_after_the_conversion(ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path, "tflite", tflite_file(tmp_path / "net.tflite"), "shapes: {x: [1, 17]}")
    told = ovrun("optimize", "mine.yaml", code=2).stderr
    assert "mine.yaml:2:14: conversion.shapes: the model can't take x [1, 17]: " in told
    assert not (tmp_path / "outputs" / "mine").exists()


def test_a_hugging_face_model_gets_a_range_of_tokens(ovrun: Ovrun, tmp_path: Path) -> None:
    """It is verified and calibrated within it."""
    import openvino as ov

    MODELS["bert-classes"][1](tmp_path / "bert")
    (tmp_path / "texts.txt").write_text("a\n" + "a b c d e f g h i j k l m n o p q r s t u v w x y z\n")
    ids = ", ".join(f"{name}: [1, 18..24]" for name in ("input_ids", "attention_mask", "token_type_ids"))
    more = (
        "datasets: {texts: {source: file, path: texts.txt}}\n"
        "compression: {algorithm: quantization, dataset: texts, model_type: transformer}\n"
    )
    write(tmp_path, "local", tmp_path / "bert", f"shapes: {{{ids}}}", more)
    version = tmp_path / json.loads(ovrun("optimize", "mine.yaml", "--json").stdout)["path"]
    assert "[1, 18]" in stage_result(version, "verify")["ran"]
    card = (version / "README.md").read_text()
    assert card.count(" takes i64.") == 3 and "OVModelForSequenceClassification" in card
    read = ov.Core().read_model(version / "openvino_model.xml")
    assert {one.sizes for one in inputs_of(read)} == {shape_of([1, "18..24"])}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<net",
        '<?xml version="1.0" encoding="foo"?><net/>',
        '<net><layers><layer type="Parameter" name="x"><data shape="1,²"/></layer></layers></net>',
        '<net><layers><layer type="Parameter" name="x"><data shape="1..b,3"/></layer></layers></net>',
    ],
)
def test_a_damaged_ir_tells_nothing(text: str, tmp_path: Path) -> None:
    """What is wrong with it is OpenVINO's to say."""
    (tmp_path / "m.xml").write_text(text, encoding="utf-8")
    assert known_inputs(Located("openvino", {}, path=tmp_path / "m.xml"), None) == []


def test_an_input_says_what_is_known_of_it() -> None:
    assert str(Input("x")) == "x of any shape" and Input("x").shape is None
    assert Input("x", shape_of([1, "2..3", -1])).shape == (1, None, None)


@pytest.mark.parametrize(
    ("sizes", "layout"),
    [
        ([-1, 3, -1, -1], "NCHW"),
        ([-1, 8, 8, 1], "NHWC"),
        ([-1, 4, 64, 64], "NCHW"),
        ([-1, 4, 6, 3], "NHWC"),
        ([-1, 3, 8, 3], None),
        ([-1, -1, -1, -1], None),
        ([-1, 3, 8], None),
    ],
)
def test_sizes_tell_where_channels_are_if_they_can(sizes: list[object], layout: str | None) -> None:
    assert Input("x", shape_of(sizes)).layout == layout
