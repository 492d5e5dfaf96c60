"""The second half of a cheap stage: it tells who runs it, or comes to grief."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import psutil

from runner.base.progress import Progress
from runner.stages import Task


def prepare(params: Mapping[str, Any]) -> None:
    """Nothing to import."""


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Add to what the first half made."""
    if task.params["rest"] == "raise":
        message = "the rest was told to fail"
        raise ValueError(message)
    told = (task.out / "out").read_text()
    (task.out / "out").write_text(f"{told} and the rest")
    others = [one.pid for one in psutil.process_iter() if one.pid != os.getpid()]
    return {"second": os.getpid(), "others": others}
