"""How Python is started and which folders its modules come from: never from the current one, unless it is named.

A file `torch.py` or a folder `runner/` that happens to lie where somebody works is data, not code. Nothing is imported
here that could itself lie there.
"""

from __future__ import annotations

import os
import sys


def command(module: str) -> list[str]:
    """The command line that runs a module in this Python, without the current folder on its path."""
    return [sys.executable, "-P", "-m", module]


_KEPT = frozenset({"PYTHONHOME", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE"})
"""The variables of Python that say where it is; others say how it runs, which no key of a stage tells."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment for a Python that is started, and for those that a library starts from there.

    Without what would have libraries behave otherwise than elsewhere: PYTHONOPTIMIZE takes docstrings away that
    Transformers reads, PYTHONWARNINGS can make any of their warnings an error.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") or name in _KEPT}
    return {**ours, **safe_path(), **more}


def safe_path() -> dict[str, str]:
    """The variables that keep the current folder off the module path; relative folders in it mean the current one."""
    path = os.environ.get("PYTHONPATH")
    named = {} if path is None else {"PYTHONPATH": os.pathsep.join(_named(path))}
    return {"PYTHONSAFEPATH": "1", **named}


def without_telemetry() -> None:
    """Keep OpenVINO, which takes its own stub, and ONNX Runtime from sending anything and writing below the home."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def leave_current_folder() -> None:
    """Take the current folder off the module path, where `python -m` or an empty part of PYTHONPATH put it.

    What stands behind the standard library stays: an editable installation names its folder there.
    """
    first = next((place for place, folder in enumerate(sys.path) if folder == os.path.dirname(os.__file__)), 0)  # noqa: PTH120
    named = _named(os.environ.get("PYTHONPATH", ""))
    before = [folder for folder in sys.path[:first] if folder in named or not _is_current(folder)]
    sys.path[:first] = before


def _named(path: str) -> list[str]:
    return [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117


def _is_current(folder: str) -> bool:
    try:
        return not os.path.isabs(folder) or folder == os.getcwd()  # noqa: PTH109, PTH117
    except FileNotFoundError:  # it was removed, so nothing lies in it
        return False
