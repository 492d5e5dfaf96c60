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
from runner.sources import apart
from runner.sources.adapter import MERGED, SETTINGS, WEIGHTS, find
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


def write_apart(folder: Path, base: Path, adapter: Path, conversion: str = "precision: fp32") -> None:
    """A recipe whose adapter lies beside the model."""
    source = (
        f"{{source: local, path: {base}, task: text-generation-with-past, adapter: {{path: {adapter}, merge: false}}}}"
    )
    (folder / "mine.yaml").write_text(f"model: {source}\nconversion: {{{conversion}}}\n")


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
        pytest.param("other", "fp16", marks=pytest.mark.newest),
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


@pytest.mark.newest
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


@pytest.mark.newest
@pytest.mark.parametrize("compression", ["", "int8_asym"])
def test_genai_loads_an_adapter_that_lies_beside_the_model(
    compression: str, made: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    """What it writes then is what PEFT's merged model writes, and another text than the base's."""
    adapter = shutil.copytree(made / "other", tmp_path / "adapter")
    config = adapter / SETTINGS
    config.write_text(json.dumps(json.loads(config.read_text()) | {"lora_alpha": 24}))
    write_apart(tmp_path, made / "base-other", adapter)
    step = f"compression: {{algorithm: weight_compression, mode: {compression}}}\n" if compression else ""
    (tmp_path / "mine.yaml").write_text((tmp_path / "mine.yaml").read_text() + step)
    ovrun("optimize", "mine.yaml")
    version = tmp_path / "outputs" / "mine" / "1"
    assert (version / WEIGHTS).read_bytes() == (adapter / WEIGHTS).read_bytes()
    manifest: dict[str, Any] = json.loads((version / "manifest.json").read_text())
    stages = {stage["stage"]: stage for stage in manifest["stages"]}
    assert stages["adapter"]["result"] == {"layers": 2, "alpha": 3.0}
    assert stages["verify"]["result"]["ran"].endswith("with the adapter at alpha 3, 16 tokens, others than without it")
    assert stages["convert"]["document"]["params"]["adapter"] is None
    card = (version / "README.md").read_text()
    assert "beside it: figures and sizes here" in card and "adapters.add(adapter, 3)" in card
    found = json.loads(run("ask", made / "base-other", adapter, version, "3").splitlines()[-1])
    assert found["genai"][:4] == found["merged"][:4] != found["base"][:4]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"peft_type": "IA3"}, "OpenVINO GenAI loads LoRA alone, and this is an adapter of type IA3"),
        ({"use_dora": True, "bias": "all"}, "OpenVINO GenAI loads plain LoRA alone, and this one has bias, use_dora"),
        ({"alpha_pattern": {"q_proj": 2}}, "and this one has alpha_pattern; allowed: true, which merges it"),
    ],
)
def test_an_adapter_that_genai_cannot_load_is_told_by_the_plan(
    settings: dict[str, object], told: str, made: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    write_apart(tmp_path, made / f"base-{METHODS[0]}", copied(made, tmp_path / "adapter", **settings))
    said = ovrun("plan", "mine.yaml", code=2).stderr
    assert "mine.yaml:1:" in said and "model.adapter.merge: " in said and told in said


def test_a_model_that_no_adapter_can_lie_beside_is_told_by_the_plan(made: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    write_apart(tmp_path, made / f"base-{METHODS[0]}", made / METHODS[0], "stateful: false, tokenizer: false")
    said = ovrun("plan", "mine.yaml", "model.task=feature-extraction", code=2).stderr
    assert "an adapter is loaded beside a model for text-generation-with-past alone, by OpenVINO GenAI" in said
    for setting in ("stateful", "tokenizer"):
        assert f"conversion.{setting}: OpenVINO GenAI, which loads the adapter, needs it; allowed: true" in said


def test_weights_of_an_adapter_that_genai_would_leave_out_are_told(made: Path, tmp_path: Path) -> None:
    found = find(made / METHODS[0], tmp_path / "memory")
    names = [f"__module.model.layers.{layer}.self_attn.q_proj/aten::linear/MatMul" for layer in range(2)]
    assert apart.place(found, names) == 2
    with pytest.raises(SourceError, match=r"1 of its weights have no place .* such as model\.layers\.1\.self_attn"):
        apart.place(found, names[:1])


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [({"r": 4, "lora_alpha": 16}, 4), ({"r": 4, "lora_alpha": 16, "use_rslora": True}, 8), ({}, 1)],
)
def test_how_strong_an_adapter_is(settings: dict[str, object], alpha: float) -> None:
    assert apart.alpha(settings) == alpha


COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def cached(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adapter in a hub's cache, in the cache's own layout, and no network."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    home = tmp_path / "cache" / "models--someone--support-lora"
    for name in ("blobs", "refs", f"snapshots/{COMMIT}"):
        (home / name).mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    for number, name in enumerate((SETTINGS, WEIGHTS)):
        shutil.copy(made / METHODS[0] / name, home / "blobs" / str(number))
        (home / "snapshots" / COMMIT / name).symlink_to(f"../../blobs/{number}")
    return home


def write_hub(folder: Path, base: Path, more: str = "") -> None:
    adapter = f"{{id: someone/support-lora{more}}}"
    source = f"{{source: local, path: {base}, task: text-generation-with-past, adapter: {adapter}}}"
    (folder / "mine.yaml").write_text(f"model: {source}\nconversion: {{precision: fp32, tokenizer: false}}\n")


@pytest.mark.libraries
def test_an_adapter_of_a_hub_is_fetched_merged_and_pinned(
    made: Path, cached: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    base = made / f"base-{METHODS[0]}"
    write_hub(tmp_path, base)
    ovrun("optimize", "mine.yaml")
    version = tmp_path / "outputs" / "mine" / "1"
    found = json.loads(run("compare", base, made / METHODS[0], version).splitlines()[-1])
    assert found["merged"] < IN_F32 < found["base"]
    manifest: dict[str, Any] = json.loads((version / "manifest.json").read_text())
    assert {key: value for key, value in manifest["model"].items() if key.startswith("adapter")} == {
        "adapter": "someone/support-lora",
        "adapter_revision": COMMIT,
        "adapter_requested_revision": "main",
    }
    assert manifest["recipe"]["model"]["adapter"] == {"id": "someone/support-lora", "revision": COMMIT}
    card = (version / "README.md").read_text()
    assert f"the adapter `someone/support-lora` at commit `{COMMIT}` merged into it" in card
    assert "Up to date" in ovrun("optimize", "mine.yaml", f"+model.adapter.revision={COMMIT}").stdout


@pytest.mark.libraries
@pytest.mark.newest
def test_a_version_with_an_adapter_of_a_hub_is_made_again(
    made: Path, cached: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    write_hub(tmp_path, made / f"base-{METHODS[0]}")
    ovrun("optimize", "mine.yaml")
    assert "made again, byte for byte" in ovrun("reproduce", "mine").stdout


def test_an_adapter_of_a_hub_that_is_not_there_is_told_by_the_plan(
    made: Path, cached: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    write_hub(tmp_path, made / f"base-{METHODS[0]}", ", revision: v2")
    assert "someone/support-lora is not in the hub's local cache" in ovrun("plan", "mine.yaml", code=4).stderr
    config = cached / "blobs" / "0"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"peft_type": "PROMPT_TUNING"}))
    write_hub(tmp_path, made / f"base-{METHODS[0]}")
    assert "an adapter of type PROMPT_TUNING can't be merged" in ovrun("plan", "mine.yaml", code=4).stderr


@pytest.mark.libraries
def test_an_adapter_of_a_hub_of_another_model_or_pickled_ends_the_run(
    made: Path, cached: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    write_hub(tmp_path, made / "base-other")
    assert "not one of this model: the model has no layer" in ovrun("optimize", "mine.yaml", code=4).stderr
    weights = cached / "snapshots" / COMMIT / WEIGHTS
    weights.rename(weights.with_name("adapter_model.bin"))
    write_hub(tmp_path, made / f"base-{METHODS[0]}", f", revision: {COMMIT}")
    shutil.rmtree(tmp_path / "outputs")
    assert "someone/support-lora is not in the hub's local cache" in ovrun("optimize", "mine.yaml", code=4).stderr
