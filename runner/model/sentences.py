"""What sentence-transformers does after the network, such as pooling: modules.json lists it, a folder for each step."""

from __future__ import annotations

import re

STEPS = "modules.json"
_STEP = re.compile(r"\d+_\w+")


def is_step(folder: str) -> bool:
    """Whether a folder is called as that of a step."""
    return bool(_STEP.fullmatch(folder))


def is_of_step(name: str) -> bool:
    """Whether a file is one that a step is loaded from."""
    folder, _, file = name.partition("/")
    return is_step(folder) and file in ("config.json", "model.safetensors")
