"""What can become of a recipe."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What has become of one recipe, or of one point of a sweep."""

    PUBLISHED = "published"
    UP_TO_DATE = "up to date"
    """The latest version is the same already."""
    REJECTED = "rejected"
    """It missed a gate."""
    UNDECIDED = "undecided"
    """It missed none, and of a check that decides by the bound the interval straddles the gate."""
    FAILED = "failed"
    NOT_SELECTED = "not selected"
    READY = "ready"
    """It waits for the other points of a sweep that selects one."""
    NOT_RUN = "not run"
