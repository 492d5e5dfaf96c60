"""The same layers in the same types, with the same constants, as `optimum-cli export openvino` makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compressed import compressed
from tests.conftest import Ovrun
from tests.geometry import gpt2_folder
from tests.tiny_models import main

pytestmark = pytest.mark.libraries

SEES = "image-text-to-text"
RECIPE = """\
name: mine
model: {{source: local, path: {path}, task: text-generation-with-past}}
conversion: {{precision: {precision}}}
compression: {{algorithm: weight_compression, mode: int4_sym, ratio: 0.8, group_size: 64}}
"""
PEER = "export openvino --task text-generation-with-past --weight-format int4 --sym --ratio 0.8 --group-size 64"


@pytest.mark.parametrize("dtype", [pytest.param("float16", marks=pytest.mark.newest), "float32"])
def test_constants_equal_those_of_optimum_cli(dtype: str, tmp_path: Path, ovrun: Ovrun) -> None:
    gpt2_folder(tmp_path / "model", layers=2, hidden=128, vocab=600, dtype=dtype, seed=0)
    precision = "fp16" if dtype == "float16" else "fp32"
    (tmp_path / "mine.yaml").write_text(RECIPE.format(path=tmp_path / "model", precision=precision))
    ovrun("optimize", "mine.yaml")
    cli = Path(sys.executable).parent / "optimum-cli"
    subprocess.run(
        [cli, *PEER.split(), "-m", "model", "peer"], cwd=tmp_path, check=True, env={**os.environ}, capture_output=True
    )
    ours_in = tmp_path / "outputs" / "mine" / "1"
    ours, theirs = compressed(ours_in), compressed(tmp_path / "peer")
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    assert ours == theirs
    told, other = (json.loads((folder / "openvino_config.json").read_text()) for folder in (ours_in, tmp_path / "peer"))
    assert told.keys() | {"output_attentions"} == other.keys()
    assert {name for name in told if other[name] not in (told[name], "", None)} == {"quantization_config"}
    assert {"i4", "i8"} & {row[0] for row in ours} and len(ours) > 8


@pytest.mark.libraries
@pytest.mark.newest
def test_a_model_of_several_parts_is_told_as_optimum_cli_tells_it(tmp_path: Path, ovrun: Ovrun) -> None:
    main(tmp_path / "models", ["llava"])
    step = "compression: {algorithm: weight_compression, mode: int4_asym, group_size: 32}"
    (tmp_path / "mine.yaml").write_text(f"model: {{source: local, path: models/llava, task: {SEES}}}\n{step}\n")
    ovrun("optimize", "mine.yaml")
    cli = [Path(sys.executable).parent / "optimum-cli", "export", "openvino", "--task", SEES, "-m", "models/llava"]
    words = [*cli, "--weight-format", "int4", "--group-size", "32", "peer"]
    subprocess.run(words, cwd=tmp_path, check=True, env={**os.environ}, capture_output=True)
    ours, theirs = (
        json.loads((folder / "openvino_config.json").read_text())["quantization_config"]["quantization_configs"]
        for folder in (tmp_path / "outputs" / "mine" / "1", tmp_path / "peer")
    )
    assert theirs.keys() == {"lm_model"}  # the rest is a default that it doesn't write
    assert ours["lm_model"] | dict.fromkeys(("processor", "tokenizer")) == theirs["lm_model"] | dict.fromkeys(
        ("processor", "tokenizer")
    )
    assert [ours[f"{part}_embeddings_model"]["bits"] for part in ("text", "vision")] == [8, 8]
