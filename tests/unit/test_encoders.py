"""An encoder that a check names by its folder: its content is in the key; what is none is refused with its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from runner.artifact.portable import Places
from runner.errors import RecipeError, SourceError
from runner.model import clip
from runner.plan.builder import make_plan
from runner.plan.noise import documents_of, ways
from runner.plan.types import Plan
from runner.recipe import load_recipe
from runner.store import Store
from tests.readers import tokenizer

CHECK = {"metric": "text_similarity", "dataset": "talk", "min": 0.5}
TALK = {
    "model": {"source": "embedded", "id": "dialogpt-mini"},
    "datasets": {"talk": {"source": "embedded", "id": "dialogue-eval", "prompt": "prompt", "reply": "reply"}},
}


def encoder(folder: Path, value: float = 0.0, **config: object) -> Path:
    """A folder as far as a plan looks."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"], **config}))
    save_file({"embeddings.weight": np.full(4, value, np.float32)}, folder / "model.safetensors")
    return folder


def planned(folder: Path, *checks: dict[str, object]) -> Plan:
    text = yaml.safe_dump({**TALK, "accuracy": {"checks": list(checks)}}, sort_keys=False)
    (folder / "one.yaml").write_text(text)
    return make_plan(load_recipe(str(folder / "one.yaml")), Store(folder / "outputs" / ".store"))


def encodings(plan: Plan) -> dict[str, str]:
    return {stage.key: stage.label for stage in plan.stages if stage.name == "encode"}


def test_the_content_of_an_encoder_is_in_the_key_and_its_place_is_not(tmp_path: Path) -> None:
    encoder(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "there" / "b")
    encoder(tmp_path / "other", 1.0)
    one, moved, other = (planned(tmp_path, {**CHECK, "encoder": name}) for name in ("a", "there/b", "other"))
    assert encodings(one) and encodings(one).keys() == encodings(moved).keys()
    assert encodings(one).keys().isdisjoint(encodings(other))
    assert {stage.key for stage in one.stages if stage.name == "predict"} <= {stage.key for stage in other.stages}


def test_the_reference_s_texts_are_encoded_once_for_all_checks_and_have_a_noise_floor(tmp_path: Path) -> None:
    encoder(tmp_path / "a")
    plan = planned(tmp_path, {**CHECK, "encoder": "a"}, {**CHECK, "encoder": "a", "min": 0.4})
    assert len(encodings(plan)) == 1 + (plan.model != plan.converted)
    (measured, _) = plan.measurements
    found = ways(documents_of(plan), measured.key)
    assert [way.name for way in found] == ["threads", "defaults"]
    assert [like.document["stage"] for like in found[0].stages] == ["predict", "encode", "evaluate"]


def test_an_artifact_says_the_encoder_s_path_as_all_paths(tmp_path: Path) -> None:
    encoder(tmp_path / "a")
    recipe = planned(tmp_path, {**CHECK, "encoder": "a"}).recipe
    outputs = tmp_path / "outputs"
    said = Places(recipe, outputs, outputs / "one" / "1").recipe_data(recipe.resolved, {})
    assert said["accuracy"]["checks"][0]["encoder"] == "../../../a"


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def mute(folder: Path) -> None:
    for path in folder.glob("*token*"):
        path.unlink()


def generator(folder: Path) -> None:
    encoder(folder, model_type="gpt2", architectures=["GPT2LMHeadModel"])


def prompted(folder: Path) -> None:
    (folder / "config_sentence_transformers.json").write_text('{"default_prompt_name": "query"}')


def leading_out(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder.parent / "one.yaml")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (gone, "there is no folder"),
        (pickled, "pytorch_model.bin"),
        (mute, "the encoder has no tokenizer"),
        (generator, r"is no sentence encoder: it is a model for text-generation-with-past \(GPT2LMHeadModel\)"),
        (prompted, "wants a prompt before each text"),
        (leading_out, "outside"),
    ],
)
def test_what_is_no_encoder_is_refused_with_its_place(spoil: object, what: str, tmp_path: Path) -> None:
    spoil(encoder(tmp_path / "a"))  # type: ignore[operator]
    with pytest.raises(RecipeError, match=what) as refused:
        planned(tmp_path, {**CHECK, "encoder": "a"})
    (problem,) = refused.value.problems
    assert problem.key == "accuracy.checks.0.encoder" and "one.yaml:" in str(problem.where)


@pytest.mark.parametrize(
    ("check", "what"),
    [
        (CHECK, "accuracy.checks.0.encoder: missing; this metric is measured on the embeddings of an encoder"),
        ({**CHECK, "encoder": ""}, "accuracy.checks.0.encoder: empty"),
        ({**CHECK, "encoder": "a" * 300}, "accuracy.checks.0.encoder: has a name of 300 bytes, and 255 are the most"),
        ({**CHECK, "metric": "exact_match", "encoder": "a"}, "accuracy.checks.0.encoder: only for text_similarity"),
    ],
)
def test_a_check_with_the_wrong_encoder_is_not_valid(check: dict[str, object], what: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as refused:
        planned(tmp_path, check)
    assert what in str(refused.value)


CLIP = {"model_type": "clip", "vision_config": {}}
FILES = ("tokenizer.json", "preprocessor_config.json")


@pytest.mark.parametrize(
    ("config", "files", "what"),
    [
        ({"model_type": "bert"}, FILES, "no CLIP of Hugging Face: model_type is 'bert'"),
        ({}, FILES, "model_type is None"),
        ({"model_type": "clip"}, FILES, "no CLIP"),
        (CLIP, FILES[1:], "the encoder has no tokenizer"),
        (CLIP, FILES[:1], "the encoder has no image processor, preprocessor_config.json"),
    ],
)
def test_what_is_no_clip_is_refused(config: dict[str, object], files: tuple[str, ...], what: str) -> None:
    clip.refuse_others(Path("a"), CLIP, FILES)
    with pytest.raises(SourceError, match=what):
        clip.refuse_others(Path("a"), config, files)
