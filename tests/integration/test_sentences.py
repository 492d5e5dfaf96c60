"""A sentence-transformers folder gives through its version the embeddings that the library gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runner.errors import SourceError
from runner.model.check import check_folder
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
    pooling = model / "1_Pooling" / "config.json"
    changed = json.loads(pooling.read_text()) | {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    before = pooling.read_bytes()
    pooling.write_text(json.dumps(changed))
    plan = json.loads(ovrun("plan", "mine.yaml", "--json").stdout)
    pooling.write_bytes(before)
    assert {stage["state"] for stage in plan["stages"]} == {"to do"}


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
