"""In which ways a reference is measured again to tell how far its figures are their own noise."""

from __future__ import annotations

from collections.abc import Mapping

NOISE = "noise"
"""The setting by which a stage of a noise floor is told what it is to do otherwise."""
THREADS, BATCH, DEFAULTS = "threads", "batch", "defaults"
"""Another number of threads and another batch, which should change nothing; OpenVINO's own precision, which may."""
WORDS = {THREADS: "other threads", BATCH: "other batch", DEFAULTS: "OpenVINO's defaults"}


def told(settings: Mapping[str, object], way: str) -> bool:
    """Whether the settings of a stage ask for one of the ways."""
    return settings.get(NOISE) == way


def without(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings of the check itself."""
    return {name: value for name, value in settings.items() if name != NOISE}
