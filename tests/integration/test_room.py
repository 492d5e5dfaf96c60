"""Where there is no room: a full disk, one without inodes, limits on file sizes and CPU time are told apart."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.base import trouble
from runner.cli import main
from runner.errors import OvrunError, StageError
from runner.report import make
from tests import cheap

KEY = "a" * 64


@contextmanager
def no_larger_file(size: int) -> Iterator[None]:
    """Files may not be larger than so many bytes, for as long as this lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def used_up(disk: Path) -> None:
    """Take all space of a disk."""
    with (disk / "filler").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize)


def failure(folder: Path, **params: object) -> OvrunError:
    """How a stage of the given kind fails."""
    stage = cheap.stage(1, **params)
    (error,) = cheap.execute([stage], folder, 0).values()
    assert error is not None
    return error


def test_a_store_that_can_not_be_written_keeps_no_probe(full_disk: Callable[..., Path]) -> None:
    disk = full_disk(1)
    store = cheap.store_in(disk)
    store.room("tmp", make=True)
    used_up(disk)
    with pytest.raises(StageError, match="the disk is full"):
        store.check_writable()
    assert not list(store.room("tmp").iterdir())


def test_a_stage_for_which_no_folder_can_be_made_leaves_none(full_disk: Callable[..., Path]) -> None:
    disk = full_disk(1, "nr_inodes=5")  # the disk's own folder, .store, tmp, and two of the three that it takes
    store = cheap.store_in(disk)
    store.room("tmp", make=True)
    (disk / "one").touch()
    with pytest.raises(OSError, match="No space left"):
        store.begin(KEY)
    assert not list(store.room("tmp").iterdir())


def test_a_disk_without_inodes_is_told_wherever_it_shows(full_disk: Callable[..., Path]) -> None:
    disk = full_disk(2, "nr_inodes=3")  # two are free again
    error = trouble.cannot_write(disk / "not" / "there", OSError(errno.ENOSPC, "No space left"))
    assert "inodes are used up" in error.message and str(disk) in error.message
    assert "inodes are" not in trouble.cannot_write(disk.parent, OSError(errno.ENOSPC, "No space left")).message
    library = RuntimeError("Can't open xml file")
    assert trouble.refused(disk, library) == errno.ENOSPC and trouble.refused(disk.parent, library) == 0


@pytest.mark.parametrize("words", ["report --format html", "report --format csv --output OUT/x.csv"])
def test_a_report_on_a_full_disk(
    words: str, full_disk: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    disk = full_disk(1)
    used_up(disk)
    assert main([word.replace("OUT", str(disk)) for word in words.split()] + ["--outputs", str(disk)]) == 5
    told = capsys.readouterr().err
    assert f"the disk is full: {disk}" in told and "--outputs" in told
    assert [path.name for path in disk.iterdir()] == ["filler"]


def test_a_limit_on_file_sizes_is_no_full_disk(tmp_path: Path) -> None:
    with no_larger_file(10), pytest.raises(StageError) as caught:
        make.write(tmp_path / "report.html", "x" * 1000)
    with no_larger_file(10):
        told = [caught.value, failure(tmp_path)]
        assert trouble.refused(tmp_path, RuntimeError("basic_ios::clear: iostream error")) == errno.EFBIG
    for error in told:
        assert "ulimit -f" in error.message and "full" not in error.message, error.message
        assert "ulimit -f" in (error.hint or "")


def test_a_stage_that_used_up_its_cpu_time(tmp_path: Path) -> None:
    assert "ulimit -t" in failure(tmp_path, do="signal", signal=int(signal.SIGXCPU)).message


def test_a_kill_by_the_hard_limit_on_cpu_time_is_told_as_that() -> None:
    script = """if True:
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
        from runner.engine.failures import died
        for seconds in (99.9, 3):
            print(died("x", -9, seconds, 1 << 20, None).message)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    spent, killed = done.stdout.splitlines()
    assert "CPU time" in spent and "memory" not in spent
    assert "CPU time" not in killed and "memory" in killed
