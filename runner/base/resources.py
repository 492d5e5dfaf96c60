"""The folders of data that travel with ovrun: inside an installed wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def recipes_dir() -> Path:
    """The folder of the built-in recipes and their presets."""
    return _folder("recipes")


def schemas_dir() -> Path:
    """The folder of the JSON Schemas."""
    return _folder("schemas")


def _folder(name: str) -> Path:
    packed = _PACKAGE / f"_{name}"
    return packed if packed.is_dir() else _PACKAGE.parent / name
