"""An example has the sizes that the IR, the configuration and the processor tell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from runner.model.example import example
from runner.model.feed import Port

IDS, IMAGE = np.dtype("int64"), np.dtype("float32")


def shapes(folder: Path, *ports: tuple[str, tuple[int | None, ...]]) -> dict[str, list[int]]:
    feed = example(folder, [Port(name, shape, IMAGE if "values" in name else IDS) for name, shape in ports])
    return {name: list(array.shape) for name, array in feed.items()}


@pytest.mark.parametrize(
    ("length", "config", "expected"),
    [(None, {}, 16), (128, {}, 128), (None, {"max_position_embeddings": 8}, 8), (None, {"n_positions": 1024}, 16)],
)
def test_all_inputs_of_a_text_are_as_long(length: int | None, config: object, expected: int, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = shapes(tmp_path, ("input_ids", (None, length)), ("attention_mask", (None, None)))
    assert found == {"input_ids": [1, expected], "attention_mask": [1, expected]}


@pytest.mark.parametrize(
    ("config", "processor", "expected"),
    [
        ({}, {}, [1, 3, 224, 224]),
        ({"image_size": 32, "num_channels": 1}, {}, [1, 1, 32, 32]),
        ({"vision_config": {"image_size": [48, 64]}}, {}, [1, 3, 48, 64]),
        ({"image_size": 32}, {"size": {"height": 40, "width": 56}}, [1, 3, 40, 56]),
        (
            {},
            {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True},
            [1, 3, 32, 32],
        ),
    ],
)
def test_an_image_is_what_the_processor_makes(
    config: object, processor: object, expected: list[int], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    assert shapes(tmp_path, ("pixel_values", (None, None, None, None))) == {"pixel_values": expected}


def test_channels_that_lie_last_are_found_by_their_size(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"image_size": 32}))
    found = shapes(tmp_path, ("pixel_values", (None, None, None, 3)))
    assert found == {"pixel_values": [1, 32, 32, 3]}
