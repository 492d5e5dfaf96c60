"""The store: nothing half-made is visible, nothing changed is used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from filelock import FileLock

import runner.base.files as fs
from runner.errors import StageError
from runner.store import Entry, Store
from tests import cheap

KEY = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, content: str = "weights") -> Entry:
    folder = store.begin(KEY)
    (folder / "files" / "model.bin").write_text(content)
    (folder / "files" / "sub").mkdir()
    (folder / "files" / "sub" / "config.json").write_text("{}")
    return store.publish(KEY, folder, cheap.record("convert", {"a": 1}))


def test_an_entry_is_found_with_its_record(store: Store) -> None:
    put(store)
    entry = store.find(KEY)
    assert entry is not None
    assert entry.result == {"a": 1}
    assert set(entry.record["files"]) == {"model.bin", "sub/config.json"}
    assert entry.record["files"]["model.bin"]["sha256"] == fs.sha256_file(entry.files / "model.bin")
    assert not (entry.files / "model.bin").stat().st_mode & 0o222


def test_an_unpublished_folder_is_invisible_and_the_next_run_removes_it(store: Store) -> None:
    first = store.begin(KEY)
    (first / "files" / "half").write_text("x")
    assert store.find(KEY) is None and not store.has(KEY)
    second = store.begin(KEY)
    assert not first.exists() and second.exists()


def test_what_died_runs_of_other_stages_left_is_removed_but_not_what_is_being_made(store: Store) -> None:
    left, running = store.begin("cd" * 32), store.begin("ef" * 32)
    with FileLock(store.lock_path("ef" * 32)):
        store.tidy()
        assert not left.exists() and running.exists()


@pytest.mark.parametrize("damage", ["same size", "longer", "gone", "same size and time"])
def test_a_damaged_entry_is_dropped(store: Store, damage: str) -> None:
    path = put(store).files / "model.bin"
    before = path.stat()
    path.chmod(0o644)
    if damage == "gone":
        path.unlink()
    else:
        path.write_text("weightz" if damage != "longer" else "weights and more")
    if damage == "same size and time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.damaged(KEY)
    assert store.find(KEY) is None
    assert not store.folder(KEY).exists()


@pytest.mark.parametrize("content", ["", "[]", '{"format": 0}'])
def test_an_entry_whose_record_can_not_be_read_is_made_anew(store: Store, content: str) -> None:
    record = put(store).files.parent / "entry.json"
    record.write_text(content)
    assert store.find(KEY) is None and store.damaged(KEY)
    assert put(store, "anew").result == {"a": 1}


def test_a_touched_file_with_the_same_bytes_is_still_whole(store: Store) -> None:
    path = put(store).files / "model.bin"
    os.utime(path, (1, 1))
    assert not store.damaged(KEY)
    assert store.find(KEY) is not None


def test_hard_links_elsewhere_do_not_make_an_entry_suspect(store: Store, tmp_path: Path) -> None:
    entry = put(store)
    fs.link_tree(entry.files, tmp_path / "artifact")
    assert (tmp_path / "artifact" / "sub" / "config.json").read_text() == "{}"
    assert (tmp_path / "artifact" / "model.bin").stat().st_ino == (entry.files / "model.bin").stat().st_ino
    assert store.find(KEY) is not None


def test_an_entry_under_a_wrong_key_is_not_used(store: Store) -> None:
    put(store)
    other = "ab" + "1" * 62
    store.folder(KEY).rename(store.folder(other))
    assert store.find(other) is None


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StageError, match="file"):
        Store(tmp_path / "file" / "store").check_writable()


def test_digests_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path, memory = tmp_path / "weights", tmp_path / "memory.json"
    path.write_text("one")
    os.utime(path, (1, 1))
    first = fs.digest_paths({"weights": path}, memory)
    assert fs.digest_paths({"weights": path}, memory) == first
    assert fs.digest_paths({"renamed": path}, memory) != first
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fs.digest_paths({"weights": path}, memory) != first


def test_a_digest_survives_a_memory_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_text("one")
    (tmp_path / "blocked").write_text("")
    expected = fs.digest_paths({"weights": path}, tmp_path / "memory.json")
    assert fs.digest_paths({"weights": path}, tmp_path / "blocked" / "memory.json") == expected


def test_written_files_are_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    fs.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        fs.write_json(path, {"a": float("nan")})
    assert fs.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_what_is_no_file_is_not_written_over(tmp_path: Path) -> None:
    """As /dev/null is not, for whoever may write there."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        fs.write_json(tmp_path / "pipe", {"a": 1})
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_digest_needs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("one")
    fs.digest_paths({"weights": tmp_path / "weights"}, None)
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]
