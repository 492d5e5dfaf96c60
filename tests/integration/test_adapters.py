"""PEFT adapters are merged into the model that they were trained for, and refused for any other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.base import distributions
from runner.base.keys import version_of
from runner.errors import SourceError
from runner.export.adapter import misfits
from runner.sources.adapter import MERGED, find
from tests.conftest import Ovrun
from tests.tiny_adapters import METHODS

IN_F32, IN_F16 = 1e-5, 2e-3
"""Relative L2 distance of logits: measured were at most 4e-7 and 4e-4, and 2e-3 and more from the base."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and an adapter of each method; `other` is of another architecture."""
    folder = tmp_path_factory.mktemp("adapters")
    run("make", folder)
    return folder


def run(*words: str | Path) -> str:
    told = subprocess.run([sys.executable, "-m", "tests.tiny_adapters", *words], check=True, capture_output=True)
    return told.stdout.decode()


def write(folder: Path, base: Path, adapter: Path, precision: str = "fp32") -> None:
    source = f"{{source: local, path: {base}, task: text-generation-with-past, adapter: {{path: {adapter}}}}}"
    settings = f"{{precision: {precision}, tokenizer: false}}"
    (folder / "mine.yaml").write_text(f"model: {source}\nconversion: {settings}\n")


def copied(made: Path, to: Path, **settings: object) -> Path:
    """An adapter of LoRA with other settings."""
    shutil.copytree(made / METHODS[0], to)
    config = to / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))
    return to


@pytest.mark.libraries
@pytest.mark.parametrize(
    ("method", "precision"),
    [
        (METHODS[0], "fp32"),
        ("other", "fp16"),
        *(pytest.param(one, "fp32", marks=pytest.mark.newest) for one in METHODS[1:]),
    ],
)
def test_a_converted_model_gives_what_peft_gives(
    method: str, precision: str, made: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    write(tmp_path, made / f"base-{method}", made / method, precision)
    ovrun("optimize", "mine.yaml")
    version = tmp_path / "outputs" / "mine" / "1"
    found = json.loads(run("compare", made / f"base-{method}", made / method, version).splitlines()[-1])
    assert found["merged"] < (IN_F32 if precision == "fp32" else IN_F16) < found["base"]
    manifest: dict[str, Any] = json.loads((version / "manifest.json").read_text())
    digest = find(made / method, tmp_path / "memory").digest
    assert manifest["model"]["adapter_sha256"] == digest
    assert (
        Path(manifest["model"]["adapter"]).name == Path(manifest["recipe"]["model"]["adapter"]["path"]).name == method
    )
    assert "peft" in manifest["libraries"]
    assert f"`{digest[:16]}…`) merged into it" in (version / "README.md").read_text()


@pytest.mark.libraries
def test_another_adapter_is_another_model_and_the_same_one_is_found_again(
    made: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    adapter = copied(made, tmp_path / "adapter")
    write(tmp_path, made / f"base-{METHODS[0]}", adapter)
    ovrun("optimize", "mine.yaml")
    adapter.rename(tmp_path / "outputs" / "adapter")
    assert "made again, byte for byte" in ovrun("reproduce", "mine").stdout
    copied(made, adapter, lora_alpha=3)
    plan = json.loads(ovrun("plan", "mine.yaml", "--json").stdout)
    assert {stage["state"] for stage in plan["stages"]} == {"to do"}


@pytest.mark.parametrize("base", METHODS[:1])
def test_an_adapter_of_another_model_is_told_by_the_plan(base: str, made: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    write(tmp_path, made / f"base-{base}", made / "other")
    told = ovrun("plan", "mine.yaml", code=4).stderr
    assert "not one of this model: the model has no layer transformer.h.0.attn.c_attn, and 3 more" in told


def test_an_adapter_of_a_wider_model_is_told_by_the_plan(made: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    adapter = copied(made, tmp_path / "adapter")
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file(
        {name: weight.repeat(2, axis=1) for name, weight in weights.items()}, adapter / "adapter_model.safetensors"
    )
    write(tmp_path, made / f"base-{METHODS[0]}", adapter)
    assert "has shape [8, 128], and the layer has [64, 64]" in ovrun("plan", "mine.yaml", code=4).stderr


@pytest.mark.libraries
def test_weights_without_a_place_in_the_model_are_told(made: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    adapter = copied(made, tmp_path / "adapter")
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    save_file(weights | {"base_model.model.head.weight": next(iter(weights.values()))}, path)
    write(tmp_path, made / f"base-{METHODS[0]}", adapter)
    told = ovrun("optimize", "mine.yaml", code=4).stderr
    assert f"{adapter}: 1 of its weights have no place in the model, such as base_model.model.head.weight" in told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "of type PROMPT_TUNING can't be merged"),
        ({"peft_type": "LORAA"}, "did you mean LORA"),
        ({"peft_type": None}, "of type None can't be merged"),
        ({"megatron_config": {"a": 1}, "megatron_core": "mine"}, "names Python code of its own"),
    ],
)
def test_adapters_that_cannot_be_merged_are_told(
    settings: dict[str, object], told: str, made: Path, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=told):
        find(copied(made, tmp_path / "adapter", **settings), tmp_path / "memory")


def test_pickles_and_absent_weights_are_told(made: Path, tmp_path: Path) -> None:
    adapter = copied(made, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(SourceError, match="a pickle alone"):
        find(adapter, tmp_path / "memory")
    (adapter / "adapter_model.bin").unlink()
    with pytest.raises(SourceError, match=r"has no adapter_model\.safetensors"):
        find(adapter, tmp_path / "memory")
    with pytest.raises(SourceError, match="there is no adapter"):
        find(tmp_path / "nowhere", tmp_path / "memory")


def test_models_that_take_no_adapter_are_told() -> None:
    assert [what for what, _ in misfits({"is_encoder_decoder": True}, "text2text-generation")] == [
        "an adapter can't be merged into a model for text2text-generation here"
    ]
    assert [what for what, _ in misfits({"quantization_config": {"a": 1}}, "text-generation")] == [
        "an adapter can't be merged into quantized weights here"
    ]
    assert not [*misfits({}, "text-generation-with-past")]


def test_an_absent_package_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = version_of, distributions._installed
    for one in known:
        one.cache_clear()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    try:
        assert [allowed for _, allowed in misfits({}, "fill-mask")] == ["pip install 'ovrun[peft]'"]
    finally:
        for one in known:
            one.cache_clear()


def test_the_methods_tried_are_those_that_are_taken() -> None:
    assert tuple(sorted(method.removesuffix("Config").upper() for method in METHODS)) == MERGED
