"""One store, several users: modes follow the umask, and what one may not do is told with its place and with what helps.

Other users are tried for real: a child process becomes one.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import runner.base.files as fs
from runner.store import Store
from tests import cheap

KEY = "ab" + "0" * 62
OTHER = "cd" + "1" * 62
ROOT = Path(__file__).parents[2]
ALICE, BOB, GROUP = 65431, 65432, 65430

needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="to become others needs root")

WORK = """
import os, sys
from pathlib import Path
import runner.base.files as fs
from runner.errors import OvrunError
from runner.run.logs import new_log
from runner.store import Store
from runner.store.runs import under_way
from tests import cheap

outputs, uid, umask, key = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3], 8), sys.argv[4]
os.setgroups([65430]); os.setgid(uid); os.setuid(uid); os.umask(umask)
store = Store(outputs / ".store")
try:
    with under_way(store, [key]):
        store.check_writable()
        new_log(outputs, "recipe")
        with store.locked(key):
            entry = store.find(key)
            print("found" if entry else "made")
            if entry is None:
                folder = store.begin(key)
                (folder / "files" / "sub").mkdir(mode=0o700)
                (folder / "files" / "sub" / "model.bin").write_text("weights")
                (folder / "files" / "sub" / "model.bin").chmod(0o600)
                entry = store.publish(key, folder, cheap.record("convert"))
        version = outputs / f"version-{uid}-{key[:2]}"
        fs.link_tree(entry.files, version)
        store.refresh(entry)
        print((version / "sub" / "model.bin").read_text())
        store.remember_recent("recipe", {"convert": {"by": uid}})
        fs.digest_paths({"a": outputs / "source"}, store.digest_memory("a"))
except OvrunError as error:
    print("error:", error.exit_code, error.message, "| hint:", error.hint)
"""


def work(outputs: Path, uid: int, umask: int, key: str = KEY) -> str:
    """What a run of another user does with the store, and says."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(outputs), str(uid), f"{umask:o}", key],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def outputs() -> Iterator[Path]:
    """A folder that all may come to; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "outputs"
        folder.mkdir()
        (folder / "source").write_text("source")
        os.utime(folder / "source", (1, 1))
        yield folder


def give(folder: Path, uid: int, gid: int, mode: int) -> None:
    os.chown(folder, uid, gid)
    folder.chmod(mode)


@needs_root
def test_a_group_shares_a_store(outputs: Path) -> None:
    give(outputs, ALICE, GROUP, 0o2775)
    assert work(outputs, ALICE, 0o002) == "made\nweights\n"
    assert work(outputs, BOB, 0o002) == "found\nweights\n"
    assert work(outputs, BOB, 0o002, OTHER) == "made\nweights\n"
    assert work(outputs, ALICE, 0o002, OTHER) == "found\nweights\n"
    groups = {path.lstat().st_gid for path in (outputs / ".store").rglob("*")}
    assert groups == {GROUP}, "setgid folders give their group to all that is made in them"


@needs_root
def test_a_damaged_entry_of_another_member_of_the_group_is_made_anew(outputs: Path) -> None:
    give(outputs, ALICE, GROUP, 0o2775)
    work(outputs, ALICE, 0o002)
    path = Store(outputs / ".store").folder(KEY) / "files" / "sub" / "model.bin"
    path.chmod(0o644)
    path.write_text("damaged")
    assert work(outputs, BOB, 0o002) == "made\nweights\n"


@needs_root
@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_who_may_only_read_is_told_where_and_what_helps(umask: int, outputs: Path) -> None:
    give(outputs, ALICE, GROUP, 0o2775)
    work(outputs, ALICE, umask)
    told = work(outputs, BOB, umask)
    assert told.startswith(f"error: 5 {outputs}/.store") and "can't be written: Permission denied" in told
    assert f"belongs to user {ALICE}, mode" in told
    assert "umask 002" in told and "--outputs DIR" in told


@needs_root
def test_who_may_not_even_read_is_told_too(outputs: Path) -> None:
    give(outputs, ALICE, GROUP, 0o2777)
    work(outputs, ALICE, 0o077)
    told = work(outputs, BOB, 0o077)
    assert told.startswith(f"error: 5 {outputs}/.store") and "Permission denied" in told and "umask 002" in told


@needs_root
@pytest.mark.parametrize("name", ["entries", f"entries/ab/{KEY}", f"entries/ab/{KEY}/entry.json", "locks", "tmp"])
def test_parts_that_can_not_be_read_are_told_by_name(name: str, outputs: Path) -> None:
    give(outputs, BOB, GROUP, 0o2777)
    work(outputs, BOB, 0o002)
    path = outputs / ".store" / name
    os.chown(path, ALICE, ALICE)
    path.chmod(0o700 if path.is_dir() else 0o600)
    told = work(outputs, BOB, 0o002)
    assert told.startswith(f"error: 5 {outputs}/.store/{name}"), told
    assert f"belongs to user {ALICE}" in told and "| hint: Choose another place" in told


@needs_root
@pytest.mark.parametrize("name", ["recent", "digests", "runs", f"entries/ab/{KEY}/stat.json", "recent/recipe.json"])
def test_memories_that_can_not_be_read_are_done_without(name: str, outputs: Path) -> None:
    give(outputs, BOB, GROUP, 0o2777)
    work(outputs, BOB, 0o002)
    path = outputs / ".store" / name
    os.chown(path, ALICE, ALICE)
    path.chmod(0o500 if path.is_dir() else 0o000)
    (outputs / f"version-{BOB}-{KEY[:2]}" / "sub" / "model.bin").unlink()
    assert work(outputs, BOB, 0o002) == "found\nweights\n"


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022, 0o002])
def test_modes_follow_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        store = Store(tmp_path / "outputs" / ".store")
        store.check_writable()
        with store.locked(KEY):
            folder = store.begin(KEY)
            (folder / "files" / "sub").mkdir(mode=0o700)
            (folder / "files" / "sub" / "model.bin").write_text("weights")
            (folder / "files" / "sub" / "model.bin").chmod(0o600)
            entry = store.publish(KEY, folder, cheap.record("convert"))
        store.remember_recent("recipe", {"convert": {}})
        fs.digest_paths({"a": entry.files / "sub" / "model.bin"}, store.digest_memory("a"))
        fs.copy_file(entry.files / "sub" / "model.bin", tmp_path / "copy")
    finally:
        os.umask(before)
    read_only = {entry.files / "sub" / "model.bin"}
    found = list(store.root.rglob("*"))
    assert len(found) > 10
    for path in [*found, tmp_path / "copy"]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = 0o777 if path.is_dir() else 0o444 if path in read_only else 0o666
        assert mode == wanted & ~umask, f"{path} has {mode:o}"
