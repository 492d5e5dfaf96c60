"""Checks that compare with another model than the converted one: a published version, or an IR of somebody's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ovrun
from tests.outputs import manifest_of

RECIPE = """
name: against
defaults: [{model: digits-cnn}, {data: digits}, _self_]
accuracy:
  reference: %s
  checks:
    - {metric: accuracy, dataset: digits_evaluation, max_drop: 0.01}
    - {metric: relative_l2, dataset: digits_evaluation, max: 0.5}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], Path]:
    def write(reference: str) -> Path:
        path = tmp_path / "against.yaml"
        path.write_text(RECIPE % reference)
        return path

    return write


def test_a_published_version_is_the_reference(
    ovrun: Ovrun, published: Callable[..., Path], recipe: Callable[[str], Path]
) -> None:
    int8 = published("digits-int8")
    reference = f"{int8.parent.name}/{int8.name}"
    done = ovrun("optimize", recipe(reference), "--outputs", int8.parent.parent, "--quiet")
    version = Path(done.stdout.strip())
    accuracy, distance = manifest_of(version)["checks"]
    (own,) = manifest_of(int8)["checks"]
    assert accuracy["reference_value"] == own["value"]
    assert 1e-4 < distance["value"] < 0.5, "the unquantized model differs from the quantized one"
    again = ovrun("optimize", recipe(f"{{path: {int8}}}"), "--outputs", int8.parent.parent)
    assert "Up to date" in again.stdout, "the same model by its path is the same reference"


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("digits-int8/3", "there is no published version digits-int8/3"),
        ("{path: nowhere}", "there is no model at"),
        ("convertd", '"convertd" doesn\'t fit'),
    ],
)
def test_a_reference_that_is_not_there_is_told_at_once(
    reference: str, told: str, ovrun: Ovrun, recipe: Callable[[str], Path]
) -> None:
    done = ovrun("plan", recipe(reference), code=2)
    assert told in done.stderr
    assert "against.yaml:5:" in done.stderr
