"""Memory that is given back: pages of mapped weights come again as they are in the file, or as they were written to."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from runner.export.memory import forget_weights

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells what is mapped")


def resident(path: Path) -> int:
    """Kilobytes of a mapped file that are in memory."""
    _, _, told = Path("/proc/self/smaps").read_text().partition(f"{path.resolve()}\n")
    return int(told.partition("\nRss:")[2].split()[0])


def mapped(path: Path) -> np.memmap:
    """A file of 4 MB, mapped as torch maps weights: what is written to it stays with the process."""
    np.arange(1 << 20, dtype=np.float32).tofile(path)
    return np.memmap(path, np.float32, mode="c")


def test_weights_that_are_as_in_their_file_are_read_again(tmp_path: Path) -> None:
    weights = mapped(tmp_path / "model.safetensors")
    total = float(weights.sum(dtype=np.float64))
    assert resident(tmp_path / "model.safetensors") == 4096
    forget_weights()
    assert resident(tmp_path / "model.safetensors") == 0
    assert float(weights.sum(dtype=np.float64)) == total


@pytest.mark.parametrize(("name", "value"), [("model.safetensors", -1.0), ("other.bin", 5.0)])
def test_other_pages_stay(name: str, value: float, tmp_path: Path) -> None:
    """Those that were written to, which no file has, and those of other files."""
    weights = mapped(tmp_path / name)
    weights[5] = value
    weights.sum()
    forget_weights()
    assert weights[5] == value and resident(tmp_path / name) > 0
