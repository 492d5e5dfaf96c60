"""What is recorded of a part: written once where it stays the same, and read again as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runner.data.recorded import Written, write
from runner.model.feed import Feed


def test_items_are_read_as_they_were_and_what_stays_is_written_once(tmp_path: Path) -> None:
    kept = np.arange(100_000, dtype=np.float32)
    items: list[Feed] = [
        {"kept": kept, "ids": np.array([[1]]), "nncf_reset_state": np.array(True)},
        {"kept": kept.copy(), "ids": np.array([[2]]), "nncf_reset_state": np.array(False)},
        {"ids": np.array([[2]], np.int32), "nncf_reset_state": np.array(False)},
        {"kept": kept + 1, "ids": np.array([[2, 3]]), "nncf_reset_state": np.array(True)},
    ]
    assert write(items, tmp_path) == len(Written(tmp_path)) == 4
    for _ in range(2):
        found = list(Written(tmp_path))
        assert [list(item) for item in found] == [list(item) for item in items]
        for item, there in zip(items, found, strict=True):
            assert all(np.array_equal(there[name], array) for name, array in item.items())
            assert all(there[name].dtype == array.dtype for name, array in item.items())
    sizes = [file.stat().st_size for file in sorted(tmp_path.iterdir())]
    assert sizes[0] > kept.nbytes > 10 * sizes[1]
