"""The process of one stage, made by `runner.engine.forkserver` and led by `runner.engine.process`.

It reads two pickles: the stage's module with its parameters, to import what it will need, and later the `Task`, to run
it. It answers with one JSON object a line:
`{"progress": [done, total]}` any number of times, then `{"result": {…}}` or `{"error": {…}}`. All that the
libraries print goes to standard output and error, which are the run's log. It ends when its parent does.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import random
import sys
import threading
import time
import traceback
from typing import IO, Any, BinaryIO, NoReturn

from runner.base import python, trouble
from runner.errors import OvrunError, RecipeError
from runner.stages import Task, load

_PROGRESS_EVERY = 0.1


def main(requests: BinaryIO, events: IO[str]) -> NoReturn:
    """Run the one task that is given, and end the process."""
    task: Task[object] | None = None
    try:
        name, params = pickle.load(requests)
        start = time.monotonic()
        module = load(name)
        module.prepare(params)
        prepared = time.monotonic() - start
        task = pickle.load(requests)
        assert isinstance(task, Task)
        threading.Thread(target=_end_with_parent, args=(requests.fileno(),), daemon=True).start()
        _seed(task.seed)
        result = module.run(task, _reporter(events))
        _send(events, {"result": _finite(result), "import_seconds": prepared})
    except EOFError:  # the parent has no use for this stage any more
        pass
    except OvrunError as error:
        traceback.print_exc()
        _send(events, {"error": _describe(error)})
    except OSError as error:
        traceback.print_exc()
        _send(events, {"error": _refused(error.errno or 0, str(error), error.filename)})
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        traceback.print_exc()
        _send(events, {"error": _told(error, task)})
    _leave(events)


def streams_of(task: int, events: int) -> tuple[BinaryIO, IO[str]]:
    """The streams of a stage, by the descriptors that it got."""
    return os.fdopen(task, "rb"), os.fdopen(events, "w", encoding="utf-8", buffering=1)


def _leave(events: IO[str]) -> NoReturn:
    """End at once: taking a large library's objects apart one by one only costs time."""
    events.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent(requests: int) -> None:
    """The pipe ends when the parent does; a stage without its parent has nobody to publish for."""
    os.read(requests, 1)
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


def _told(error: BaseException, task: Task[object] | None) -> dict[str, object]:
    """What a library's failure was: the disk's or a limit's, or its own."""
    number = trouble.refused(task.out, error) if task else 0
    return _refused(number, os.strerror(number)) if number else {"type": type(error).__name__, "message": str(error)}


def _refused(number: int, message: str, place: object = None) -> dict[str, object]:
    place = os.fsdecode(place) if isinstance(place, str | bytes) else None
    return {"type": "OSError", "errno": number, "message": message, "place": place}


def _describe(error: OvrunError) -> dict[str, object]:
    document: dict[str, object] = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
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


def _send(events: IO[str], document: dict[str, object]) -> None:
    events.write(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    python.without_telemetry()
    main(*streams_of(int(sys.argv[1]), int(sys.argv[2])))
