"""The page of patches says what their declarations say, and every patch is declared."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from runner.base import patches
from runner.errors import StageError
from runner.report.patches_page import PATCHES, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    current = (ROOT / "docs" / "patches.md").read_text(encoding="utf-8") == page()
    assert current, "docs/patches.md is out of date: make reference"


def test_every_declaration_is_on_the_page() -> None:
    for path in (ROOT / "runner").rglob("*.py"):
        if " = Patch(\n" in path.read_text(encoding="utf-8"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            declared = {one for one in vars(importlib.import_module(name)).values() if isinstance(one, patches.Patch)}
            assert declared and declared <= set(PATCHES), name


def test_the_installed_versions_are_those_that_were_tried() -> None:
    assert [patch.name for patch in PATCHES if not patch.fits] == []


@pytest.mark.parametrize(
    ("version", "fits"),
    [("3.4", True), ("3.4.0", True), ("3.4.7+cpu", True), ("3.3.9", False), ("3.5", False), ("3.10", False)],
)
def test_versions_are_compared_as_numbers(version: str, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "version_of", lambda library: version)
    assert replace(PATCHES[0], tried=("3.4", "3.5")).fits is fits


def test_an_absent_part_names_library_version_and_what_to_do() -> None:
    patch = replace(PATCHES[0], name="mine", library="hydra-core", tried=("1.3", "1.4"))
    with pytest.raises(StageError) as raised:
        patch.part("hydra", "nowhere")
    assert (
        raised.value.message.startswith("hydra-core 1.3") and "(mine): it has no hydra.nowhere" in raised.value.message
    )
    assert raised.value.hint == 'Install a version that it was tried with: "hydra-core>=1.3,<1.4".'
