"""The process of one stage: `python -m runner.engine.child`, started by `runner.engine.process`.

It reads two pickles from its standard input: the stage's name with its parameters, to import what it will need, and
later the `Task`, to run it. It writes one JSON object a line to its standard output:
`{"progress": [done, total]}` any number of times, then `{"result": {…}}` or `{"error": {…}}`. All that the
libraries print goes to standard error, which is the run's log. It ends when its parent does.
"""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
import random
import shutil
import sys
import threading
import time
import traceback
from typing import IO, Any

from runner.errors import OvrunError, RecipeError
from runner.stages import Task, module

_PROGRESS_EVERY = 0.1
_NEXT_TO_NOTHING = 1 << 20


def main() -> int:
    """Run the one task given on standard input."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # OpenVINO takes its own stub, and sends nothing
    stage, params = pickle.load(sys.stdin.buffer)
    try:
        start = time.monotonic()
        module(stage).prepare(params)
        prepared = time.monotonic() - start
        task: Task = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        _seed(task.seed)
        result = module(stage).run(task, _reporter(events))
        _send(events, {"result": _finite(result), "import_seconds": prepared})
    except EOFError:  # the parent has no use for this stage any more
        return 0
    except OvrunError as error:
        traceback.print_exc()
        _send(events, {"error": _describe(error)})
    except OSError as error:
        traceback.print_exc()
        _send(events, {"error": {"type": "OSError", "errno": error.errno, "message": str(error)}})
    except Exception as error:
        traceback.print_exc()
        _send(events, {"error": _full_disk(task, error) or {"type": type(error).__name__, "message": str(error)}})
    _leave(events)
    return 0


def _leave(events: IO[str]) -> None:
    """End at once: taking a large library's objects apart one by one only costs time."""
    events.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent() -> None:
    """Standard input ends when the parent does; a stage without its parent has nobody to publish for."""
    os.read(0, 1)
    os._exit(1)


def _seed(seed: int) -> None:
    """Seed what is loaded already; `numpy` follows when a stage imports it, by its own fixed seeds."""
    random.seed(seed)
    import numpy

    numpy.random.seed(seed % 2**32)


def _reporter(events: IO[str]) -> Any:
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_EVERY or done >= total:
            last = now
            _send(events, {"progress": [done, total]})

    return progress


def _full_disk(task: Task, error: Exception) -> dict[str, Any] | None:
    """OpenVINO says no more than `iostream error` when it can't write, and takes back what it wrote."""
    if "iostream error" not in str(error) and shutil.disk_usage(task.out).free > _NEXT_TO_NOTHING:
        return None
    return {"type": "OSError", "errno": errno.ENOSPC, "message": "the disk is full"}


def _describe(error: OvrunError) -> dict[str, Any]:
    document: dict[str, Any] = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, RecipeError):
        document["problems"] = [vars(problem) for problem in error.problems]
    return document


def _finite(value: Any) -> Any:
    """Plain data with None for every number that JSON does not have; a gate takes None for NaN, and fails."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _send(events: IO[str], document: dict[str, Any]) -> None:
    events.write(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
