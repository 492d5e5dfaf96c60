"""A model of images and texts is calibrated with both: its parts get what the whole makes of them.

Run as a script, this file is the process that reads by PyTorch: a model's folder and a dataset as its arguments, and
where to put what the language model gets.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runner.artifact.published import Version
from runner.data.recorded import Written
from runner.model.parts import Model
from runner.store import store_of
from tests.compressed import weight_types
from tests.conftest import Ovrun

pytestmark = [pytest.mark.libraries, pytest.mark.newest]

IN_F32 = 1e-5
"""Relative L2 distance of embeddings."""
COUNT = 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models and a dataset."""
    folder = tmp_path_factory.mktemp("home")
    words = [sys.executable, "-m", "tests.tiny_models", folder, "llava", "llava-next"]
    subprocess.run(words, check=True, capture_output=True)
    rng, lines = np.random.default_rng(0), []
    for number in range(COUNT):
        Image.fromarray(rng.integers(0, 255, (40 + number, 60, 3), np.uint8)).save(folder / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "text": f"what is number {number}"}))
    (folder / "seen.jsonl").write_text("\n".join(lines))
    return folder


def recipe(folder: Path, home: Path, parts: str, model: str = "llava") -> str:
    (folder / "mine.yaml").write_text(
        f"model: {{source: local, path: {home / model}, task: image-text-to-text}}\n"
        f"datasets: {{seen: {{source: file, path: {home}/seen.jsonl, column: text, image: image}}}}\n"
        "conversion: {precision: fp32}\n"
        "compression: {algorithm: weight_compression, mode: int8_sym}\n"
        f"parts: {{{parts}}}\n"
    )
    return "mine.yaml"


def results(version: Version) -> dict[str, Any]:
    """What each stage told, by its label."""
    return {stage["label"]: stage["result"] for stage in version.manifest["stages"]}


def distance(found: Any, wanted: Any) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


LOW = "mode: int4_sym, group_size: 16, dataset: seen, subset_size: 8"
SEES = "vision_embeddings: {algorithm: quantization, dataset: seen}"


@pytest.mark.parametrize("model", ["llava", "llava-next"])
def test_parts_are_calibrated_with_images_and_texts(model: str, home: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    name = recipe(tmp_path, home, f"language_model: {{{LOW}, scale_estimation: true}}, {SEES}", model)
    ovrun("optimize", name)
    version = Version(tmp_path / "outputs" / "mine" / "1")
    told = results(version)
    assert told["record the inputs of language_model"] == {"items": COUNT}
    assert told["collect statistics of language_model on seen"] == {"calibration_items": COUNT}
    pieces = told["record the inputs of vision_embeddings"]["items"]
    assert pieces == COUNT if model == "llava" else pieces > COUNT
    assert told["quantize vision_embeddings to int8"]["quantizers"] > 0
    whole = Model.of(version.path)
    assert {part: weight_types(whole, part) for part in whole.parts} == {
        "language_model": {"i4", "u8"},
        "text_embeddings": {"i8"},
        "vision_embeddings": {"i8"},
    }
    assert told["verify"]["ran"].startswith("wrote one token with OVModelForVisualCausalLM")


def test_the_language_model_is_calibrated_with_what_pytorch_gives_it(home: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    """And what was recorded serves all settings and methods."""
    ovrun("optimize", recipe(tmp_path, home, f"language_model: {{{LOW}, awq: true}}"))
    stages = Version(tmp_path / "outputs" / "mine" / "1").manifest["stages"]
    key = next(stage["key"] for stage in stages if stage["stage"] == "record")
    found = list(Written(store_of(tmp_path / "outputs").folder(key) / "files"))
    words = [sys.executable, __file__, home / "llava", home / "seen.jsonl", tmp_path / "wanted.npz"]
    subprocess.run(words, check=True, capture_output=True)
    with np.load(tmp_path / "wanted.npz") as wanted:
        assert len(found) == len(wanted.files) == COUNT
        assert (
            max(distance(one["inputs_embeds"], wanted[name]) for one, name in zip(found, wanted, strict=True)) < IN_F32
        )
    for parts in (
        f"language_model: {{{LOW}, gptq: true}}",
        "language_model: {algorithm: quantization, dataset: seen, subset_size: 8}",
    ):
        told = json.loads(ovrun("plan", recipe(tmp_path, home, parts), "--json").stdout)
        assert "record the inputs of language_model" in [
            stage["label"] for stage in told["stages"] if stage["state"] == "cached"
        ]
        ovrun("optimize", "mine.yaml")
    last = Version(tmp_path / "outputs" / "mine" / "3")
    assert results(last)["quantize language_model to int8"]["calibration_items"] == COUNT


def test_a_chat_template_that_leaves_out_the_image_is_told(home: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(home / "llava", tmp_path / "model")
    settings = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    settings["chat_template"] = "{% for message in messages %}hello{% endfor %}"
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(settings))
    told = ovrun("optimize", recipe(tmp_path, home, SEES, str(tmp_path / "model")), code=4).stderr
    assert "seen.jsonl:1: the model's processor leaves the image out of the text" in told


def _by_pytorch(folder: Path, data: Path, out: Path) -> None:
    """Write what the language model of LLaVA gets of each image with its text."""
    import torch
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    model, processor = LlavaForConditionalGeneration.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    heard: list[torch.Tensor] = []

    def listen(_: object, __: object, given: dict[str, torch.Tensor]) -> None:
        heard.append(given["inputs_embeds"])

    model.model.language_model.register_forward_pre_hook(listen, with_kwargs=True)
    with torch.no_grad():
        for line in data.read_text().splitlines():
            row = json.loads(line)
            chat = [{"role": "user", "content": [{"type": "text", "text": row["text"]}, {"type": "image"}]}]
            prompt = processor.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
            image = Image.open(data.parent / row["image"]).convert("RGB")
            model(**processor(images=image, text=prompt, return_tensors="pt"))
    np.savez(out, *(one.numpy() for one in heard))


if __name__ == "__main__":
    _by_pytorch(*map(Path, sys.argv[1:]))
