"""How a stage that failed is told: signals, a full disk, memory and limits, each as what it is."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest

from runner.engine import failures
from runner.errors import SourceError, StageError


def test_a_full_disk_is_told_of_the_place_that_is_full(tmp_path: Path) -> None:
    elsewhere = {"type": "OSError", "errno": errno.ENOSPC, "message": "x", "place": "/elsewhere/file"}
    log = tmp_path / "logs" / "x.log"
    assert "full: /elsewhere/file" in failures.rebuild(elsewhere, "x", log).message
    assert failures.rebuild({**elsewhere, "place": None}, "x", log).message.endswith(f"full: {log.parent}")


@pytest.mark.parametrize(
    "number, words", [(signal.SIGXCPU, "ulimit -t"), (signal.SIGXFSZ, "ulimit -f"), (signal.SIGKILL, "memory")]
)
def test_signals_are_told_as_what_they_tell(number: int, words: str) -> None:
    error = failures.died("cheap", -number, 1.0, 1 << 20, None)
    assert words in error.message and error.hint and error.exit_code == 5
    assert ("memory" in error.message) == (words == "memory")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_over_a_model_is_the_models(number: int) -> None:
    """OpenVINO's reader of TensorFlow crashes over a damaged variables.index."""
    error = failures.died("convert", -number, 1.0, 1 << 20, None, Path("saved_model"))
    assert isinstance(error, SourceError) and "saved_model" in error.message and "damaged" in (error.hint or "")
    assert isinstance(failures.died("compress", -number, 1.0, 1 << 20, None), StageError)


@pytest.mark.parametrize(
    "error, words",
    [
        (MemoryError(), "ran out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/elsewhere/x"), "the disk is full: /elsewhere/x"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (KeyError("x"), "failed: KeyError: 'x'"),
    ],
)
def test_what_a_worker_raises_is_told_like_what_a_stage_does(error: Exception, words: str, tmp_path: Path) -> None:
    told = failures.raised(error, "convert", tmp_path / "log")
    assert words in told.message and (told.hint is None) == isinstance(error, KeyError)


@pytest.mark.parametrize(
    "error, words",
    [
        (("ImportError", "libtorch_cpu.so: failed to map segment from shared object"), "ran out of memory"),
        (("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory"), "ran out of memory"),
        (("RuntimeError", "std::bad_alloc"), "ran out of memory"),
        (("MemoryError", ""), "ran out of memory"),
        (("RuntimeError", "shapes do not fit"), "failed: RuntimeError: shapes do not fit"),
    ],
)
def test_libraries_without_memory(error: tuple[str, str], words: str, tmp_path: Path) -> None:
    told = failures.rebuild({"type": error[0], "message": error[1]}, "convert", tmp_path / "log")
    assert words in told.message
    assert ("ulimit -v" in (told.hint or "")) == ("memory" in words)
