"""Sweeps on the embedded image classifier: shared work, points that fail or miss gates, the choice of one."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.base import resources
from tests.conftest import Ovrun
from tests.outputs import model_digests, nothing_half_made, stage_begun
from tests.processes import command, start, wait_for

GATES = ("compression.preset=performance,mixed", "accuracy.checks.0.min=0.9,1.0")


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a sweep told as JSON lines."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def ends(told: list[dict[str, Any]]) -> dict[str, str]:
    """Point -> status."""
    return {event["name"]: event["status"] for event in told if event["event"] == "point"}


def record(outputs: Path, name: str) -> dict[str, Any]:
    """The record of a sweep's last run."""
    document: dict[str, Any] = json.loads((outputs / ".sweeps" / f"{name}.json").read_text())
    return document


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Four points, of which a gate's limit tells two pairs apart: the outputs folder and what was told."""
    folder = tmp_path_factory.mktemp("sweep")
    words = command("sweep", "digits-int8", *GATES, "--json", "--outputs", folder / "outputs")
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    return folder / "outputs", events(done)


def test_what_points_share_is_done_once(swept: tuple[Path, list[dict[str, Any]]]) -> None:
    _, told = swept
    assert told[0] == {"event": "planned", "points": 4, "stages": 24, "distinct": 10, "to_do": 10}
    ran = Counter(event["stage"] for event in told if event["event"] == "finished" and not event["reused"])
    assert ran == {"convert": 1, "quantize": 2, "verify": 2, "predict": 3, "evaluate": 2}
    assert told[-1]["points"] == {"published": 2, "rejected": 2}
    assert told[-1]["ran"] == 10 and told[-1]["exit_code"] == 3


def test_each_point_is_published_under_a_name_of_its_settings(swept: tuple[Path, list[dict[str, Any]]]) -> None:
    outputs, _ = swept
    points = record(outputs, "digits-int8")["points"]
    assert [point["name"] for point in points] == [
        f"digits-int8--preset-{preset}--accuracy.checks.0.min-{limit}"
        for preset in ("performance", "mixed")
        for limit in ("0.9", "1")
    ]
    schema = json.loads((resources.schemas_dir() / "manifest.schema.json").read_text())
    for point in points:
        manifest = json.loads((outputs / point["path"] / "manifest.json").read_text())
        Draft202012Validator(schema).validate(manifest)
        assert manifest["sweep"] == {"name": "digits-int8", "settings": point["settings"]}
        assert "sweep" not in manifest["recipe"]
        assert (point["version"] == 1) == (point["settings"]["accuracy.checks.0.min"] == 0.9)
        assert point["size"] == manifest["size"]["optimized"]


def test_a_finished_sweep_has_nothing_to_do(swept: tuple[Path, list[dict[str, Any]]], ovrun: Ovrun) -> None:
    outputs, _ = swept
    told = events(ovrun("sweep", "digits-int8", *GATES, "--json", "--outputs", outputs, code=3))
    assert set(ends(told).values()) == {"up to date", "rejected"}
    assert told[-1]["ran"] == 0
    assert not [path.name for path in outputs.glob("digits-int8--*/2")]


def test_the_recipe_of_a_point_runs_by_itself(swept: tuple[Path, list[dict[str, Any]]], ovrun: Ovrun) -> None:
    outputs, _ = swept
    recipe = outputs / "digits-int8--preset-mixed--accuracy.checks.0.min-0.9" / "1" / "recipe.yaml"
    document = json.loads(ovrun("optimize", recipe, "--json", "--outputs", outputs).stdout)
    assert document["status"] == "up to date"


FAILING = """\
defaults: [{model: digits-cnn}, {data: digits}, {compression: ptq-int8}, _self_]
compression: {dataset: digits_calibration}
sweep:
  compression.ignored_scope: [{patterns: [".*"]}, {types: [Add]}]
  compression.preset: [performance, mixed]
"""


def test_a_point_that_fails_leaves_the_others(tmp_path: Path, ovrun: Ovrun, converted: Callable[[str], Path]) -> None:
    converted("digits-int8")
    (tmp_path / "grid.yaml").write_text(FAILING)
    done = ovrun("sweep", "grid.yaml", code=5)
    assert "4 points: 2 failed, 2 published" in done.stdout
    assert "no layer of the model was quantized" in done.stdout
    failed = [point for point in record(tmp_path / "outputs", "grid")["points"] if point["status"] == "failed"]
    assert len(failed) == 2
    assert all("compression.algorithm: no layer of the model was quantized" in point["reason"] for point in failed)


def test_fail_fast_stops_at_the_first(tmp_path: Path, ovrun: Ovrun, converted: Callable[[str], Path]) -> None:
    converted("digits-int8")
    (tmp_path / "grid.yaml").write_text(FAILING)
    told = events(ovrun("sweep", "grid.yaml", "--fail-fast", "--json", code=5))
    assert not any(event["event"] == "started" and event["stage"] == "convert" for event in told)
    assert Counter(ends(told).values()) == {"failed": 1, "not run": 3}
    assert sum(event["event"] == "finished" and event["stage"] == "quantize" for event in told) == 0


def test_only_the_best_is_published(tmp_path: Path, ovrun: Ovrun, converted: Callable[[str], Path]) -> None:
    converted("digits-int8")
    grid = ("compression.subset_size=10,100", "compression.fast_bias_correction=true")
    told = events(ovrun("sweep", "digits-grid", *grid, "--json"))
    points = record(tmp_path / "outputs", "digits-grid")["points"]
    assert Counter(ends(told).values()) == {"published": 1, "not selected": 3}
    distance = {
        point["name"]: check["value"]
        for point in points
        for check in point["checks"]
        if check["metric"] == "relative_l2"
    }
    (best,) = (point["name"] for point in points if point["status"] == "published")
    assert len(set(distance.values())) > 1 and distance[best] == min(distance.values())
    assert [path.parent.name for path in (tmp_path / "outputs").glob("*/1")] == [best]


def test_an_interrupted_sweep_goes_on_and_ends_the_same(
    tmp_path: Path, ovrun: Ovrun, swept: tuple[Path, list[dict[str, Any]]]
) -> None:
    outputs = tmp_path / "outputs"
    run = start("sweep", "digits-int8", *GATES, "--outputs", outputs)
    wait_for(stage_begun(outputs, "quantize"), run)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and "interrupted" in err and "Traceback" not in err
    nothing_half_made(outputs)
    assert {point["status"] for point in record(outputs, "digits-int8")["points"]} == {"not run"}
    told = events(ovrun("sweep", "digits-int8", *GATES, "--outputs", outputs, "--json", code=3))
    assert not any(event["event"] == "started" and event["stage"] == "convert" for event in told)
    for name, status in ends(told).items():
        if status == "published":
            assert model_digests(outputs / name / "1") == model_digests(swept[0] / name / "1")
