"""Compare: the second half of a conversion, in a process that never loaded what the original needs."""

from __future__ import annotations

from dataclasses import asdict

from runner.base.progress import Progress
from runner.registry.exporters import ExportParams
from runner.stages import Task

Params = ExportParams
_DONE, _ALL = 4, 5
"""Of the conversion: what is left needs so little memory that the next stage may start meanwhile."""


def prepare(params: Params) -> None:
    """Import OpenVINO."""
    import openvino  # noqa: F401


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Hold the model in `task.out` against what its original gave."""
    from runner.export import given
    from runner.export.comparing import compare
    from runner.export.damage import damage

    progress(_DONE, _ALL)
    with damage(task.inputs["source"], task.out):
        return {"conversion": asdict(compare(task.out, given.read(task.out)))}
