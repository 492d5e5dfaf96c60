"""Files under two names and copies of them, and stamps by which a digest is remembered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import runner.base.files as fs


def test_shared_files_are_separated_for_who_wants_that(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("weights")
    (tmp_path / "a").chmod(0o444)
    os.link(tmp_path / "a", tmp_path / "b")
    version = tmp_path / "1"
    (version / "sub").mkdir(parents=True)
    os.link(tmp_path / "a", version / "sub" / "a")
    (version / "own").write_text("own")
    own = (version / "own").stat()
    fs.separate(version)
    assert (version / "sub" / "a").read_text() == "weights"
    assert (version / "sub" / "a").stat().st_nlink == 1 and (tmp_path / "a").stat().st_nlink == 2
    assert (version / "sub" / "a").stat().st_mode & 0o777 == 0o444
    assert (version / "own").stat() == own
    assert sorted(path.name for path in version.rglob("*")) == ["a", "own", "sub"]


@pytest.mark.parametrize("copy", [fs.link_file, fs.copy_file])
def test_links_and_devices_are_no_files_to_copy(copy: Callable[[Path, Path], None], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "absent"):
        with pytest.raises(OSError):
            copy(tmp_path / name, tmp_path / "out" / name)
        assert not os.path.lexists(tmp_path / "out" / name)


@pytest.mark.parametrize("copy", [fs.link_file, fs.copy_file])
def test_nothing_is_overwritten(copy: Callable[[Path, Path], None], tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    with pytest.raises(FileExistsError):
        copy(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"


STAMPS = {
    "whole seconds, just now": (lambda now: (now // 10**9 * 10**9,) * 2, False),
    "whole seconds, a second ago": (lambda now: (now // 10**9 * 10**9 - 10**9,) * 2, False),
    "whole seconds, four seconds ago": (lambda now: (now // 10**9 * 10**9 - 4 * 10**9,) * 2, True),
    "fine, just now": (lambda now: (now - 1, now - 1), False),
    "fine, a second ago": (lambda now: (now // 10**9 * 10**9 - 10**9 + 1,) * 2, True),
    "in the future": (lambda now: (now + 10**12 + 1, now + 10**12 + 1), False),
    "changed just now": (lambda now: (1, now - 1), False),
    "an old whole second, changed a second ago": (lambda now: (10**9, now - 10**9 - 1), False),
    "an old whole second, changed long ago": (lambda now: (10**9, now - 10**11 - 1), True),
}


@pytest.mark.parametrize("name", STAMPS)
def test_a_stamp_is_trusted_when_a_later_change_must_show_in_it(name: str) -> None:
    stamps, expected = STAMPS[name]
    now = time.time_ns()
    assert fs.settled((1, *stamps(now), 1), now) is expected


def test_a_digest_is_not_read_again_once_its_stamp_has_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, memory = tmp_path / "weights", tmp_path / "memory.json"
    path.write_text("weights")
    time.sleep(0.1)
    first = fs.digest_paths({"weights": path}, memory)
    monkeypatch.setattr("runner.base.digests.sha256_file", None)
    assert fs.digest_paths({"weights": path}, memory) == first
