"""A conversion is held against its original: what is found stands in the manifest, a model that differs lies aside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from runner.export import file_check, litert
from runner.export.comparing import relative_l2
from runner.export.given import Given
from tests.conftest import Ovrun
from tests.foreign import conv, onnx_file, tensorflow_frozen, tflite_file
from tests.outputs import manifest_of
from tests.tiny_models import MODELS

CODE = """
from transformers import BertForSequenceClassification


class CountingBert(BertForSequenceClassification):
    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, **more):
        output = super().forward(input_ids, attention_mask, token_type_ids, return_dict=True)
        output.logits = output.logits + 0.1 * len(input_ids[0])  # a trace makes a constant of the length
        return output
"""

SEEING = """
import torch
from transformers import LlavaForConditionalGeneration


class TracedLlava(LlavaForConditionalGeneration):
    def __init__(self, config):
        super().__init__(config)
        self.model.multi_modal_projector.register_forward_hook(self.dimmed)

    @staticmethod
    def dimmed(module, given, features):
        return features * 0.9 if torch.jit.is_tracing() else features
"""
CACHED = ("key", "value")


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose code reads its input's length as a number, as custom code does."""
    auto_map = {"AutoModelForSequenceClassification": "own.CountingBert"}
    return with_code(tmp_path_factory.mktemp("frozen") / "model", "bert-classes", CODE, auto_map)


def with_code(folder: Path, name: str, code: str, auto_map: dict[str, str]) -> Path:
    """A tiny model whose class comes with it."""
    import torch

    folder.mkdir()
    torch.manual_seed(0)
    MODELS[name][1](folder)
    (folder / "own.py").write_text(code)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": auto_map}))
    return folder


def conversion(version: Path) -> dict[str, Any] | None:
    """What a version's manifest says of the check."""
    (stage,) = [stage for stage in manifest_of(version)["stages"] if stage["stage"] == "convert"]
    found: dict[str, Any] | None = stage["result"].get("conversion")
    return found


@pytest.mark.libraries
def test_a_trace_that_froze_a_length_is_found(frozen: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    source = f"model: {{source: local, path: {frozen}, task: text-classification, trust_remote_code: true}}"
    (tmp_path / "mine.yaml").write_text(f"{source}\nconversion: {{tokenizer: false}}\n")
    words = ("mine.yaml", "--allow-remote-code")
    told = ovrun("optimize", *words, code=3).stderr
    assert "mine: the conversion changes the model: its output logits has a relative L2 distance of" in told
    assert "above 0.02" in told and "`conversion.check: false`" in told
    (aside,) = (tmp_path / "outputs" / "mine" / "rejected").iterdir()
    assert str(aside.relative_to(tmp_path)) in told and not (tmp_path / "outputs" / "mine" / "1").exists()
    found = conversion(aside)
    assert found and found["outputs"]["logits"] > 0.02 and (aside / "openvino_model.xml").is_file()
    assert "misses its original" in (aside / "README.md").read_text()
    assert ovrun("optimize", *words, code=3).stderr == told  # known before anything runs

    wide = "+conversion.check.max_relative_l2=100"
    plan = json.loads(ovrun("plan", *words, wide, "--json").stdout)
    assert [stage["label"] for stage in plan["stages"] if stage["state"] == "to do"] == ["verify"]
    ovrun("optimize", *words, wide)
    ovrun("optimize", *words, "+conversion.check=false")
    assert conversion(tmp_path / "outputs" / "mine" / "1") == found
    assert conversion(tmp_path / "outputs" / "mine" / "2") is None


COMPARING = """
import sys
from pathlib import Path
from runner.registry.exporters import ExportParams
from runner.stages import Task, compare
params = ExportParams("openvino", 1, "fp32")
compare.prepare(params)
out = Path(sys.argv[1])
found = compare.run(Task("convert", params, out, {"source": out}), lambda done, total: None)["conversion"]
assert not {"torch", "transformers", "optimum", "nncf"} & sys.modules.keys()
print(found["outputs"])
"""


def test_what_compares_loads_nothing_but_openvino(tmp_path: Path) -> None:
    """Else both would be the run's peak of memory."""
    (tmp_path / "out").mkdir()
    x = op.parameter([2, 3], np.float32, "x")
    double = ov.Model([op.result(op.multiply(x, np.float32(2)), "y")], [x])
    double.inputs[0].set_names({"x"})
    double.outputs[0].set_names({"y"})
    ov.save_model(double, tmp_path / "out" / "openvino_model.xml", compress_to_fp16=False)
    original = Given("it")
    original.ask(lambda feed: {"y": feed["x"] * 2.02}, [{"x": np.ones((2, 3), np.float32)}])
    original.write(tmp_path / "out")
    done = subprocess.run([sys.executable, "-c", COMPARING, tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{'y': 0.0099")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


@pytest.mark.libraries
def test_a_part_that_differs_is_named(ovrun: Ovrun, tmp_path: Path) -> None:
    """A model that sees, whose images are dimmer in a trace: texts and what is written of equal embeddings are not."""
    auto_map = dict.fromkeys(("AutoModelForImageTextToText", "AutoModelForCausalLM"), "own.TracedLlava")
    folder = with_code(tmp_path / "model", "llava", SEEING, auto_map)
    source = f"model: {{source: local, path: {folder}, task: image-text-to-text, trust_remote_code: true}}"
    (tmp_path / "mine.yaml").write_text(f"{source}\n")
    told = ovrun("optimize", "mine.yaml", "--allow-remote-code", code=3).stderr
    assert "its output vision_embeddings.last_hidden_state has a relative L2 distance of 0.1" in told
    (aside,) = (tmp_path / "outputs" / "mine" / "rejected").iterdir()
    found = conversion(aside)
    assert found and not found["unchecked"] and found["inputs"][:2] == ["pixel_values [1, 3, 32, 32]", "input [1, 22]"]
    vision, *others = found["outputs"].values()
    assert vision == pytest.approx(0.1, abs=1e-3) and len(others) == 2 and max(others) < 5e-3


@pytest.mark.libraries
@pytest.mark.newest
def test_a_cache_that_is_given_is_compared(ovrun: Ovrun, tmp_path: Path) -> None:
    """Of a decoder that begins, and of one that goes on."""
    folder = with_code(tmp_path / "model", "t5", "", {})
    source = f"model: {{source: local, path: {folder}, task: text2text-generation-with-past}}"
    (tmp_path / "mine.yaml").write_text(f"{source}\nconversion: {{precision: fp32, stateful: false}}\n")
    ovrun("optimize", "mine.yaml")
    found = conversion(tmp_path / "outputs" / "mine" / "1")
    assert found and not found["faults"] and not found["unchecked"] and max(found["outputs"].values()) < 1e-5
    layers = [f"{layer}.{kind}.{what}" for layer in range(2) for kind in ("decoder", "encoder") for what in CACHED]
    first = {f"decoder.present.{one}" for one in layers}
    later = {f"decoder_with_past.present.{one}" for one in layers if "encoder" not in one}
    logits = {"decoder.logits", "decoder_with_past.logits"}
    assert found["outputs"].keys() == {"encoder.last_hidden_state"} | logits | first | later
    assert found["inputs"][-1].endswith("past_key_values.* [2, 4, 3, 16]")


@pytest.mark.libraries
def test_a_decoder_is_compared_over_two_lengths_with_its_cache(published: Any) -> None:
    version = published("dialogpt-mini-int8")
    found = conversion(version)
    assert found and found["original"].startswith("PyTorch") and not found["faults"] and not found["unchecked"]
    assert [fed.partition("], ")[0] for fed in found["inputs"]] == ["input_ids [1, 6", "input_ids [2, 3"]
    assert found["outputs"].keys() == {"logits"} and 0 < found["outputs"]["logits"] < 5e-3
    assert "was held against its original" in (version / "README.md").read_text()


def test_onnx_runtime_leaves_nothing_behind(tmp_path: Path) -> None:
    """It would write below the home folder and send what it finds as soon as it is imported."""
    pytest.importorskip("onnxruntime")
    (tmp_path / "home").mkdir()
    code = "from runner.base.python import without_telemetry; without_telemetry(); import onnxruntime"
    home = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home")}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **home})
    assert not list((tmp_path / "home").iterdir())


def test_an_onnx_file_is_held_against_onnx_runtime(ovrun: Ovrun, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx_file(tmp_path / "net.onnx", conv())
    (tmp_path / "mine.yaml").write_text("model: {source: onnx, path: net.onnx}\nconversion: {check: true}\n")
    ovrun("optimize", "mine.yaml")
    found = conversion(tmp_path / "outputs" / "mine" / "1")
    assert found and found["original"].startswith("ONNX Runtime") and not found["faults"] and not found["unchecked"]
    assert list(found["outputs"].values()) == [pytest.approx(0, abs=2e-3)]


def test_a_tflite_file_is_held_against_litert(ovrun: Ovrun, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    tflite_file(tmp_path / "net.tflite", outputs=("h", "y"))
    (tmp_path / "mine.yaml").write_text("model: {source: tflite, path: net.tflite}\nconversion: {check: true}\n")
    ovrun("optimize", "mine.yaml")
    found = conversion(tmp_path / "outputs" / "mine" / "1")
    assert found and found["original"].startswith("LiteRT ") and not found["faults"] and not found["unchecked"]
    assert found["outputs"] == {"h": pytest.approx(0, abs=2e-3), "y": pytest.approx(0, abs=2e-3)}
    assert "held against its original (LiteRT" in (tmp_path / "outputs" / "mine" / "1" / "README.md").read_text()
    told = ovrun("optimize", "mine.yaml", "conversion.check={max_relative_l2: 1.0e-9}", code=3).stderr
    assert "its output y has a relative L2 distance of" in told and "above 1e-09" in told


def test_a_quantized_tflite_file_is_not_compared(tmp_path: Path) -> None:
    """LiteRT rounds the inputs of its second layer to 8 bits, which is more than the tolerance."""
    pytest.importorskip("ai_edge_litert")
    source = tflite_file(tmp_path / "net.tflite", int8=True)
    ov.save_model(ov.Core().read_model(source), tmp_path / "openvino_model.xml", compress_to_fp16=False)
    why = "the model, for LiteRT computes in integers where a tensor is quantized, as w2 is"
    found = file_check.given_by(source, tmp_path, "fp32", "any")
    assert found.unchecked == [why] and not found.trials
    feed = {"x": np.random.default_rng(0).standard_normal((1, 16)).astype(np.float32)}
    given = ov.compile_model(tmp_path / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feed)
    assert 1e-4 < relative_l2(litert.Original(source).run(feed)["y"], given["y"]) < 0.1


def test_what_nothing_runs_is_not_checked_and_that_is_told(ovrun: Ovrun, tmp_path: Path) -> None:
    tensorflow_frozen(tmp_path / "net.pb")
    (tmp_path / "mine.yaml").write_text("model: {source: tensorflow, path: net.pb}\n")
    ovrun("optimize", "mine.yaml")
    found = conversion(tmp_path / "outputs" / "mine" / "1")
    assert found and found["outputs"] == {}
    assert found["unchecked"] == ["the model, for nothing is known that runs its original"]
    assert "The conversion was not checked" in (tmp_path / "outputs" / "mine" / "1" / "README.md").read_text()
