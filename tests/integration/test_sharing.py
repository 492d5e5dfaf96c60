"""What versions and the store share, and what becomes of a run whose store changes under its hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.plan.types import Stage
from runner.recipe import load_recipe
from runner.run.lifecycle import optimize
from runner.run.outcome import Finished, Outcome, Silent
from runner.store import Entry, store_of

RECIPE = "digits-int8"


class Remover(Silent):
    """Removes a stage's entry as soon as another has finished, once."""

    def __init__(self, outputs: Path, when: str, what: str) -> None:
        self.store, self.when, self.what = store_of(outputs), when, what
        self.keys: dict[str, str] = {}
        self.removed = 0

    def finished(self, stage: Stage, entry: Entry, reused: bool) -> None:
        self.keys[stage.name] = stage.key
        if stage.name == self.when and not self.removed:
            self.store.drop(self.keys[self.what])
            self.removed += 1


def finished(outputs: Path, observer: Any, *overrides: str) -> Finished:
    return optimize(load_recipe(RECIPE, list(overrides)), outputs, observer)


def run(outputs: Path, observer: Any, *overrides: str) -> Outcome:
    return finished(outputs, observer, *overrides).points[0]


def names_of(outcome: Outcome) -> dict[str, int]:
    """How many names each file of a version has."""
    model = store_of(outcome.path.parents[1]).find(outcome.plan.model)
    return {name: (outcome.path / name).stat().st_nlink for name in model.record["files"]}


@pytest.mark.parametrize(("when", "what"), [("evaluate", "quantize"), ("quantize", "convert")])
def test_what_vanishes_from_the_store_during_a_run_is_made_again(when: str, what: str, tmp_path: Path) -> None:
    observer = Remover(tmp_path, when, what)
    outcome = run(tmp_path, observer)
    assert observer.removed == 1 and outcome.status == "published"
    assert run(tmp_path, Silent()).status == "up to date"


def test_an_edit_of_a_version_is_found_and_a_copy_is_independent(tmp_path: Path) -> None:
    first = run(tmp_path, Silent())
    assert min(names_of(first).values()) >= 2
    weights = first.path / "openvino_model.bin"
    content = weights.read_bytes()
    weights.chmod(0o644)
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = finished(tmp_path, Silent())
    (second,) = again.points
    assert second.version == 2 and "quantize" in {second.plan.stage(key).name for key in again.ran}
    assert (second.path / "openvino_model.bin").read_bytes() == content

    third = run(tmp_path, Silent(), "publish=copy")
    assert third.status == "up to date" and third.path == second.path, (
        "how it lies on the disk is no part of what it is"
    )
    assert set(names_of(third).values()) == {1}
    weights = third.path / "openvino_model.bin"
    weights.chmod(0o644)
    weights.write_bytes(bytes(len(content)))
    again = finished(tmp_path, Silent(), "publish=copy")
    (fourth,) = again.points
    assert fourth.version == 3 and not again.ran, "the store's own file is as it was"
    assert set(names_of(fourth).values()) == {1}
    assert (fourth.path / "openvino_model.bin").read_bytes() == content
    assert not (fourth.path / "openvino_model.bin").stat().st_mode & 0o222
