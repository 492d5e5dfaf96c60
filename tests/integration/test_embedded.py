"""The recipes on the embedded models, from YAML to an artifact that its users load as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

import runner.base.files as fs
from runner.base import resources
from runner.model import ir
from runner.model.parts import Model
from tests.conftest import Ovrun
from tests.outputs import manifest_of

Publish = Callable[..., Path]

LANGUAGE = ("dialogpt-mini-int4", "dialogpt-mini-int8", "dialogpt-mini-ptq", "nncf-legacy")
RECIPES = (*LANGUAGE, "digits-int8")

CONSUMERS = {
    "optimum": """
from optimum.intel import OVModelForCausalLM
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(folder)
model = OVModelForCausalLM.from_pretrained(folder)
inputs = tokenizer(prompt, return_tensors="pt")
tokens = model.generate(**inputs, max_new_tokens=24, do_sample=False)[0][inputs["input_ids"].shape[1]:]
answer = tokenizer.decode(tokens, skip_special_tokens=True)
""",
    "genai": """
import openvino_genai
answer = openvino_genai.LLMPipeline(folder, "CPU").generate(prompt, max_new_tokens=24, do_sample=False)
""",
    "runtime": """
import openvino as ov
model = ov.Core().read_model(folder + "/openvino_model.xml")
answer = " ".join(port.any_name for port in model.inputs)
""",
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_publishes_a_whole_version(name: str, published: Publish) -> None:
    version = published(name)
    manifest = manifest_of(version)
    jsonschema.validate(manifest, json.loads((resources.schemas_dir() / "manifest.schema.json").read_text()))
    on_disk = {p.relative_to(version).as_posix() for p in fs.walk(version)} - {"manifest.json"}
    assert set(manifest["files"]) == on_disk
    for file, row in manifest["files"].items():
        assert fs.sha256_file(version / file) == row["sha256"]
    assert manifest["checks"] and all(check["passed"] for check in manifest["checks"])
    assert manifest["size"]["optimized"] < manifest["size"]["converted"]
    assert (version.parent / "latest").readlink() == Path(version.name)


@pytest.mark.parametrize("name", LANGUAGE[:3])
def test_three_consumers_load_a_language_model_as_it_is(name: str, published: Publish) -> None:
    version = published(name)
    row = json.loads(_dataset("dialogue-eval").read_text().splitlines()[0])
    answers = {}
    for consumer, code in CONSUMERS.items():
        script = f"folder, prompt = {str(version)!r}, {row['prompt']!r}\n{code}\nprint('answer:', answer)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ})
        assert done.returncode == 0, done.stderr
        answers[consumer] = done.stdout.rpartition("answer:")[2].strip()
    assert answers["runtime"].startswith("input_ids")
    assert answers["genai"] == answers["optimum"] == row["reply"]


def test_an_image_model_has_one_xml_and_one_bin(published: Publish) -> None:
    version = published("digits-int8")
    assert [p.name for p in version.glob("*.xml")] == ["openvino_model.xml"]
    assert [p.name for p in version.glob("*.bin")] == ["openvino_model.bin"]


def test_weights_are_in_the_types_that_the_recipe_asks_for(published: Publish) -> None:
    int4 = ir.constants(Model.of(published("dialogpt-mini-int4")).read())
    assert int4["i4"]["count"] > 8 and int4["i4"]["bytes"] > 0
    int8 = ir.constants(Model.of(published("dialogpt-mini-int8")).read())
    assert "i4" not in int8 and sum(int8[kind]["count"] for kind in ("i8", "u8") if kind in int8) > 8


def test_four_bit_weights_and_eight_bit_activations_in_one_recipe(ovrun: Ovrun, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "mixed.yaml").write_text("""
defaults: [{model: dialogpt-mini}, {data: dialogue}, {accuracy: dialogue}, _self_]
compression:
  - {algorithm: weight_compression, mode: int4_sym, ratio: 0.8, group_size: 128}
  - {algorithm: quantization, dataset: dialogue_train, subset_size: 50}
""")
    version = Path(json.loads(ovrun("optimize", "mixed.yaml", "--outputs", shared, "--json").stdout)["path"])
    model = Model.of(version).read()
    assert ir.constants(model)["i4"]["count"] > 8
    assert sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops()) > 8


def test_a_finished_recipe_again_does_nothing(ovrun: Ovrun, published: Publish, shared: Path) -> None:
    version = published("dialogpt-mini-int4")
    document = json.loads(ovrun("optimize", "dialogpt-mini-int4", "--outputs", shared, "--json").stdout)
    assert document["status"] == "up to date" and document["ran"] == []
    assert Path(document["path"]) == version
    told = ovrun("plan", "dialogpt-mini-int4", "--outputs", shared).stdout
    assert ": 0 to do" in told


def test_a_version_runs_again_from_its_own_recipe(ovrun: Ovrun, published: Publish, shared: Path) -> None:
    version = published("dialogpt-mini-int4")
    assert "defaults" not in yaml.safe_load((version / "recipe.yaml").read_text())
    told = ovrun("optimize", version / "recipe.yaml", "--outputs", shared).stdout
    assert "Up to date" in told


def test_two_clean_stores_give_the_same_bytes(ovrun: Ovrun, published: Publish, tmp_path: Path) -> None:
    first = manifest_of(published("dialogpt-mini-int4"))["files"]
    ovrun("optimize", "dialogpt-mini-int4", "~accuracy", "--outputs", tmp_path / "other")
    second = manifest_of(tmp_path / "other" / "dialogpt-mini-int4" / "1")["files"]
    ours = ("README.md", "recipe.yaml")
    assert {n: r["sha256"] for n, r in first.items() if n not in ours} == {
        n: r["sha256"] for n, r in second.items() if n not in ours
    }


def test_a_missed_gate_publishes_nothing_and_a_moved_gate_runs_nothing(
    ovrun: Ovrun, published: Publish, tmp_path: Path
) -> None:
    words = ("optimize", "digits-int8", "--outputs", tmp_path / "outputs")
    gate = "accuracy.checks=[{{metric: accuracy, dataset: digits_evaluation, min: {}}}]"
    done = ovrun(*words, gate.format(1), code=3)
    assert "accuracy on digits_evaluation: min is 1" in done.stderr
    home = tmp_path / "outputs" / "digits-int8"
    assert [p.name for p in home.iterdir()] == ["rejected"]
    rejected = next((home / "rejected").iterdir())
    assert manifest_of(rejected)["version"] is None and (rejected / "openvino_model.xml").is_file()
    ovrun(*words, gate.format(1), code=3)
    document = json.loads(ovrun(*words, gate.format(0.9), "--json").stdout)
    assert document["status"] == "published" and document["ran"] == []
    assert [p.name for p in sorted(home.iterdir())] == [".published.json", "1", "latest", "rejected"]


def test_a_version_that_was_changed_does_not_count_as_made(ovrun: Ovrun, tmp_path: Path) -> None:
    words = ("optimize", "digits-int8", "--outputs", tmp_path / "outputs", "--json")
    version = Path(json.loads(ovrun(*words).stdout)["path"])
    weights = version / "openvino_model.bin"
    content = bytearray(weights.read_bytes())
    content[0] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)  # the hard-linked store entry changes with it
    again = json.loads(ovrun(*words).stdout)
    assert again["status"] == "published" and again["version"] == 2
    assert any("quantize" in label for label in again["ran"])


def test_the_plan_says_what_changed(ovrun: Ovrun, published: Publish, shared: Path) -> None:
    published("dialogpt-mini-int4")
    told = ovrun("plan", "dialogpt-mini-int4", "compression.ratio=0.5", "--outputs", shared).stdout
    compress = next(line for line in told.splitlines() if "compress to int4_sym" in line)
    assert "changed: ratio " in compress and "→ 0.5" in compress
    assert "cached" in next(line for line in told.splitlines() if "convert to" in line)


def test_the_console_tells_the_whole_story(ovrun: Ovrun, published: Publish, tmp_path: Path) -> None:
    told = ovrun("optimize", "digits-int8", "--outputs", tmp_path / "outputs").stdout
    for word in ("convert to", "quantize to int8", "verify", "peak", "Published", "size", "accuracy", "met", "log"):
        assert word in told
    assert "\x1b" not in told and "INFO" not in told and "Warning" not in told
    assert len(told.splitlines()) < 25


def test_list_and_show_tell_of_versions(ovrun: Ovrun, published: Publish, shared: Path) -> None:
    version = published("digits-int8")
    row = next(
        line for line in ovrun("list", "--outputs", shared).stdout.splitlines() if line.startswith("digits-int8")
    )
    assert version.name in row
    told = ovrun("show", f"digits-int8/{version.name}", "--outputs", shared).stdout
    assert "openvino_model.bin" in told and "accuracy" in told and "nncf" in told
    wrong = ovrun("show", "digits-int8/99", "--outputs", shared, code=2).stderr
    assert "has versions" in wrong


def _dataset(name: str) -> Path:
    from runner import embedded

    return embedded.DATASETS[name]
