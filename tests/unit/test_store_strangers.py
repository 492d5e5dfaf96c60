"""What lies in the store and is not ours: never followed, never deleted through, refused with words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import runner.base.files as fs
from runner.errors import StageError
from runner.run.logs import new_log, new_logs
from runner.store import Store
from tests import cheap

KEY = "ab" + "0" * 62
OTHER = "cd" + "1" * 62


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of the user, which has to stay as it is."""
    folder = tmp_path / "home"
    for name in (".", f"{KEY}.deadbeef", "ab", KEY, "files"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "precious").write_text("precious")
        (folder / name / "precious").chmod(0o640)
    return folder


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """What is in a folder, with modes and times of change."""
    infos = {str(path): path.lstat() for path in [folder, *folder.rglob("*")]}
    return {name: (info.st_mode, info.st_ctime_ns) for name, info in infos.items()}


def put(store: Store, key: str = KEY) -> None:
    folder = store.begin(key)
    (folder / "files" / "model.bin").write_text("weights")
    store.publish(key, folder, cheap.record("convert"))


def lifecycle(store: Store, outputs: Path) -> None:
    """All that a run does with its store."""
    store.check_writable()
    with store.locked(KEY):
        store.find(KEY)
        put(store)
        store.drop(KEY)
    store.remember_recent("recipe", {"convert": {}})
    fs.digest_paths({"a": outputs / "source"}, store.digest_memory("a"))
    new_log(outputs, "recipe")
    new_logs(outputs, "sweep")


PLACES = [
    "",
    "tmp",
    "entries",
    "entries/ab",
    f"entries/ab/{KEY}",
    "locks",
    f"locks/{KEY}.lock",
    "recent",
    "digests",
    "../.logs",
    "../.logs/recipe",
    "../.logs/sweep",
]


def place(outputs: Path, name: str) -> Path:
    path = Path(os.path.normpath(outputs / ".store" / name))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    (folder / "source").write_text("source")
    os.utime(folder / "source", ns=(1, 1))
    return folder


@pytest.mark.parametrize("name", PLACES)
def test_a_link_to_the_users_folder_is_refused_and_the_folder_stays_as_it_is(
    name: str, outputs: Path, home: Path
) -> None:
    link = place(outputs, name)
    link.symlink_to(home / "precious" if name.endswith(".lock") else home)
    before = state(home)
    with pytest.raises(StageError, match="is a symbolic link") as caught:
        lifecycle(Store(outputs / ".store"), outputs)
    assert str(link) in caught.value.message and caught.value.exit_code == 5 and caught.value.hint
    assert state(home) == before and link.is_symlink()


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "fifo"])
@pytest.mark.parametrize("name", [one for one in PLACES if not one.endswith(".lock")])
def test_what_is_no_folder_is_refused(name: str, make: Callable[[Path], None], outputs: Path) -> None:
    path = place(outputs, name)
    make(path)
    before = path.lstat()
    with pytest.raises(StageError, match=r"is a (file|named pipe), where ovrun keeps a folder"):
        lifecycle(Store(outputs / ".store"), outputs)
    assert path.lstat() == before


@pytest.mark.parametrize(("make", "kind"), [(Path.mkdir, "folder"), (os.mkfifo, "named pipe")])
def test_a_lock_that_is_no_file_is_refused(make: Callable[[Path], None], kind: str, outputs: Path) -> None:
    make(place(outputs, f"locks/{KEY}.lock"))
    with pytest.raises(StageError, match=f"is a {kind}, where ovrun keeps a file"):
        lifecycle(Store(outputs / ".store"), outputs)


def test_a_link_to_nowhere_is_refused_too(outputs: Path, tmp_path: Path) -> None:
    place(outputs, "tmp").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StageError, match="is a symbolic link"):
        lifecycle(Store(outputs / ".store"), outputs)
    assert not (tmp_path / "nowhere").exists()


def test_an_outputs_folder_may_be_a_link_to_a_bigger_disk(tmp_path: Path, outputs: Path) -> None:
    (tmp_path / "link").symlink_to(outputs)
    lifecycle(Store(tmp_path / "link" / ".store"), tmp_path / "link")
    assert (outputs / ".store" / "entries").is_dir()


def test_strangers_in_tmp_stay(outputs: Path, home: Path) -> None:
    store = Store(outputs / ".store")
    store.check_writable()
    tmp = outputs / ".store" / "tmp"
    (tmp / f"{OTHER}.{'0' * 8}").symlink_to(home)
    (tmp / f"{KEY}.{'0' * 8}").symlink_to(home)
    (tmp / "notes").mkdir()
    (tmp / "notes" / "mine").write_text("mine")
    before = state(home)
    lifecycle(store, outputs)
    assert state(home) == before
    assert (tmp / "notes" / "mine").read_text() == "mine"


@pytest.mark.parametrize("what", ["files", "a file", "a folder", "entry.json", "stat.json"])
def test_links_in_an_entry_make_it_damaged_and_are_not_followed(what: str, outputs: Path, home: Path) -> None:
    store = Store(outputs / ".store")
    put(store)
    entry = store.folder(KEY)
    path = entry / {"files": "files", "a file": "files/model.bin", "a folder": "files/sub"}.get(what, what)
    aside = home / "aside"
    if path.exists():
        path.rename(aside)
    else:
        aside.mkdir()
    path.symlink_to(aside)
    before = state(home)
    if what == "stat.json":
        assert store.find(KEY) is not None
    else:
        assert store.damaged(KEY)
        assert store.find(KEY) is None
        put(store)
        assert not store.damaged(KEY)
    assert state(home) == before


def test_removing_a_tree_takes_links_and_leaves_what_they_point_at(tmp_path: Path, home: Path) -> None:
    before = state(home)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(home)
    fs.remove_tree(tree)
    assert not tree.exists() and state(home) == before
    tree.symlink_to(home)
    with pytest.raises(OSError, match="symbolic link"):
        fs.remove_tree(tree)
    fs.discard_tree(tree)
    assert state(home) == before
