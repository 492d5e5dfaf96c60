"""The same layers in the same types, with the same constants, as `optimum-cli export openvino` makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compressed import compressed
from tests.conftest import Ovrun
from tests.geometry import gpt2_folder

pytestmark = pytest.mark.libraries

RECIPE = """\
name: mine
model: {{source: local, path: {path}, task: text-generation-with-past}}
conversion: {{precision: {precision}}}
compression: {{algorithm: weight_compression, mode: int4_sym, ratio: 0.8, group_size: 64}}
"""
PEER = "export openvino --task text-generation-with-past --weight-format int4 --sym --ratio 0.8 --group-size 64"


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_constants_equal_those_of_optimum_cli(dtype: str, tmp_path: Path, ovrun: Ovrun) -> None:
    gpt2_folder(tmp_path / "model", layers=2, hidden=128, vocab=600, dtype=dtype, seed=0)
    precision = "fp16" if dtype == "float16" else "fp32"
    (tmp_path / "mine.yaml").write_text(RECIPE.format(path=tmp_path / "model", precision=precision))
    ovrun("optimize", "mine.yaml")
    cli = Path(sys.executable).parent / "optimum-cli"
    subprocess.run(
        [cli, *PEER.split(), "-m", "model", "peer"], cwd=tmp_path, check=True, env={**os.environ}, capture_output=True
    )
    ours, theirs = compressed(tmp_path / "outputs" / "mine" / "1"), compressed(tmp_path / "peer")
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    assert ours == theirs
    assert {"i4", "i8"} & {row[0] for row in ours} and len(ours) > 8
