"""Each architecture of images and texts that Optimum Intel converts is had, or refused with what would do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from runner.base.keys import version_of
from runner.export import exportable, sighted
from tests.conftest import Ovrun

SEEN = exportable.types_for(sighted.TASK)
OTHERWISE = {
    "llama": "a model of type llama: it takes no images; state model.task: text-generation-with-past",
    "gemma3n": "its images are read by a network of the package timm, which is not installed; pip install timm",
    "qwen3_omni_moe": "ovrun doesn't know the parts by which it hears and speaks; convert it with Optimum Intel",
    "gemma4_unified": "Optimum Intel 2.1.0 itself takes transformers <5.6,>=4.51: nothing converts it yet",
}
"""Types that are refused for another reason than transformers that is too new."""

pytestmark = pytest.mark.skipif(version_of("optimum-intel") != "2.1.0", reason="the table is of another version")


def plan(folder: Path, kind: str) -> None:
    """A model of a type, as far as a plan reads it, and a recipe for it."""
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": kind, "architectures": ["Some"]}))
    (model / "processor_config.json").write_text("{}")
    save_file({"lm_head.weight": np.zeros((4, 4), np.float32)}, model / "model.safetensors", {"format": "pt"})
    parts = "parts: {text_embeddings_per_layer: none}"
    source = "model: {source: local, path: model, task: image-text-to-text}"
    step = "compression: {algorithm: weight_compression, mode: int4_sym, group_size: 16}"
    (folder / "mine.yaml").write_text(f"{source}\n{step}\n{parts if kind == 'gemma4' else ''}\n")


@pytest.mark.parametrize("kind", sorted(SEEN.keys() - sighted.HAD.keys() - set(sighted.OWN_CODE)))
def test_what_is_not_had_is_refused_with_what_would_do(kind: str, ovrun: Ovrun, tmp_path: Path) -> None:
    if kind == "gemma3n" and version_of("timm") != "absent":
        pytest.skip("timm is installed")
    plan(tmp_path, kind)
    told = ovrun("plan", "mine.yaml", code=2).stderr
    _, highest = SEEN[kind]
    assert (
        OTHERWISE.get(kind, f"(pip install optimum-intel==2.1.0 'transformers>={SEEN[kind][0]},<={highest}')") in told
    )


@pytest.mark.parametrize("kind", sorted(sighted.HAD))
def test_what_is_had_is_planned_with_its_parts(kind: str, ovrun: Ovrun, tmp_path: Path) -> None:
    plan(tmp_path, kind)
    stages = json.loads(ovrun("plan", "mine.yaml", "--json").stdout)["stages"]
    mild = {stage["label"] for stage in stages if stage["label"].endswith("int8_sym")}
    assert mild == {f"compress {part} to int8_sym" for part in ("text_embeddings", "vision_embeddings")}


def test_a_part_of_gemma_4_is_none_of_llava(ovrun: Ovrun, tmp_path: Path) -> None:
    plan(tmp_path, "llava")
    told = ovrun("plan", "mine.yaml", "+parts={text_embeddings_per_layer: none}", code=2).stderr
    assert "parts.text_embeddings_per_layer: the model has no such part; it has language_model, text_embeddings" in told


def test_a_processor_that_transformers_can_not_load_is_told() -> None:
    hears = {"feature_extractor": {"feature_extractor_type": "Gemma4AudioFeatureExtractor"}}
    gemma = {"model_type": "gemma4"}
    assert "no word of a feature extractor" in str(sighted.unread(gemma, {"processor_config.json": {}}))
    assert sighted.unread({"model_type": "llava"}, {"processor_config.json": {}}) is None
    told = sighted.unread(gemma, {"preprocessor_config.json": {}, "processor_config.json": hears})
    assert (told is None) is (version_of("torchvision") != "absent") and told == sighted.unread(gemma, {})
