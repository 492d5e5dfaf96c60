"""A sentence-transformers folder gives through its version the embeddings that the library gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.base import hardware
from runner.errors import SourceError
from runner.metrics.keeping import Keeping
from runner.model.check import check_folder
from runner.registry.metrics import FAMILIES
from runner.stages import Task, encode, evaluate
from tests.conftest import Ovrun

EXACT, WITH_INT8 = 1e-5, 0.05
"""Relative L2 distance of embeddings: measured were 1e-7 and 5e-3."""
KEPT = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sentences") / "model"
    run("make", folder)
    return folder


def run(*words: str | Path) -> str:
    told = subprocess.run([sys.executable, "-m", "tests.tiny_sentences", *words], check=True, capture_output=True)
    return told.stdout.decode()


@pytest.mark.newest
def test_pooling_and_normalization_are_kept(model: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    source = f"{{source: local, path: {model}, task: feature-extraction}}"
    (tmp_path / "mine.yaml").write_text(f"model: {source}\nconversion: {{precision: fp32}}\n")
    ovrun("optimize", "mine.yaml")
    ovrun("optimize", "mine.yaml", "+compression={algorithm: weight_compression, mode: int8_asym}")
    for number, limit in (("1", EXACT), ("2", WITH_INT8)):
        version = tmp_path / "outputs" / "mine" / number
        assert all((version / name).read_bytes() == (model / name).read_bytes() for name in KEPT)
        assert 'SentenceTransformer(".", backend="openvino"' in (version / "README.md").read_text()
        found = json.loads(run("compare", model, version).splitlines()[-1])
        assert max(found.values()) < limit
    by_version = similar(tmp_path / "outputs" / "mine" / "1" / "openvino_model.xml", "openvino", tmp_path / "encoded")
    assert np.allclose(by_version, by_library(model, tmp_path), atol=1e-5)
    pooling = model / "1_Pooling" / "config.json"
    changed = json.loads(pooling.read_text()) | {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    before = pooling.read_bytes()
    pooling.write_text(json.dumps(changed))
    plan = json.loads(ovrun("plan", "mine.yaml", "--json").stdout)
    pooling.write_bytes(before)
    assert {stage["state"] for stage in plan["stages"]} == {"to do"}


ONE = ["w1 w2 w3", " w4 other ", "", "w5 " * 50, "w7"]
OTHER = ["w1 w2 w4", "w4 w9", "w3", "w6 " * 7, "w7"]


def similar(encoder: Path, source: str, out: Path) -> list[float]:
    """The cosines of the texts of two models by the stages `encode` and `evaluate`, in this process."""
    made = {}
    for role, texts in (("model", ONE), ("reference", OTHER)):
        for name in (role, f"{role} encoded"):
            (out / name).mkdir(parents=True)
        with Keeping(out / role, "texts") as keeping:
            keeping.add(texts)
            keeping.finish(len(texts), {})
        inputs, params = (
            {"kept": out / role, "encoder": encoder},
            encode.Params("texts", source, tuple(hardware.arithmetic())),
        )
        encode.run(Task("encode", params, out / f"{role} encoded", inputs), quiet)
        made[role] = out / f"{role} encoded"
    (out / "evaluated").mkdir()
    family = FAMILIES["text_similarity"]
    asked = evaluate.Params(family.name, family.revision, {}, {}, ())
    found = evaluate.run(Task("evaluate", asked, out / "evaluated", made), quiet)
    rows = np.load(out / "evaluated" / evaluate.ROWS)["model"][:, 0]
    assert found["values"] == {"text_similarity": pytest.approx(rows.mean())}
    return list(rows)


def quiet(done: int, total: int) -> None:
    """No progress."""


def by_library(model: Path, folder: Path) -> list[float]:
    (folder / "texts.json").write_text(json.dumps([*zip(ONE, OTHER, strict=True)]))
    found: list[float] = json.loads(run("similar", model, folder / "texts.json").splitlines()[-1])
    return found


@pytest.mark.filterwarnings("ignore:Deprecated in 0.9.0")  # how transformers reads a vocab.txt
def test_texts_are_as_similar_as_the_library_says(model: Path, tmp_path: Path) -> None:
    found = similar(model, "local", tmp_path / "encoded")
    assert np.allclose(found, by_library(model, tmp_path), atol=1e-5)
    assert found[-1] == pytest.approx(1) and min(found) < 0.9


def test_a_step_whose_weights_are_a_pickle_is_told(model: Path) -> None:
    dense = model / "3_Dense"
    dense.mkdir()
    (dense / "pytorch_model.bin").touch()
    try:
        with pytest.raises(SourceError, match="these weights of sentence-transformers are there as a pickle alone"):
            check_folder(model, False)
    finally:
        (dense / "pytorch_model.bin").unlink()
        dense.rmdir()
