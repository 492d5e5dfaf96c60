"""A stage that tells of its process."""

from __future__ import annotations

from typing import Any

from runner.base.progress import Progress
from runner.stages import Task
from tests.cheap import libraries, prepare

__all__ = ["REVISION", "libraries", "prepare", "run"]

REVISION = 1


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """The threads of each BLAS in this process."""
    import numpy as np
    from threadpoolctl import threadpool_info

    square = np.ones((512, 512), np.float32)
    assert (square @ square).shape == square.shape
    return {"blas": [row["num_threads"] for row in threadpool_info() if row["user_api"] == "blas"]}
