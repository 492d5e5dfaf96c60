"""Models, data and disks that are not as they should be: the right exit code, a worded message, nothing lost."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runner import embedded
from runner.store import Store
from tests.conftest import Ovrun

LOCAL = """\
name: mine
model: {{source: local, path: {path}, task: text-generation-with-past}}
compression: {{algorithm: weight_compression, mode: int4_sym, group_size: {group_size}}}
"""


def mini(folder: Path) -> Path:
    """A copy of the embedded language model, to spoil."""
    return Path(shutil.copytree(embedded.MODELS["dialogpt-mini"].path, folder))


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def local(tmp_path: Path, model: str, group_size: int = 128) -> Path:
    return recipe(tmp_path, LOCAL.format(path=model, group_size=group_size))


def test_a_missing_model_folder_is_4(ovrun: Ovrun, tmp_path: Path) -> None:
    told = ovrun("optimize", local(tmp_path, "nowhere"), code=4).stderr
    assert f"there is no folder {tmp_path}/nowhere" in told and "relative to the file" in told


def test_a_folder_without_config_is_4(ovrun: Ovrun, tmp_path: Path) -> None:
    (mini(tmp_path / "m") / "config.json").unlink()
    assert "config.json" in ovrun("optimize", local(tmp_path, "m"), code=4).stderr


def test_truncated_safetensors_are_4_within_the_plan(ovrun: Ovrun, tmp_path: Path) -> None:
    weights = mini(tmp_path / "m") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    told = ovrun("plan", local(tmp_path, "m"), code=4).stderr
    assert "model.safetensors" in told and "truncated" in told


def test_a_tokenizer_over_which_its_library_panics_is_4(ovrun: Ovrun, tmp_path: Path) -> None:
    path = mini(tmp_path / "m") / "tokenizer.json"
    document = json.loads(path.read_text()) | {
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////w=="}
    }
    path.write_text(json.dumps(document))
    told = ovrun("optimize", local(tmp_path, "m"), code=4).stderr
    assert "tokenizer" in told and str(tmp_path / "m") in told


def test_a_truncated_onnx_file_is_4(ovrun: Ovrun, tmp_path: Path, onnx_file: Path) -> None:
    onnx_file.write_bytes(onnx_file.read_bytes()[:-200])
    path = recipe(tmp_path, f"name: mine\nmodel: {{source: onnx, path: {onnx_file}}}\n")
    told = ovrun("optimize", path, code=4).stderr
    assert f"OpenVINO can't read {onnx_file}" in told and "truncated" in told


def test_a_wrong_kind_of_file_is_4(ovrun: Ovrun, tmp_path: Path, onnx_file: Path) -> None:
    path = recipe(tmp_path, f"name: mine\nmodel: {{source: tflite, path: {onnx_file}}}\n")
    assert "Set model.source: onnx" in ovrun("optimize", path, code=4).stderr


def test_a_group_size_that_does_not_divide_is_2_before_the_conversion(ovrun: Ovrun, tmp_path: Path) -> None:
    mini(tmp_path / "m")
    path = local(tmp_path, "m", group_size=96)
    told = ovrun("optimize", path, code=2).stderr
    assert f"{path.name}:3:" in told and "compression.group_size" in told and "128" in told
    assert not (tmp_path / "outputs" / ".logs").exists()


def test_a_group_size_that_does_not_divide_an_onnx_model_is_2(ovrun: Ovrun, tmp_path: Path, onnx_file: Path) -> None:
    path = recipe(
        tmp_path,
        f"""\
name: mine
model: {{source: onnx, path: {onnx_file}}}
compression:
  algorithm: weight_compression
  mode: int4_sym
  group_size: 96
  all_layers: true
""",
    )
    told = ovrun("optimize", path, code=2).stderr
    assert f"{path.name}:6:" in told and "group size 96 does not divide" in told and "64" in told


def test_an_ignored_scope_that_matches_nothing_is_2(ovrun: Ovrun, converted: Callable[[str], Path]) -> None:
    converted("digits-int8")
    told = ovrun("optimize", "digits-int8", "compression.ignored_scope={names: [no_such_layer]}", code=2).stderr
    assert "no_such_layer" in told


def test_no_network_names_a_way_out(ovrun: Ovrun, tmp_path: Path) -> None:
    told = ovrun("optimize", "dialogpt-int4", code=4, HF_HUB_CACHE=str(tmp_path / "cache")).stderr
    assert "can't be reached" in told and "hf download microsoft/DialoGPT-small --revision" in told
    assert "dialogpt-mini-int4" in told


def test_no_network_without_the_offline_switch(ovrun: Ovrun, tmp_path: Path) -> None:
    """The same with the network tried and refused: a port of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HUB_CACHE": str(tmp_path / "cache")}
    told = ovrun("optimize", "dialogpt-int4", code=4, **env).stderr
    assert "can't be reached" in told and "hf download" in told


DATA = """\
name: mine
model: {{source: embedded, id: dialogpt-mini}}
datasets: {{mine: {{source: file, path: data.jsonl, column: {column}}}}}
compression: {{algorithm: weight_compression, mode: int8_asym}}
accuracy: {{checks: [{{metric: perplexity, dataset: mine, max: 100}}]}}
"""


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("model_index.json", {}, "names no _class_name"),
        (
            "adapter_config.json",
            {"peft_type": "LORA"},
            "give its base as model.path, and this folder as model.adapter.path",
        ),
        ("model-q4_0.gguf", {}, "GGUF is not read"),
        ("notes.txt", {}, "a hub cache has it at snapshots/<revision>"),
        ("config.json", {"architecture": "resnet18", "pretrained_cfg": {}}, "a model of timm"),
    ],
)
def test_a_folder_of_another_kind_is_4(
    file: str, content: dict[str, object], told: str, ovrun: Ovrun, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / file).write_text(json.dumps(content))
    (tmp_path / "mine.yaml").write_text("model: {source: local, path: model, task: image-classification}\n")
    assert told in ovrun("plan", "mine.yaml", code=4).stderr


def test_a_missing_column_is_4(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "hello"}\n')
    told = ovrun("plan", recipe(tmp_path, DATA.format(column="txt")), code=4).stderr
    assert "txt" in told and "text" in told and "data.jsonl" in told


def test_an_empty_dataset_is_4(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("")
    assert "empty" in ovrun("plan", recipe(tmp_path, DATA.format(column="text")), code=4).stderr


@pytest.mark.parametrize("megabytes", [4, 10], ids=["while converting", "while compressing"])
def test_a_full_disk_is_5_and_leaves_nothing_half_made(
    megabytes: int, ovrun: Ovrun, full_disk: Callable[..., Path]
) -> None:
    disk = full_disk(megabytes)
    words = ("optimize", "dialogpt-mini-int8", "~accuracy")
    told = ovrun(*words, "--outputs", disk / "outputs", code=5, OVRUN_PREFLIGHT="off").stderr
    assert "the disk is full" in told and "--outputs" in told
    store = Store(disk / "outputs" / ".store")
    assert not any(store.damaged(path.name) for path in (store.root / "entries").glob("*/*"))
    assert not list((disk / "outputs").glob("dialogpt-mini-int8/[0-9]*"))


def test_a_read_only_disk_is_5_before_the_work(ovrun: Ovrun, full_disk: Callable[..., Path]) -> None:
    disk = full_disk(1, "ro")
    told = ovrun("optimize", "digits-int8", "--outputs", disk, code=5).stderr
    assert "can't be written" in told and "--outputs" in told


def test_remote_code_needs_a_word_on_the_command_line(ovrun: Ovrun) -> None:
    words = ("optimize", "dialogpt-int4", "model.trust_remote_code=true")
    told = ovrun(*words, code=2).stderr
    assert "model.trust_remote_code" in told and "--allow-remote-code" in told
    assert "can't be reached" in ovrun(*words, "--allow-remote-code", code=4, HF_HUB_CACHE="/nowhere").stderr


def test_a_changed_store_entry_is_made_again(ovrun: Ovrun, converted: Callable[[str], Path], tmp_path: Path) -> None:
    converted("digits-int8")
    first = json.loads(ovrun("optimize", "digits-int8", "--json").stdout)
    store = Store(tmp_path / "outputs" / ".store")
    spoiled = []
    for entry in (store.root / "entries").glob("*/*/files/openvino_model.bin"):
        entry.chmod(0o644)
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 1
        entry.unlink()
        entry.write_bytes(content)
        spoiled.append(entry.parent.parent.name)
    assert len(spoiled) == 2
    assert "its stored files were changed" in ovrun("plan", "digits-int8").stdout
    again = json.loads(ovrun("optimize", "digits-int8", "--json").stdout)
    assert again["status"] == "up to date" and again["path"] == first["path"]
    assert any("convert" in label for label in again["ran"]) and any("quantize" in label for label in again["ran"])
    manifest = json.loads((Path(tmp_path / first["path"]) / "manifest.json").read_text())
    quantized = store.find(spoiled[0]) and store.find(spoiled[1])
    assert quantized is not None
    bins = {store.find(key).record["files"]["openvino_model.bin"]["sha256"] for key in spoiled}  # type: ignore[union-attr]
    assert manifest["files"]["openvino_model.bin"]["sha256"] in bins


def test_weights_that_are_not_numbers_are_4(ovrun: Ovrun, tmp_path: Path) -> None:
    two_layers(tmp_path / "model.onnx", first=float("nan"))
    path = recipe(
        tmp_path,
        "name: mine\nmodel: {source: onnx, path: model.onnx}\n"
        "compression: {algorithm: weight_compression, mode: int8_asym}\n",
    )
    assert "not numbers" in ovrun("optimize", path, code=4).stderr
    assert not (tmp_path / "outputs" / "mine").exists()


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    return two_layers(tmp_path / "model.onnx")


def two_layers(path: Path, first: float | None = None) -> Path:
    """A small ONNX model: two layers of 64 channels; `first` replaces the first weight."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    values = [rng.standard_normal((64, 64)).astype(np.float32) for _ in range(2)]
    if first is not None:
        values[0][0, 0] = first
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w1"], ["h"]), helper.make_node("MatMul", ["h", "w2"], ["y"])],
        "two-layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])],
        [numpy_helper.from_array(value, name) for value, name in zip(values, ("w1", "w2"), strict=True)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_a_run_whose_streams_are_full_does_its_work_and_is_5(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "runner", "optimize", "digits-int8"]
        assert subprocess.run(words, cwd=tmp_path, stdout=full, stderr=full, timeout=900).returncode == 5
    assert (tmp_path / "outputs" / "digits-int8" / "1" / "manifest.json").is_file()
    (log,) = (tmp_path / "outputs" / ".logs").rglob("*.log")
    assert "Traceback" not in log.read_text()
