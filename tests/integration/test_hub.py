"""Models of a hub: what is in its cache, what is missing there, and that two sets of files are two models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.errors import SourceError
from runner.model import listing
from runner.recipe.types import ModelSource
from runner.sources import Located, locate
from runner.sources.huggingface import fetch
from tests.conftest import Ovrun
from tests.geometry import gpt2_folder
from tests.hub_server import Hub, serve

ID, COMMIT = "someone/some-model", "0123456789abcdef" * 2 + "01234567"
TEMPLATE, TOOLS = "chat_template.jinja", f"{listing.TEMPLATES}/tools.jinja"
RECIPE = f"model: {{source: huggingface, id: {ID}, revision: {COMMIT}}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What the hub has."""
    folder = gpt2_folder(tmp_path / "repository", layers=1, hidden=64, vocab=400, positions=64)
    (folder / TEMPLATE).write_text("{{ messages }}")
    (folder / listing.TEMPLATES).mkdir()
    (folder / TOOLS).write_text("{{ tools }}")
    (folder / "README.md").write_text("of no concern")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_text("another form")
    return folder


@pytest.fixture
def cache(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's cache that lacks the chat templates, and the snapshot in it."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    snapshot = tmp_path / "cache" / f"models--{ID.replace('/', '--')}" / "snapshots" / COMMIT
    blobs = snapshot.parents[1] / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(sorted(repository.glob("*.*"))):
        if path.name not in (TEMPLATE, "README.md"):
            (blobs / str(number)).write_bytes(path.read_bytes())
            (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    return snapshot


def found(tmp_path: Path, **more: Any) -> Located:
    """Locate the model, with what is remembered in a file."""
    return locate(ModelSource("huggingface", id=ID, **{"revision": COMMIT, **more}), lambda name: tmp_path / "memory")


def asked(located: Located) -> set[str]:
    """The names of the files to fetch."""
    assert located.fetch is not None
    return set(located.fetch.files)


def test_a_task_that_is_not_stated_is_told_by_the_configuration(cache: Path, tmp_path: Path) -> None:
    assert found(tmp_path).task == "text-generation-with-past"
    assert found(tmp_path, task="feature-extraction").task == "feature-extraction"
    config = json.loads((cache / "config.json").read_text())
    (cache / "config.json").write_text(json.dumps(config | {"architectures": ["A", "B"]}))
    with pytest.raises(SourceError, match=r"model.task is not stated.*\(A, B\)"):
        found(tmp_path)
    (cache / "config.json").unlink()
    with pytest.raises(SourceError, match=r"model.task is not stated, and the config.json"):
        found(tmp_path)


def test_without_a_task_and_a_network_the_command_line_says_what_is_missing(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    told = ovrun("optimize", "r.yaml", code=4, HF_HUB_CACHE=str(tmp_path / "empty")).stderr
    assert "model.task" in told and "text-generation-with-past" in told


def test_two_sets_of_cached_files_are_two_models(cache: Path, tmp_path: Path) -> None:
    before = asked(found(tmp_path))
    assert before == {
        *("config.json", "generation_config.json", "model.safetensors", "merges.txt", "vocab.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    (cache / TEMPLATE).write_text("{{ messages }}")
    assert asked(found(tmp_path)) == before | {TEMPLATE}


@pytest.mark.parametrize("lacking", ["config.json", "model.safetensors"])
def test_a_cache_without_what_no_model_lacks_tells_nothing(lacking: str, cache: Path, tmp_path: Path) -> None:
    (cache / lacking).unlink()
    located = found(tmp_path, task="text-generation")
    assert located.fetch is not None and located.fetch.files == ()
    (tmp_path / "out").mkdir()
    with pytest.raises(SourceError, match="not in the hub's local cache"):
        fetch(located.fetch, tmp_path / "out", lambda done, total: None)


def test_weights_that_an_index_names_must_be_there(cache: Path, tmp_path: Path) -> None:
    (cache / "model.safetensors").rename(cache / "a.safetensors")
    index = {"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}
    (cache / listing.SAFETENSORS_INDEX).write_text(json.dumps(index))
    assert found(tmp_path).fetch.files == ()  # type: ignore[union-attr]
    (cache / "b.safetensors").write_bytes((cache / "a.safetensors").read_bytes())
    located = found(tmp_path)
    assert listing.SAFETENSORS_INDEX in asked(located)
    (tmp_path / "out").mkdir()
    assert located.fetch is not None
    told = fetch(located.fetch, tmp_path / "out", lambda done, total: None)
    assert set(told["files"]) == asked(located) | {"a.safetensors", "b.safetensors"}


def test_what_is_fetched_is_not_the_caches_own(cache: Path, tmp_path: Path) -> None:
    """Settings are copies; weights may be the same file, whose mode stays what it was."""
    modes = {path.name: path.stat().st_mode for path in cache.iterdir()}
    located = found(tmp_path)
    assert located.fetch is not None
    (tmp_path / "out").mkdir()
    fetch(located.fetch, tmp_path / "out", lambda done, total: None)
    for path in (tmp_path / "out").iterdir():
        assert not path.is_symlink()
        if path.suffix != ".safetensors":
            assert not path.samefile(cache / path.name)
    assert {path.name: path.stat().st_mode for path in cache.iterdir()} == modes


def test_a_cache_that_links_elsewhere_is_refused(cache: Path, tmp_path: Path) -> None:
    (cache / "vocab.json").unlink()
    (cache / "vocab.json").symlink_to("/etc/passwd")
    located = found(tmp_path)
    assert located.fetch is not None
    (tmp_path / "out").mkdir()
    with pytest.raises(SourceError, match=r"vocab\.json: is a link to /etc/passwd"):
        fetch(located.fetch, tmp_path / "out", lambda done, total: None)


def test_a_ref_that_is_no_commit_is_not_followed(cache: Path, tmp_path: Path) -> None:
    refs = cache.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    assert found(tmp_path, revision="main").identity["revision"] == COMMIT
    (refs / "main").write_text("../../elsewhere")
    with pytest.raises(SourceError, match="can't be reached"):
        found(tmp_path, revision="main")


def test_a_partial_cache_is_filled_from_the_hubs_own_list(
    cache: Path, repository: Path, tmp_path: Path, ovrun: Ovrun
) -> None:
    """Asked for once; without a network the list is remembered, and elsewhere the cache is another model."""
    (tmp_path / "r.yaml").write_text(RECIPE)
    with serve(ID, COMMIT, repository) as hub:
        online = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url}
        alone = key(ovrun, "a")
        listed = key(ovrun, "b", **online)
        assert hub.downloaded() == set()
        told = _fetch(tmp_path, hub)
    assert alone != listed == key(ovrun, "b")
    assert hub.downloaded() == {TEMPLATE, TOOLS}
    assert {TEMPLATE, TOOLS} <= set(told["files"])
    assert key(ovrun, "a") == listed, "the cache is whole now"


def key(ovrun: Ovrun, outputs: str, **env: str) -> str:
    """The key of the fetch in a plan."""
    rows = json.loads(ovrun("plan", "r.yaml", "--outputs", outputs, "--json", **env).stdout)["stages"]
    return str(next(row["key"] for row in rows if row["stage"] == "fetch"))


def _fetch(tmp_path: Path, hub: Hub) -> dict[str, Any]:
    """Fetch in a process of its own, for the hub's library reads its environment once."""
    code = """
import json, sys
from pathlib import Path
from runner.recipe.types import ModelSource
from runner.sources import huggingface
model = ModelSource("huggingface", id=sys.argv[1], revision=sys.argv[2])
out = Path(sys.argv[3])
located = huggingface.locate(model, lambda name: out / "memory")
(out / "out").mkdir(parents=True)
print(json.dumps(huggingface.fetch(located.fetch, out / "out", lambda done, total: None)))
"""
    env = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-c", code, ID, COMMIT, str(tmp_path / "fetched")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
