"""Interrupts and kills at every stage: nothing half-made is seen, the next run goes on, and ends the same."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from runner.store import Store
from tests.conftest import Ovrun
from tests.outputs import model_digests, nothing_half_made, stage_begun
from tests.processes import family, start, wait_for, wait_for_end

RECIPE = "digits-int8"
STAGES = {
    # each with one way to be ended: the campaign of kills has them all
    "digits-int8": ("convert", "quantize", "verify", "evaluate"),
    "dialogpt-mini-int4": ("compress", "reference"),
}


@pytest.mark.parametrize(
    ("recipe", "how"),
    [("dialogpt-mini-int4", signal.SIGKILL), ("digits-int8", signal.SIGINT)],
    ids=["kill", "ctrl-c"],
)
def test_a_run_that_is_ended_in_each_stage_goes_on_and_ends_the_same(
    how: signal.Signals, recipe: str, tmp_path: Path, ovrun: Ovrun, published: Callable[..., Path]
) -> None:
    outputs = tmp_path / "outputs"
    publishing = FileLock(Store(outputs / ".store").lock_path(f"publish-{recipe}"))
    for stage in STAGES[recipe]:
        with publishing:  # so that a fast run can't end before it is ended
            run = start("optimize", recipe, "--outputs", outputs, cwd=tmp_path)
            wait_for(stage_begun(outputs, stage), run)
            time.sleep(0.05)
            os.kill(run.pid, how)
            _, err = run.communicate(timeout=60)
        assert run.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
        assert "Traceback" not in err
        if how == signal.SIGINT:
            assert "interrupted" in err
        nothing_half_made(outputs)
    document = json.loads(ovrun("optimize", recipe, "--outputs", outputs, "--json").stdout)
    assert document["status"] == "published"
    assert not any("convert" in label or "quantize" in label for label in document["ran"])
    assert model_digests(outputs / recipe / "1") == model_digests(published(recipe))
    assert not list((outputs / ".store" / "tmp").iterdir())


def test_a_run_that_is_killed_while_publishing_goes_on(tmp_path: Path, ovrun: Ovrun, shared: Path) -> None:
    outputs = tmp_path / "outputs"
    lock = FileLock(Store(outputs / ".store").lock_path(f"publish-{RECIPE}"))
    with lock:
        run = start("optimize", RECIPE, "--outputs", outputs, cwd=tmp_path)
        wait_for(stage_begun(outputs, "evaluate"), run)
        wait_for(lambda: not list((outputs / ".store" / "tmp").glob("*.*")), run)
        time.sleep(1)
        run.kill()
        run.communicate()
    nothing_half_made(outputs)
    half = outputs / RECIPE / ".new-1-deadbeef"
    half.mkdir(parents=True)
    (half / "openvino_model.bin").write_text("half")
    (outputs / ".store" / "tmp" / f"{'5' * 64}.deadbeef" / "files").mkdir(parents=True)  # no stage is left to be run
    document = json.loads(ovrun("optimize", RECIPE, "--outputs", outputs, "--json").stdout)
    assert document["status"] == "published" and document["version"] == 1
    assert not half.exists() and not list((outputs / ".store" / "tmp").iterdir()) and document["ran"] == []


def test_two_equal_runs_at_once_do_the_work_once(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    runs = [start("optimize", RECIPE, "--outputs", outputs, "--json", cwd=tmp_path) for _ in "ab"]
    documents = []
    for run in runs:
        out, err = run.communicate(timeout=600)
        assert run.returncode == 0, err
        documents.append(json.loads(out))
    assert sorted(document["status"] for document in documents) == ["published", "up to date"]
    created = [path.stat().st_mtime for path in (outputs / ".store" / "entries").glob("*/*/entry.json")]
    logs = "".join(path.read_text(errors="replace") for path in (outputs / ".logs").rglob("*.log"))
    assert logs.count("\n--- ") == len(created) + 1, "a conversion and the comparison that ends it have a heading each"


def test_an_orphan_stage_ends_with_its_parent(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    run = start("optimize", RECIPE, "--outputs", outputs, cwd=tmp_path)
    wait_for(stage_begun(outputs, "convert"), run)
    wait_for(lambda: len(family(run.pid)) >= 2, run)  # the fork server, and its child that runs the stage
    started = family(run.pid)
    run.kill()
    run.communicate()
    wait_for_end(started)
