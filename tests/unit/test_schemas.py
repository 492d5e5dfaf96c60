"""The schemas of the folder schemas/ are those of the declarations."""

from __future__ import annotations

from runner.base import resources
from runner.registry.schemas import written


def test_the_schemas_hold_what_is_declared() -> None:
    for file, text in written().items():
        current = (resources.schemas_dir() / file).read_text(encoding="utf-8") == text
        assert current, f"schemas/{file} is out of date: make reference"
