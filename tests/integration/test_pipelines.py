"""Pipelines of diffusers: all parts are converted, compressed and compared, and their users' classes draw with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifact import openvino_config
from runner.artifact.published import Version
from runner.model import pipeline
from runner.model.parts import Model
from runner.store import store_of
from tests.conftest import Ovrun
from tests.tiny_pipelines import PIPELINES

ID, COMMIT = "someone/some-pipeline", "0123456789abcdef" * 2 + "01234567"
IN_F32 = 1e-4
"""Relative L2 distance of an image."""
STEP = "compression: {algorithm: weight_compression, mode: int8_asym}\n"


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder of a tiny pipeline, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("pipelines")

    def make(name: str) -> Path:
        if not (folder / name).exists():
            words = [sys.executable, "-m", "tests.tiny_pipelines", folder, name]
            subprocess.run(words, check=True, capture_output=True)
        return folder / name

    return make


def recipe(folder: Path, model: Path, more: str = STEP, task: str = "text-to-image", name: str = "mine") -> str:
    (folder / f"{name}.yaml").write_text(f"model: {{source: local, path: {model}, task: {task}}}\n{more}")
    return f"{name}.yaml"


def kinds(whole: Model, part: str) -> set[str]:
    """The integer types of a part's constants that have many values."""
    found = (node for node in whole.read(part).get_ops() if node.get_type_name() == "Constant")
    types = {node.get_element_type().get_type_name() for node in found if len(node.get_output_shape(0)) > 1}
    return types & {"u8", "i8", "u4", "i4"}


@pytest.mark.libraries
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "stable-diffusion" else pytest.mark.newest) for name in PIPELINES]
)
def test_a_pipeline_is_published_as_its_users_load_it(
    name: str, pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    source = pipelines(name)
    ovrun("optimize", recipe(tmp_path, source))
    version = Version(tmp_path / "outputs" / "mine" / "1")
    results: dict[str, Any] = {stage["stage"]: stage["result"] for stage in version.manifest["stages"]}
    assert results["verify"]["ran"] == "drew an image of 64 x 64 from a text in 2 steps with OVPipelineForText2Image"
    whole, index = Model.of(version.path), json.loads((source / pipeline.INDEX).read_text())
    assert set(whole.parts) == set(pipeline.parts(index))
    assert all(kinds(whole, part) == {"u8"} for part in whole.parts)
    size = version.manifest["size"]
    assert set(size["parts"]) == set(whole.parts)
    assert sum(part["optimized"] for part in size["parts"].values()) == size["optimized"]
    assert all(part["converted"] for part in size["parts"].values())
    checked = results["convert"]["conversion"]
    assert {output.partition(".")[0] for output in checked["outputs"]} == set(whole.parts)
    assert not checked["faults"] and not checked["unchecked"] and max(checked["outputs"].values()) < 5e-3
    assert str(source) not in (version.path / pipeline.INDEX).read_text()
    told = json.loads((version.path / openvino_config.FILE).read_text())["quantization_config"]
    assert {part: one["bits"] for part, one in told["quantization_configs"].items()} == dict.fromkeys(whole.parts, 8)


@pytest.mark.libraries
@pytest.mark.newest
@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_draws_what_diffusers_draws(
    name: str, pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    source = pipelines(name)
    ovrun("optimize", recipe(tmp_path, source, "conversion: {precision: fp32}\n"))
    words = [sys.executable, "-m", "tests.agreement_pipelines", source, tmp_path / "outputs" / "mine" / "1"]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    found = json.loads(told)
    assert found["optimum-intel"] < IN_F32 and found["openvino-genai"] == [1, 64, 64, 3]
    _other_uses(name, source, ovrun, tmp_path)


def _other_uses(name: str, source: Path, ovrun: Ovrun, folder: Path) -> None:
    """The same conversion serves other tasks, and parts of their own; the parts that draw no images keep 8 bits."""
    low = "conversion: {precision: fp32}\n"
    low += "compression: {algorithm: weight_compression, mode: int4_sym, group_size: 16}\n"
    own = "parts: {text_encoder: {mode: int8_sym}, vae_decoder: none}\n"
    ovrun("optimize", recipe(folder, source, low + own, "image-to-image", "other"))
    version = Version(folder / "outputs" / "other" / "1")
    done = [stage for stage in version.manifest["stages"] if stage["stage"] == "convert"]
    first = Version(folder / "outputs" / "mine" / "1").manifest["stages"]
    assert [stage["key"] for stage in done] == [stage["key"] for stage in first if stage["stage"] == "convert"]
    whole = Model.of(version.path)
    denoiser = "unet" if name.startswith("stable-diffusion") and "unet" in whole.parts else "transformer"
    assert "i4" in kinds(whole, denoiser)
    assert kinds(whole, "text_encoder") == kinds(whole, "vae_encoder") == {"i8"}
    assert kinds(whole, "vae_decoder") == set()


@pytest.mark.libraries
@pytest.mark.newest
def test_a_masked_part_is_drawn(pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path) -> None:
    ovrun("optimize", recipe(tmp_path, pipelines("stable-diffusion"), task="inpainting"))
    found = Version(tmp_path / "outputs" / "mine" / "1").manifest["stages"]
    verified: dict[str, Any] = next(stage for stage in found if stage["stage"] == "verify")["result"]
    assert verified["ran"].startswith("drew an image of 64 x 64 from a text and an image")


@pytest.mark.libraries
@pytest.mark.newest
def test_parts_are_quantized_on_what_goes_into_them(
    pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    """Texts are drawn by the whole pipeline, and what the parts get is recorded, once for all settings."""
    (tmp_path / "texts.txt").write_text("a boat\na light\na tree\n")
    data = "datasets: {texts: {source: file, path: texts.txt}}\n"
    own = "parts: {unet: {algorithm: quantization, dataset: texts, subset_size: 6}, vae_encoder: none}\n"
    name = recipe(tmp_path, pipelines("stable-diffusion"), STEP + data + own)
    ovrun("optimize", name)
    version = Version(tmp_path / "outputs" / "mine" / "1")
    recorded: dict[str, Any] = next(stage for stage in version.manifest["stages"] if stage["stage"] == "record")
    assert recorded["result"] == {"items": 6}
    quantized: dict[str, Any] = next(stage for stage in version.manifest["stages"] if stage["stage"] == "quantize")
    assert quantized["result"]["quantizers"] > 0 and quantized["result"]["calibration_items"] == 6
    assert kinds(Model.of(version.path), "unet") == {"i8"}
    told = json.loads(ovrun("plan", name, "parts.unet.preset=mixed", "--json").stdout)
    needed = [stage["label"] for stage in told["stages"] if stage["state"] != "cached"]
    assert needed == ["quantize unet to int8", "assemble", "verify"]
    whole = "compression: {algorithm: quantization, dataset: texts, subset_size: 6}\nparts: {vae_encoder: none}\n"
    recipe(tmp_path, pipelines("stable-diffusion"), data + whole)
    told = json.loads(ovrun("plan", name, "--json").stdout)
    assert [stage["label"] for stage in told["stages"] if stage["state"] == "cached"] == [
        "convert to fp16",
        "record the inputs of unet",
        "quantize unet to int8",
    ]
    other = "parts: {vae_encoder: {algorithm: quantization, dataset: texts}}\n"
    recipe(tmp_path, pipelines("stable-diffusion"), data + other)
    assert "parts.vae_encoder.dataset: no text feeds vae_encoder" in ovrun("plan", name, code=2).stderr


@pytest.mark.libraries
@pytest.mark.newest
@pytest.mark.parametrize("name", ["stable-diffusion", "stable-diffusion-3"])
def test_hybrid_quantization_is_that_of_optimum(
    name: str, pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    """The same weights in the same types, and the same inputs quantized, on what the stage `record` recorded."""
    (tmp_path / "prompts.txt").write_text("a boat\na light\na tree\n")
    own = "datasets: {calibration: {source: file, path: prompts.txt}}\n"
    if name == "stable-diffusion":
        part, step = "unet", "defaults: [{compression: hybrid-unet}, _self_]\nparts: {unet: {subset_size: 6}}\n"
    else:
        settings = "algorithm: quantization, hybrid: int8_asym, dataset: calibration, subset_size: 6"
        part, step = "transformer", f"{STEP}parts: {{transformer: {{{settings}, overflow_fix: disable}}}}\n"
    ovrun("optimize", recipe(tmp_path, pipelines(name), step + own))
    version = Version(tmp_path / "outputs" / "mine" / "1")
    keys = {stage["stage"]: stage["key"] for stage in version.manifest["stages"]}
    before, items = (store_of(tmp_path / "outputs").folder(keys[one]) / "files" for one in ("convert", "record"))
    out, model = tmp_path / "wanted.xml", f"{part}/openvino_model.xml"
    words = [sys.executable, "-m", "tests.hybrid_by_optimum", before / model, items, out]
    subprocess.run(words, check=True, capture_output=True)
    found, wanted = held(version.path / model), held(out)
    assert found == wanted
    assert found["FakeQuantize"] and found["u8"] and found["i8"]
    said = json.loads((version.path / "openvino_config.json").read_text())["quantization_config"]
    assert said["quantization_configs"][part]["quant_method"] == "hybrid"
    ovrun("import", version.path / "openvino_config.json", "--output", "again.yaml")
    stated = f"model={{source: local, path: {pipelines(name)}, task: text-to-image}}"
    data = "+datasets={calibration: {source: file, path: prompts.txt}}"
    told = ovrun("plan", "again.yaml", stated, data, f"parts.{part}.dataset=calibration", "--json").stdout
    assert f"quantize {part} to int8" in [stage["label"] for stage in json.loads(told)["stages"]]


def held(xml: Path) -> Counter[str]:
    """How many operations of each kind, and constants of many values of each type, an IR has."""
    import openvino as ov

    nodes = ov.Core().read_model(xml).get_ops()
    weights = [node for node in nodes if node.get_type_name() == "Constant" and len(node.get_output_shape(0)) > 1]
    return Counter(node.get_type_name() for node in nodes) + Counter(
        node.get_element_type().get_type_name() for node in weights
    )


@pytest.mark.newest
def test_a_pipeline_of_a_hub_is_fetched_as_it_is_read(
    pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a cache in the hub's layout: what is not read of it is not brought."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    snapshot = tmp_path / "cache" / f"models--{ID.replace('/', '--')}" / "snapshots" / COMMIT
    shutil.copytree(pipelines("stable-diffusion"), snapshot)
    (snapshot / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"a variant")
    _shard(snapshot / "unet" / "diffusion_pytorch_model.safetensors")
    (tmp_path / "mine.yaml").write_text(f"model: {{source: huggingface, id: {ID}, revision: {COMMIT}}}\n")
    ovrun("optimize", "mine.yaml")
    found = Version(tmp_path / "outputs" / "mine" / "1").manifest
    assert found["model"]["task"] == "text-to-image"
    fetched: dict[str, Any] = next(stage for stage in found["stages"] if stage["stage"] == "fetch")["result"]
    assert "unet/diffusion_pytorch_model-00001-of-00001.safetensors" in fetched["files"]
    assert "unet/diffusion_pytorch_model.fp16.safetensors" not in fetched["files"]
    shutil.rmtree(snapshot / "vae")
    told = ovrun("optimize", "mine.yaml", "--outputs", "others", code=4).stderr
    assert "not in the hub's local cache" in told


def _shard(file: Path) -> None:
    """Give weights the form of those that are too large for one file."""
    from runner.model.safetensors import shapes

    name = "diffusion_pytorch_model-00001-of-00001.safetensors"
    file.rename(file.with_name(name))
    index = {"metadata": {}, "weight_map": dict.fromkeys(shapes(file.with_name(name)), name)}
    file.with_name(f"{file.name}.index.json").write_text(json.dumps(index))


def edited(name: str, **changes: object) -> Callable[[Path], None]:
    """Change keys of a JSON file of a pipeline; None takes one out."""

    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text()) | changes
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / name).write_text(json.dumps(kept))

    return change


def renamed(name: str, to: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).rename(folder / to)

    return change


UNET = "unet/diffusion_pytorch_model.safetensors"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "another class": (
        edited(pipeline.INDEX, _class_name="StableDiffusionPipelin"),
        "a StableDiffusionPipelin is not converted (did you mean StableDiffusionPipeline?)",
    ),
    "no class": (edited(pipeline.INDEX, _class_name=None), "names no _class_name"),
    "code as a class": (edited(pipeline.INDEX, _class_name=["my_pipeline", "Mine"]), "names Python code of its own"),
    "code as a component": (
        edited(pipeline.INDEX, unet=["my_unet", "Mine"]),
        "unet is of my_unet; components of diffusers and transformers are read",
    ),
    "no JSON": (lambda folder: (folder / pipeline.INDEX).write_text("{"), "cannot be read as JSON"),
    "a component elsewhere": (edited(pipeline.INDEX, **{"../unet": ["diffusers", "X"]}), "can't be folders"),
    "no component": (lambda folder: shutil.rmtree(folder / "vae"), "vae: model_index.json names this component"),
    "a pickle": (renamed(UNET, "unet/diffusion_pytorch_model.bin"), "as a pickle alone"),
    "a variant": (
        renamed(UNET, "unet/diffusion_pytorch_model.fp16.safetensors"),
        "its weights are called diffusion_pytorch_model.fp16.safetensors",
    ),
    "no weights": (lambda folder: (folder / UNET).unlink(), "unet: holds no weights"),
    "a cut file": (lambda folder: (folder / UNET).write_bytes((folder / UNET).read_bytes()[:-9]), "truncated"),
    "a link out": (lambda folder: _link_out(folder / UNET), "outside of the model's folder"),
    "no length": (edited("tokenizer/tokenizer_config.json", model_max_length=None), "states no model_max_length"),
    "too many layers": (edited("text_encoder/config.json", num_hidden_layers=10**6), "num_hidden_layers is 1000000"),
}
"""What is done to a folder, and what is told of it."""


def _link_out(file: Path) -> None:
    file.rename(file.parents[2] / "elsewhere")
    file.symlink_to(file.parents[2] / "elsewhere")


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_pipeline_is_told_at_the_plan(
    case: str, pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    change, told = BROKEN[case]
    folder = tmp_path / "broken"
    shutil.copytree(pipelines("stable-diffusion"), folder)
    change(folder)
    assert told in ovrun("plan", recipe(tmp_path, folder), code=4).stderr


@pytest.mark.parametrize(
    ("more", "task", "told"),
    [
        (STEP, "text-generation", ": model.task: a StableDiffusionPipeline is not for text-generation"),
        ("parts: {transformer: none}\n", "text-to-image", "the model has no such part; it has text_encoder, unet"),
        (
            "compression: {algorithm: weight_compression, mode: int4_sym}\n",
            "text-to-image",
            "compression.group_size: 128 (NNCF's default) doesn't divide the model's",
        ),
        ("parts: {unet: {mode: int4_sym, group_size: 24}}\n", "text-to-image", "parts.unet.group_size"),
    ],
)
def test_what_does_not_fit_a_pipeline_is_told_at_the_plan(
    more: str, task: str, told: str, pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    recipe(tmp_path, pipelines("stable-diffusion"), more, task)
    assert told in ovrun("plan", "mine.yaml", code=2).stderr


def test_weights_that_are_absent_are_not_made_up(
    pipelines: Callable[[str], Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    """diffusers would draw random values for them."""
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(pipelines("stable-diffusion"), folder)
    weights = load_file(folder / UNET)
    del weights["conv_out.weight"]
    save_file(weights, folder / UNET, metadata={"format": "pt"})
    told = ovrun("optimize", recipe(tmp_path, folder), code=4).stderr
    assert f"{folder / 'unet'}: its files hold" in told
