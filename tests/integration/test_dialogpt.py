"""The DialoGPT-small recipes on a snapshot of exactly its shape: random weights, full geometry, real file names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.conftest import Ovrun
from tests.geometry import DIALOGPT_ID, DIALOGPT_REVISION, dialogpt_small_snapshot
from tests.hub_server import serve
from tests.outputs import every_entry_is_whole, stage_begun
from tests.processes import start, wait_for

NEEDED = {
    *("config.json", "generation_config.json", "generation_config_for_conversational.json", "merges.txt"),
    *("model.safetensors", "tokenizer_config.json", "vocab.json"),
}


@pytest.fixture(scope="session")
def hub(shared: Path) -> Path:
    """A hub cache that holds the snapshot, made once a test run."""
    cache = shared / "hub"
    with FileLock(shared / ".hub.lock"):
        if not cache.exists():
            dialogpt_small_snapshot(shared / "hub.new")
            (shared / "hub.new").rename(cache)
    return cache


@pytest.fixture(scope="session")
def outputs(shared: Path) -> Path:
    return shared / "dialogpt-outputs"


RECIPES = {"dialogpt-int4": (), "dialogpt-int8": (), "dialogpt-ptq": ("compression.subset_size=10",)}
"""Recipe -> what is less here: 300 samples would be calibrated with in the same way, for more than a minute."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "dialogpt-int8" else pytest.mark.newest) for name in RECIPES]
)
def test_a_recipe_runs_on_the_snapshot(name: str, hub: Path, outputs: Path, ovrun: Ovrun) -> None:
    done = ovrun("optimize", name, *RECIPES[name], "--outputs", outputs, "--json", HF_HUB_CACHE=str(hub))
    document = json.loads(done.stdout)
    version = Path(document["path"])
    manifest = json.loads((version / "manifest.json").read_text())
    assert manifest["model"]["revision"] == DIALOGPT_REVISION
    fetched = next(stage for stage in manifest["stages"] if stage["stage"] == "fetch")
    assert set(fetched["result"]["files"]) == NEEDED
    assert manifest["size"]["optimized"] < 0.62 * manifest["size"]["converted"]
    assert {"openvino_tokenizer.xml", "openvino_detokenizer.xml", "tokenizer.json"} <= set(manifest["files"])
    script = f"""
import openvino_genai
print(openvino_genai.LLMPipeline({str(version)!r}, "CPU").generate("hello", max_new_tokens=3, do_sample=False))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_moving_revision_is_resolved_and_recorded(hub: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    words = ("plan", "dialogpt-int8", "model.revision=main", "--json")
    moving = json.loads(ovrun(*words, HF_HUB_CACHE=str(hub)).stdout)
    pinned = json.loads(ovrun("plan", "dialogpt-int8", "--json", HF_HUB_CACHE=str(hub)).stdout)
    assert [row["key"] for row in moving["stages"]] == [row["key"] for row in pinned["stages"]]


def test_a_group_size_is_refused_from_the_cached_config(hub: Path, ovrun: Ovrun) -> None:
    told = ovrun("plan", "dialogpt-int4", "compression.group_size=100", code=2, HF_HUB_CACHE=str(hub)).stderr
    assert "command line: compression.group_size" in told and "768" in told


def test_a_snapshot_without_its_weights_can_not_be_had(hub: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    shutil.copytree(hub, cache, symlinks=True, copy_function=os.link)
    snapshot = cache / "models--microsoft--DialoGPT-small" / "snapshots" / DIALOGPT_REVISION
    (snapshot / "model.safetensors").unlink()
    told = ovrun("optimize", "dialogpt-int8", "~accuracy", code=4, HF_HUB_CACHE=str(cache)).stderr
    assert "hf download" in told


@pytest.mark.parametrize("stage", ["fetch", "convert"])
def test_a_kill_in_the_stages_of_a_hub_model_leaves_nothing_half_made(
    stage: str, hub: Path, tmp_path: Path, ovrun: Ovrun
) -> None:
    env = {**os.environ, "HF_HUB_CACHE": str(hub)}
    run = start("optimize", "dialogpt-int8", "~accuracy", "--outputs", tmp_path / "o", env=env)
    wait_for(stage_begun(tmp_path / "o", stage), run)
    run.kill()
    run.communicate()
    rows = json.loads(
        ovrun(
            *("plan", "dialogpt-int8", "~accuracy", "--outputs", tmp_path / "o", "--json"),
            HF_HUB_CACHE=str(hub),
        ).stdout
    )["stages"]
    states = {row["stage"]: row["state"] for row in rows}
    assert states["convert"] == "to do" and states["fetch"] == ("cached" if stage == "convert" else states["fetch"])
    every_entry_is_whole(tmp_path / "o")


def test_only_the_needed_files_are_downloaded_once(tmp_path: Path, ovrun: Ovrun) -> None:
    """The same from a hub on this machine: 0.4 GB of a snapshot of 1.7 GB, and no network the second time."""
    dialogpt_small_snapshot(tmp_path / "there", layers=1, hidden=64)
    snapshot = tmp_path / "there" / "models--microsoft--DialoGPT-small" / "snapshots" / DIALOGPT_REVISION
    env = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
    words = ("optimize", "dialogpt-int4", "model.revision=main", "compression.group_size=64", "~accuracy", "--json")
    with serve(DIALOGPT_ID, DIALOGPT_REVISION, snapshot) as hub:
        first = json.loads(ovrun(*words, **env, HF_ENDPOINT=hub.url).stdout)
        assert hub.downloaded() == NEEDED
        missing = ovrun(
            "plan",
            "dialogpt-int4",
            "model.id=nobody/nothing",
            "model.revision=main",
            code=4,
            **env,
            HF_ENDPOINT=hub.url,
        )
        assert "there is no model nobody/nothing" in missing.stderr
    assert any("fetch" in label for label in first["ran"])
    pinned = ("optimize", "dialogpt-int4", "compression.group_size=64", "~accuracy", "--json", "--outputs", "other")
    again = json.loads(ovrun(*pinned, **env, HF_ENDPOINT=hub.url).stdout)
    assert again["status"] == "published"
