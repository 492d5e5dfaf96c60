"""The tasks, a file for those that are used alike: declared for `runner.registry.tasks`, and tried by their use."""

from pathlib import Path

from runner.registry.tasks import Used


def infer(folder: Path) -> Used:
    """One inference by OpenVINO itself."""
    from runner.model import trial

    return trial.inferred(folder)


def generate(folder: Path) -> Used:
    """One token by OpenVINO GenAI; by the plain runtime where GenAI, or what it needs in the folder, is not there."""
    from runner.model import trial

    return trial.generated(folder) if trial.can_generate(folder) else trial.inferred(folder)
