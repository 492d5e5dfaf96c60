"""The folder in a speaking model's own that holds what makes sound of its spectrograms."""

from __future__ import annotations

from collections.abc import Callable, Collection

FOLDER = "vocoder"
CONFIG = f"{FOLDER}/config.json"
SPEAKING = "speecht5"
"""The model type that has one."""
KIND = "hifigan"
"""The vocoder's own."""

Read = Callable[[str], object]


def of(there: Collection[str], read: Read) -> tuple[set[str], Read]:
    """The names of its files, relative to its folder, and what reads one of them; no names of other models.

    Args:
        there: names of all files of the model.
        read: gives the content of a JSON file among them.
    """
    config = read("config.json") if CONFIG in there and "config.json" in there else None
    speaks = isinstance(config, dict) and config.get("model_type") == SPEAKING
    inside = {name.removeprefix(f"{FOLDER}/") for name in there if name.startswith(f"{FOLDER}/")}
    return inside if speaks else set(), lambda name: read(f"{FOLDER}/{name}")
