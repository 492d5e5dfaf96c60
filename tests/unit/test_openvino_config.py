"""openvino_config.json in a version: of which models, what replaces it, and what can't be said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.artifact import openvino_config
from runner.importers import import_words
from runner.plan.types import Plan, Stage
from runner.recipe.types import ModelSource, Quantization, Recipe, WeightCompression
from runner.sources import Located
from runner.stages import compress, quantize

ONE = ("openvino_model.xml", "openvino_model.bin", "config.json")
HALVES = ("openvino_encoder_model.xml", "openvino_decoder_model.xml", "config.json")
SEEING = tuple(
    f"openvino_{part}.xml" for part in ("language_model", "text_embeddings_model", "vision_embeddings_model")
)
INT4 = WeightCompression(mode="int4_sym", ratio=0.8, group_size=64)
INT8 = WeightCompression(mode="int8_sym")
QUANTIZED = Quantization(dataset="calibration", model_type="none", subset_size=20)
Params = compress.Params | quantize.Params


def weights(step: WeightCompression, part: str | None = None, without: tuple[str, ...] = ()) -> compress.Params:
    return compress.Params(step, None, after_other=False, part=part, without=without)


def full(step: Quantization) -> quantize.Params:
    return quantize.Params(step, None, "CPU", None, after_weight_compression=False)


def written(
    folder: Path, *steps: Params, task: str = "text-classification", files: Sequence[str] = ONE, **results: Any
) -> dict[str, Any] | None:
    """What the file holds that a version gets whose model went through some steps; None if there is no file."""
    stages = tuple(
        Stage("compress", "a step", "", str(index), {}, params, module="tests.cheap")
        for index, params in enumerate(steps)
    )
    located = Located("transformers", {}, task=task)
    recipe = Recipe("r", folder / "r.yaml", ModelSource("local"))
    plan = Plan(recipe, located, stages, "", "", "", ())
    manifest: Any = {"files": dict.fromkeys(files), "stages": [{"key": "0", "result": results}]}
    told = openvino_config.put(folder, plan, manifest)
    path = folder / openvino_config.FILE
    assert told == [openvino_config.FILE] * (path.is_file() and path.stat().st_nlink == 1)
    return json.loads(path.read_text()) if path.is_file() else None


def test_one_network_has_one_configuration_and_is_imported_as_it_was_made(tmp_path: Path) -> None:
    told = written(tmp_path, weights(INT4))
    assert told is not None
    assert told["dtype"] == "int4"
    kept = {"bits": 4, "sym": True, "ratio": 0.8, "group_size": 64, "quant_method": "default", "dataset": None}
    assert kept.items() <= told["quantization_config"].items()
    again = import_words([str(tmp_path / openvino_config.FILE)]).config["compression"]
    assert {name: again[name] for name in ("mode", "ratio", "group_size")} == {
        **{"mode": "int4_sym", "ratio": 0.8, "group_size": 64},
    }


def test_each_part_has_what_was_done_to_it_and_those_that_were_left_are_not_there(tmp_path: Path) -> None:
    told = written(tmp_path, weights(INT4, without=("encoder",)), task="text2text-generation", files=HALVES)
    assert told is not None
    assert told["quantization_config"]["quantization_configs"].keys() == {"decoder"}
    both = weights(INT4, without=("encoder",)), weights(INT8, part="encoder")
    told = written(tmp_path, *both, task="text2text-generation", files=HALVES)
    assert told is not None
    assert told["dtype"] == "int4_int8"
    bits = {part: one["bits"] for part, one in told["quantization_config"]["quantization_configs"].items()}
    assert bits == {"decoder": 4, "encoder": 8}
    again = import_words([str(tmp_path / openvino_config.FILE)]).config
    modes = {part: step["mode"] for part, step in again["parts"].items()}
    assert modes == {"decoder": "int4_sym", "encoder": "int8_sym"} and "compression" not in again


def test_parts_of_a_model_that_sees_have_the_names_that_optimum_gives_them(tmp_path: Path) -> None:
    mild = ("text_embeddings", "vision_embeddings")
    steps = [weights(INT4, without=mild), *(weights(INT8, part=part) for part in mild)]
    told = written(tmp_path, *steps, task="image-text-to-text", files=(*SEEING, "config.json"))
    assert told is not None
    assert told["quantization_config"]["quantization_configs"].keys() == {
        *("lm_model", "text_embeddings_model", "vision_embeddings_model")
    }


def test_activations_are_told_with_the_model_type_that_was_found(tmp_path: Path) -> None:
    own = Quantization(dataset="calibration", subset_size=20)
    for found, sym, kind in (("transformer", False, "transformer"), (None, True, None)):
        told = written(tmp_path, full(own), model_type=found)
        assert told is not None
        kept = {"sym": sym, "model_type": kind, "num_samples": 20, "overflow_fix": "first_layer_only", "dtype": "int8"}
        assert kept.items() <= told["quantization_config"].items()
    assert written(tmp_path, full(own)) is None  # its stage's result is not known any more


def test_weights_first_and_then_activations_are_a_mixed_configuration(tmp_path: Path) -> None:
    told = written(tmp_path, weights(WeightCompression(mode="nf4")), full(QUANTIZED))
    assert told is not None
    assert told["dtype"] == "nf4_int8"
    mixed = told["quantization_config"]
    assert mixed["weight_quantization_config"]["backup_precision"] == "int8_asym"
    assert mixed["full_quantization_config"]["model_type"] is None


@pytest.mark.parametrize(
    "steps",
    [
        [weights(WeightCompression(mode="int3_sym"))],
        [weights(WeightCompression(mode="codebook", advanced={"codebook": [-1.0, 1.0]}))],
        [weights(WeightCompression(mode="int4_sym", backup_mode="fp8_e4m3"))],
        [weights(INT4), weights(INT8)],
        [full(QUANTIZED), weights(INT8)],
        [
            full(
                Quantization(dataset="c", model_type="none", advanced={"weights_quantization_params": {"num_bits": 16}})
            )
        ],
    ],
    ids=["3 bits", "codebook", "backup of floats", "two types", "activations first", "own types"],
)
def test_what_optimum_has_no_words_for_is_not_told_and_a_file_of_the_source_goes(
    steps: list[Params], tmp_path: Path
) -> None:
    (tmp_path / openvino_config.FILE).write_text('{"dtype": "fp16", "quantization_config": null}')
    assert written(tmp_path, *steps, files=(*ONE, openvino_config.FILE)) is None


def test_what_came_with_the_source_stays_untouched_where_it_lies(tmp_path: Path) -> None:
    stored, version = tmp_path / "stored.json", tmp_path / "version"
    version.mkdir()
    stored.write_text('{"dtype": "fp32", "quantization_config": null}')
    (version / openvino_config.FILE).hardlink_to(stored)
    files = (*ONE, openvino_config.FILE)
    assert written(version, files=files) == json.loads(stored.read_text())  # nothing was done to the model
    told = written(version, weights(INT8), files=files)
    assert told is not None
    assert told["dtype"] == "int8"
    assert json.loads(stored.read_text())["dtype"] == "fp32"


def test_no_file_for_a_model_that_no_class_of_optimum_loads(tmp_path: Path) -> None:
    assert written(tmp_path, weights(INT8), files=ONE[:2]) is None
    assert written(tmp_path, weights(INT8), task="arrays") is None
    before = {"quantization_config": {"bits": 8}}
    (tmp_path / openvino_config.FILE).write_text(json.dumps(before))
    assert written(tmp_path, weights(INT8), files=(*ONE, openvino_config.FILE)) is None  # two hands were at work
