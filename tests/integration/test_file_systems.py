"""Files under two names, and digests that are remembered, on several file systems.

Reflinks want Btrfs or XFS, and stamps of whole seconds ext3 with small inodes: both are made in a file and mounted,
where that is allowed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runner.base.files as fs
from runner.base import copies
from runner.store import Entry, Store
from tests import cheap
from tests.conftest import Ovrun
from tests.geometry import gpt2_folder

KEY = "ab" + "0" * 62
FORMATS = {
    "ext3": ["mkfs.ext3", "-q", "-I", "128"],
    "ext4": ["mkfs.ext4", "-q"],
    "btrfs": ["mkfs.btrfs", "-q"],
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    "vfat": ["mkfs.vfat"],
}
SIZES = {"btrfs": 128, "xfs": 320}

Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A function that mounts a new file system; skips where there is none of the kind, or mounting is not allowed."""
    mounted: list[Path] = []

    def mount(kind: str) -> Path:
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "tmpfs":
            command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
        else:
            image = tmp_path / f"{kind}.img"
            make = shutil.which(FORMATS[kind][0])
            if make is None:
                pytest.skip(f"no {FORMATS[kind][0]} here")
            with image.open("wb") as stream:
                stream.truncate(SIZES.get(kind, 16) << 20)
            subprocess.run([make, *FORMATS[kind][1:], str(image)], check=True, capture_output=True)
            command = ["mount", "-t", kind, "-o", "loop", str(image), str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip(f"mounting {kind} is not possible here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def put(store: Store) -> Entry:
    folder = store.begin(KEY)
    (folder / "files" / "model.bin").write_text("weights")
    os.utime(folder / "files" / "model.bin", (1, 1))
    return store.publish(KEY, folder, cheap.record("convert"))


def edit(path: Path, content: str = "WEIGHTS") -> None:
    """Write other bytes into a file as it lies there, and put its time back."""
    info = path.stat()
    path.chmod(0o644)
    with path.open("r+") as stream:
        stream.write(content)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


@pytest.mark.parametrize("kind", ["tmpfs", "ext3", "ext4", "btrfs", "xfs", "vfat"])
def test_an_edit_through_one_name_is_found_at_the_next_use_of_any_other(kind: str, disk: Disk) -> None:
    """Where the two are one file, the store finds the edit; where they are not, there is none to find."""
    folder = disk(kind)
    store = Store(folder / "store")
    entry = put(store)
    for version in ("1", "2"):
        fs.link_tree(entry.files, folder / version)
        store.refresh(entry)
    one = (folder / "1" / "model.bin").samefile(entry.files / "model.bin")
    assert one is (kind in ("tmpfs", "ext3", "ext4"))
    edit(folder / "1" / "model.bin")
    assert (store.find(KEY) is None) is one
    assert ((folder / "2" / "model.bin").read_text() == "weights") is not one


@pytest.mark.parametrize("kind", ["tmpfs", "ext4", "btrfs", "xfs"])
def test_a_copy_is_independent_everywhere(kind: str, disk: Disk) -> None:
    folder = disk(kind)
    store = Store(folder / "store")
    entry = put(store)
    fs.link_tree(entry.files, folder / "1", independent=True)
    edit(folder / "1" / "model.bin")
    found = store.find(KEY)
    assert found is not None and (found.files / "model.bin").read_text() == "weights"


def test_a_run_that_cannot_fit_on_the_disk_does_not_begin(disk: Disk, ovrun: Ovrun, tmp_path: Path) -> None:
    gpt2_folder(tmp_path / "model", layers=1, hidden=512, vocab=60_000, dtype="float16", seed=0)
    (tmp_path / "large.yaml").write_text("model: {source: local, path: model, task: text-generation-with-past}\n")
    folder = disk("tmpfs")
    told = ovrun("optimize", "large.yaml", "--outputs", folder, code=5).stderr
    found = re.search(r"this needs about ([\d.]+) MB of disk, and 3\d\.\d MB are free in ", told)
    weights = (tmp_path / "model" / "model.safetensors").stat().st_size
    assert found is not None, told
    assert float(found[1]) * 1e6 == pytest.approx(weights, rel=0.1)
    assert "ovrun gc" in told and not (folder / ".store" / "entries").exists()


@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_a_reflink_costs_no_space(kind: str, disk: Disk) -> None:
    folder = disk(kind)
    (folder / "a").write_bytes(os.urandom(30 << 20))
    os.sync()
    before = shutil.disk_usage(folder).free
    fs.copy_file(folder / "a", folder / "b")
    os.sync()
    assert before - shutil.disk_usage(folder).free < 5 << 20
    assert fs.sha256_file(folder / "a") == fs.sha256_file(folder / "b")


def test_a_half_written_copy_is_removed(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(40 << 20))
    folder = disk("tmpfs")
    with pytest.raises(OSError, match="No space"):
        copies.copy_file(tmp_path / "big", folder / "big")
    assert not (folder / "big").exists()


def test_a_rewrite_within_a_coarse_second_is_seen(disk: Disk, tmp_path: Path) -> None:
    path, memory = disk("ext3") / "weights", tmp_path / "memory.json"
    for attempt in range(20):
        path.write_text("weights")
        os.utime(path, (1, 1))
        first = fs.digest_paths({"weights": path}, memory)
        before = fs.stat_of(path)
        edit(path)
        assert fs.digest_paths({"weights": path}, memory) != first
        if fs.stat_of(path) == before:
            break
        memory.unlink()
        assert attempt < 19, "the second passed each time"


def test_an_entry_that_is_edited_within_a_coarse_second_is_seen(disk: Disk) -> None:
    folder = disk("ext3")
    store = Store(folder / "store")
    entry = put(store)
    fs.link_tree(entry.files, folder / "1")
    store.refresh(entry)
    edit(folder / "1" / "model.bin")
    assert store.find(KEY) is None
