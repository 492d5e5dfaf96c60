"""A Hugging Face folder becomes a complete OpenVINO folder; runs in a child process that does nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from runner.export_check import check_folder

__all__ = ["check_folder", "export_folder"]


class _Steps:
    """Reports each step by name and keeps its wall-clock seconds."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self._progress(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def export_folder(
    source: Path,
    out: Path,
    *,
    task: str,
    precision: Literal["fp32", "fp16"],
    stateful: bool,
    tokenizer: bool,
    trust_remote_code: bool,
    allow_pickle: bool,
    progress: Callable[[str], None],
) -> dict[str, float]:
    """Convert the model in `source` into the existing, empty folder `out`, ready for Optimum, GenAI and OpenVINO.

    The work is Optimum's exporter's. This function sets process-wide state (offline environment variables, torch's
    seed, module availability), so it belongs in a process of its own; two runs in fresh processes give equal bytes.

    Args:
        task: an Optimum task name or a synonym of one.
        precision: the type of the floating-point weights in the IR.
        stateful: keep a decoder's key-value cache inside the model.
        tokenizer: also write openvino_tokenizer and openvino_detokenizer where the model has a tokenizer.
        progress: called with the name of each step as it starts.

    Returns:
        Seconds by step: import, load, tokenizers, convert.

    Raises:
        SourceError: the folder, its model type, its task or its tokenizer cannot be converted.
    """
    check_folder(source, allow_pickle)
    steps = _Steps(progress)
    with steps("import"):
        from runner import export_optimum
    with steps("load"):
        loaded = export_optimum.load(source, task, precision, trust_remote_code, allow_pickle)
    with steps("tokenizers"):
        export_optimum.save_tokenizers(loaded, out, convert=tokenizer)
    with steps("convert"):
        export_optimum.convert(loaded, out, precision, stateful)
    return steps.seconds
