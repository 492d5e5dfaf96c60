"""Steps built into a model before its inputs compute what is computed outside of it, all the way to a version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import RecipeError
from runner.export.preprocess import build_in
from runner.export.reshape import inputs_of, taken
from runner.plan.input_rules import check_inputs
from runner.recipe import load_recipe
from runner.recipe.conversion import steps_of
from runner.recipe.types import ModelSource
from runner.sources import locate
from runner.sources.inputs import known_inputs
from tests.conftest import Ovrun
from tests.foreign import conv, onnx_file, openvino_ir, tflite_file
from tests.outputs import manifest_of, model_digests, stage_result

pytestmark = pytest.mark.libraries

Array = Any
PIXELS = np.random.default_rng(2).integers(0, 256, (2, 4, 6, 4), np.uint8)
INT8 = "compression: {algorithm: weight_compression, mode: int8_asym}\n"


def model(shape: list[int], kind: str = "f32", beside: bool = False) -> Any:
    """One that gives its input as it is; `beside` it may be another input, which comes first."""
    import openvino as ov
    from openvino import opset13 as op

    inputs = [op.parameter(ov.PartialShape(shape), getattr(ov.Type, kind), name="x")]
    inputs[0].output(0).set_names({"x", "x:0"})
    if beside:
        inputs.insert(0, op.parameter([-1, 2], np.int64, name="ids"))
        inputs[0].output(0).set_names({"ids"})
    return ov.Model([op.result(op.convert(one, "f32")) for one in inputs], inputs, "same")


def computed(given: Any, *arrays: Array) -> list[Array]:
    import openvino as ov

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return [value.copy() for value in ov.compile_model(given, "CPU", exact)(list(arrays)).values()]


def gray(rgb: Array) -> Array:
    return (rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]


def nchw(array: Array) -> Array:
    return array.transpose(0, 3, 1, 2)


# The model's shape, the steps, and what numpy makes of `PIXELS`, of which the model takes the first channels.
CASES: dict[str, tuple[list[int], dict[str, object], int, Callable[[Array], Array]]] = {
    "type": ([-1, 3, 4, 6], {"element_type": "u8", "layout": "NHWC"}, 3, nchw),
    "both-layouts": ([-1, -1, -1, -1], {"element_type": "u8", "layout": "NHWC->NCHW"}, 3, nchw),
    "nhwc-model": (
        [-1, 4, 6, 3],
        {"element_type": "u8", "layout": "NHWC->NHWC", "mean": [1, 2, 3]},
        3,
        lambda x: x - np.float32([1, 2, 3]),
    ),
    "one-value": ([-1, -1, -1, -1], {"element_type": "u8", "mean": 3, "scale": 4}, 3, lambda x: (x - 3.0) / 4),
    "swapped": ([-1, 3, 4, 6], {"layout": "NHWC", "color_format": "BGR->RGB"}, 3, lambda x: nchw(x[..., ::-1])),
    "fourth": ([-1, 3, 4, 6], {"layout": "NHWC", "color_format": "RGBX->RGB"}, 4, lambda x: nchw(x[..., :3])),
    "gray": ([-1, 1, 4, 6], {"layout": "NHWC", "color_format": "RGB->GRAY"}, 3, lambda x: nchw(gray(x))),
    "order": (
        [-1, 3, 4, 6],
        {"element_type": "u8", "layout": "NHWC", "color_format": "BGR->RGB", "mean": [1, 2, 3], "scale": [4, 5, 6]},
        3,
        lambda x: nchw((x[..., ::-1] - np.float32([1, 2, 3])) / np.float32([4, 5, 6])),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_steps_compute_what_numpy_does(case: str) -> None:
    shape, steps, channels, outside = CASES[case]
    found = build_in(model(shape), {"x": steps_of(steps)})
    pixels = PIXELS[..., :channels]
    given = pixels if "element_type" in steps else pixels.astype(np.float32)
    np.testing.assert_allclose(computed(found, given)[0], outside(pixels), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("algorithm", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("own", [[-1, 3, 5, 7], [-1, 3, -1, -1]], ids=["size-of-the-model", "stated-size"])
def test_images_of_any_size_are_resized_as_by_the_operation(algorithm: str, own: list[int]) -> None:
    from openvino import Model
    from openvino import opset13 as op

    resize: object = algorithm if own[-1] > 0 else {"algorithm": algorithm, "to": [5, 7]}
    steps = {"element_type": "u8", "layout": "NHWC", "resize": resize, "scale": 2}
    found = build_in(model(own), {"x": steps_of(steps)})
    for size in ((4, 6), (9, 3)):
        pixels = np.resize(PIXELS[..., :3], (1, *size, 3))
        x = op.parameter([1, 3, *size], np.float32)
        resized = op.interpolate(x, [5, 7], algorithm, "sizes", axes=[2, 3])
        (wanted,) = computed(Model([resized], [x], "resize"), nchw(pixels).astype(np.float32))
        np.testing.assert_allclose(computed(found, pixels)[0], wanted / 2, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [
        ("bilinear_pillow", [[20, 78, 146, 204], [25, 83, 151, 209], [30, 88, 156, 214]]),
        ("bicubic_pillow", [[16, 78, 146, 208], [21, 83, 151, 213], [26, 88, 156, 218]]),
    ],
)
def test_pillows_algorithms_give_what_pillow_gives(algorithm: str, wanted: list[list[int]]) -> None:
    """Pillow 13.0.0 made `wanted` of the same bytes."""
    pixels = (np.arange(35) * 37 % 256).astype(np.uint8).reshape(1, 5, 7, 1)
    steps = {"element_type": "u8", "layout": "NHWC", "resize": algorithm, "scale": 2}
    found = build_in(model([-1, 1, 3, 4]), {"x": steps_of(steps)})
    np.testing.assert_array_equal(computed(found, pixels)[0][0, 0], np.array(wanted, np.float32) / 2)


def test_inputs_keep_their_names_their_order_and_what_is_not_asked_for() -> None:
    steps = {"element_type": "u8", "layout": "NHWC", "resize": {"from": [40, 30]}, "scale": 2}
    found = build_in(model([-1, 3, 4, 6], beside=True), {"x:0": steps_of(steps)})
    ids, x = found.inputs
    assert (
        ids.get_names() == {"ids"} and str(ids.partial_shape) == "[?,2]" and ids.element_type.get_type_name() == "i64"
    )
    assert x.get_names() == {"x", "x:0"} and str(x.partial_shape) == "[?,40,30,3]"
    (told,) = taken(found, {}, {"x:0": steps_of(steps)})
    assert told == "the input x [?, 40, 30, 3] takes u8, layout NHWC; the model itself does resize, scale"


@pytest.mark.parametrize(
    ("shape", "steps", "told"),
    [
        (
            [-1, 3, 4, 6],
            {"mean": [1, 2]},
            "preprocess.x.mean: has 2 values, and the model's input x [?, 3, 4, 6] has 3",
        ),
        ([-1, -1, -1, -1], {"layout": "NHWC"}, "x.layout: nothing tells what the axes of x [?, ?, ?, ?] are; state"),
        ([-1, 3], {"layout": "NHWC->NCHW"}, "x.layout: NCHW has 4 axes, and the model's input is x [?, 3]"),
        (
            [-1, 3, -1, 6],
            {"resize": "cubic"},
            "x.resize: the model's input x [?, 3, ?, 6] leaves height and width open",
        ),
        ([-1, 3, 4, 6], {"resize": {"to": [4, 7]}}, "x.resize: [4, 7] is not what the model's input x [?, 3, 4, 6]"),
        (
            [-1, 3, 4, 6],
            {"color_format": "RGB->GRAY"},
            "x.color_format: GRAY has 1 channel, and the model's input is x",
        ),
    ],
)
def test_what_does_not_fit_is_told(shape: list[int], steps: dict[str, object], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_in(model(shape), {"x": steps_of(steps)})
    assert told in str(caught.value)


def images(folder: Path, name: str = "images.npz") -> Path:
    """Pixels of no size that the net takes."""
    pixels = np.random.default_rng(3).integers(0, 256, (12, 5, 9, 3), np.uint8)
    np.savez(folder / name, pixels=pixels)
    return folder / name


def test_a_version_takes_images_as_they_are(ovrun: Ovrun, tmp_path: Path) -> None:
    """From the file to the version, with data that feed the new input; what is measured is of that model too."""
    import openvino as ov

    onnx_file(tmp_path / "net.onnx", conv())
    images(tmp_path)
    (tmp_path / "mine.yaml").write_text(
        "model: {source: onnx, path: net.onnx}\n"
        "datasets: {pixels: {source: file, path: images.npz, inputs: pixels}}\n"
        "conversion:\n  precision: fp32\n  preprocess:\n"
        "    x: {element_type: u8, layout: NHWC, color_format: BGR->RGB, resize: linear, mean: [1, 2, 3], scale: 64}\n"
        "compression: {algorithm: quantization, dataset: pixels}\n"
        "accuracy: {checks: [{metric: relative_l2, dataset: pixels, max: 0.1}]}\n"
    )
    wrong = "conversion.preprocess.x.color_format='RGBX->RGB'"
    told = ovrun("plan", "mine.yaml", wrong, code=2).stderr
    assert 'the array "pixels" has items of shape [5, 9, 3], and the model takes x [?, ?, ?, 4]' in told
    floats = np.load(tmp_path / "images.npz")["pixels"].astype(np.float32)
    np.savez(tmp_path / "floats.npz", pixels=floats)
    told = ovrun("plan", "mine.yaml", "datasets.pixels.path=floats.npz", code=2).stderr
    assert 'the array "pixels" holds floats, and the model takes u8' in told
    version = tmp_path / json.loads(ovrun("optimize", "mine.yaml", "--json").stdout)["path"]
    assert stage_result(version, "convert")["conversion"]["original"].startswith("ONNX Runtime")
    assert "takes u8, layout NHWC; the model itself does color_format, resize, mean, scale" in (
        (version / "README.md").read_text()
    )
    pixels = np.load(tmp_path / "images.npz")["pixels"]
    (got,) = computed(ov.Core().read_model(version / "openvino_model.xml"), pixels)
    resized = build_in(
        model([-1, 3, 8, 6]), {"x": steps_of({"element_type": "u8", "layout": "NHWC", "resize": "linear"})}
    )
    x = computed(resized, pixels)[0][:, ::-1]
    wanted = conv()((x - np.float32([1, 2, 3]).reshape(3, 1, 1)) / 64)
    assert np.linalg.norm(got - wanted) / np.linalg.norm(wanted) < 0.1

    again = json.loads(ovrun("plan", "mine.yaml", "conversion.preprocess.x.scale=32", "--json").stdout)
    states = {stage["label"]: stage["state"] for stage in again["stages"]}
    assert states["convert to fp32"] == "cached" and states["set the inputs"] == "to do"


def test_digits_come_as_they_are_stored(ovrun: Ovrun, tmp_path: Path, published: Callable[..., Path]) -> None:
    """What the dataset does outside is done inside: the same figures, the data without their preprocessing."""
    (tmp_path / "mine.yaml").write_text(
        "defaults: [digits-int8, _self_]\nname: mine\n"
        "conversion: {preprocess: {pixel_values: {element_type: u8, layout: NHWC, scale: 16}}}\n"
    )
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert told.count("it makes NCHW, and the model takes NHWC since conversion.preprocess") == 2
    plain = [f"~datasets.digits_{name}.preprocess" for name in ("calibration", "evaluation")]
    version = tmp_path / json.loads(ovrun("optimize", "mine.yaml", *plain, "--json").stdout)["path"]
    (inside,), (outside,) = (manifest_of(one)["checks"] for one in (version, published("digits-int8")))
    assert inside["reference_value"] == outside["reference_value"] and inside["passed"]
    card = (version / "README.md").read_text()
    assert "takes u8, layout NHWC; the model itself does scale" in card and "ImageProcessor" not in card
    ovrun("optimize", version / "recipe.yaml")
    assert model_digests(tmp_path / "outputs" / "mine" / "1") == model_digests(version)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_an_input_that_is_not_there_is_told(kind: str, ovrun: Ovrun, tmp_path: Path) -> None:
    """By the plan where the files tell the inputs, else by the first stage that knows."""
    path = {
        "onnx": lambda: onnx_file(tmp_path / "net.onnx", conv()),
        "openvino": lambda: openvino_ir(tmp_path),
        "tflite": lambda: tflite_file(tmp_path / "net.tflite"),
    }[kind]()
    steps = "{xx: {mean: 3}}"
    text = f"model: {{source: {kind}, path: {path.name}}}\nconversion: {{preprocess: {steps}}}\n{INT8}"
    (tmp_path / "mine.yaml").write_text(text)
    told = ovrun("optimize" if kind == "tflite" else "plan", "mine.yaml", code=2).stderr
    assert 'mine.yaml:2:27: conversion.preprocess.xx: the model has no input "xx"; its inputs are: ' in told
    assert "(did you mean x?)" in told
    assert not (tmp_path / "outputs" / "mine").exists()


@pytest.mark.parametrize("kind", ["onnx", "openvino", "openvino-conv"])
def test_files_tell_the_inputs_that_openvino_finds(kind: str, tmp_path: Path) -> None:
    import openvino as ov

    source, _, other = kind.partition("-")
    path = onnx_file(tmp_path / "net.onnx", conv()) if source == "onnx" else openvino_ir(tmp_path)
    if other:
        path = tmp_path / "other.xml"
        ov.save_model(model([-1, 3, 4, -1], beside=True), path)
    located = locate(ModelSource(source, path=path), lambda name: tmp_path / "digests")
    found, wanted = known_inputs(located, None), inputs_of(ov.Core().read_model(path))
    assert [(one.shape, one.names | {one.name}) for one in found] == [(one.shape, one.names) for one in wanted]


def test_generators_and_models_of_several_parts_are_refused(ovrun: Ovrun, tmp_path: Path) -> None:
    model = "model: {source: embedded, id: dialogpt-mini}\n"
    (tmp_path / "mine.yaml").write_text(f"{model}conversion: {{preprocess: {{input_ids: {{mean: 3}}}}}}\n{INT8}")
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "conversion.preprocess: tokenizers feed a model for text-generation-with-past" in told

    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    located = locate(recipe.model, lambda name: tmp_path / "digests")
    (problem,) = check_inputs(recipe, located, None, [], ["encoder", "decoder"])
    assert problem.what == "it is for models of one part, and this one has encoder and decoder"
