"""Plain data, as JSON and YAML hold them."""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """The value in the form in which equal ones are written alike: 1.0 is 1."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return int(value)
    return value
