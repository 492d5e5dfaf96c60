"""Images as model inputs: equal to what Pillow, and OpenVINO's own preprocessing, make of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op
from openvino.preprocess import ColorFormat, PrePostProcessor
from PIL import Image

from runner.base.values import Array
from runner.data.calibration import calibration_items
from runner.data.images import Picture, opened
from runner.data.preprocess import image_array
from runner.errors import SourceError
from runner.recipe.datasets import calibrating
from runner.recipe.types import Dataset, Preprocess


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return Picture("rows:1", "image", tmp_path, "a.png")


def made(picture: Picture, steps: Preprocess | None) -> Array:
    return image_array(opened(picture), steps, picture.place)


def pillow(picture: Picture) -> Image.Image:
    return Image.open(picture.path).convert("RGB")


def test_without_steps_it_is_the_image(picture: Picture) -> None:
    found = made(picture, None)
    np.testing.assert_array_equal(found, np.asarray(pillow(picture)))
    assert found.dtype == np.uint8


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_resizing_is_pillows(picture: Picture, name: str) -> None:
    steps = Preprocess(resize=(20, 31), resample=name, dtype="uint8")
    expected = pillow(picture).resize((31, 20), Image.Resampling[name.upper()])
    np.testing.assert_array_equal(made(picture, steps), np.asarray(expected))


def test_the_shorter_side_is_resized_and_the_middle_is_left(picture: Picture) -> None:
    found = made(picture, Preprocess(resize=(24,), crop=(16, 20), dtype="uint8"))
    expected = np.asarray(pillow(picture).resize((34, 24), Image.Resampling.BILINEAR))[4:20, 7:27]
    np.testing.assert_array_equal(found, expected)
    assert made(picture, Preprocess(crop=(16,), dtype="uint8")).shape == (16, 16, 3)


def test_colors(picture: Picture) -> None:
    rgb = np.asarray(pillow(picture))
    np.testing.assert_array_equal(made(picture, Preprocess(color="BGR", dtype="uint8")), rgb[:, :, ::-1])
    gray = made(picture, Preprocess(color="GRAY", dtype="uint8"))
    np.testing.assert_array_equal(gray[:, :, 0], np.asarray(pillow(picture).convert("L")))


@pytest.mark.parametrize("layout", [("HWC", "CHW"), ("NHWC", "NCHW")])
def test_numbers_and_layout_are_those_of_openvinos_preprocessing(picture: Picture, layout: tuple[str, str]) -> None:
    mean, std = (123.0, 116.5, 103.0), (58.0, 57.0, 57.5)
    taken = op.parameter([1, 3, 37, 53], np.float32, name="x")
    build = PrePostProcessor(ov.Model([op.relu(op.add(taken, np.float32(5)))], [taken]))
    build.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.RGB)
    build.input().model().set_layout(ov.Layout("NCHW"))
    steps = build.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.BGR)
    steps.mean(list(mean)).scale(list(std))
    model = ov.Core().compile_model(build.build(), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = model(np.asarray(pillow(picture))[None])[0][0]
    found = made(picture, Preprocess(color="BGR", mean=mean, std=std, layout=layout))
    np.testing.assert_allclose(np.maximum(found + 5, 0), expected, rtol=1e-5, atol=1e-5)


def test_an_image_that_is_too_small_is_told(picture: Picture) -> None:
    with pytest.raises(SourceError, match=r"rows:1: .*a\.png: 64 x 64 pixels can't be cropped of 37 x 53"):
        made(picture, Preprocess(crop=(64,)))


def test_a_folder_of_images_calibrates_by_declared_steps(picture: Picture) -> None:
    taken = op.parameter([-1, 3, 16, 16], np.float32, name="x")
    model = ov.Model([op.relu(taken)], [taken])
    columns = {"image": "image", "label": "label"}
    steps = Preprocess(resize=(16, 16), scale=1 / 255, layout=("HWC", "CHW"))
    dataset = Dataset("d", "file", picture.folder, "imagefolder", columns=columns, preprocess=steps)
    (item,) = calibration_items(calibrating(dataset), model, picture.folder, 5, 0)
    np.testing.assert_array_equal(item["x"][0], made(picture, steps))
    wrong = replace(dataset, preprocess=replace(steps, resize=(8, 8)))
    with pytest.raises(SourceError, match=r"a\.png: .* its items have shape \[3, 8, 8\]"):
        calibration_items(calibrating(wrong), model, picture.folder, 5, 0)
