"""Predicts in a process of its own, with a network that runs in this one.

What feeds a network and reads its outputs may need libraries that have no place beside it: transformers, torch. There
they do what they do for a check, row by row; each time the network is to be asked, its inputs come here, and its
outputs go back. Requests and answers are pickles, over pipes that only the two hold.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from runner.base import python
from runner.errors import OvrunError, SourceError, StageError
from runner.metrics.predicting import Asked, predictor
from runner.model.parts import Model
from runner.model.runtime import Compiled

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.model.feed import Feed

_WORDED = {kind.__name__: kind for kind in (SourceError, StageError)}


@dataclass(frozen=True)
class _Infer:
    """What the network is asked; `forget` sets its state back first, and asks nothing else."""

    feed: Feed
    forget: bool = False


@dataclass(frozen=True)
class _Failed:
    """An error in words; `kind` is its type's name."""

    kind: str
    message: str
    hint: str | None


@dataclass(frozen=True)
class _Pipe:
    """The two ends that one side holds."""

    source: BinaryIO
    sink: BinaryIO

    def send(self, one: object) -> None:
        pickle.dump(one, self.sink, pickle.HIGHEST_PROTOCOL)
        self.sink.flush()

    def receive(self) -> object:
        found: object = pickle.load(self.source)
        return found


class Apart:
    """The process.

    Args:
        module: dotted name of what predicts.
        asked: what; the network and the rows are told each time.
    """

    def __init__(self, module: str, asked: Asked) -> None:
        self._process = subprocess.Popen(
            python.command("runner.metrics.predicting.apart"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=python.environment(),
        )
        assert self._process.stdin and self._process.stdout
        self._pipe = _Pipe(cast(BinaryIO, self._process.stdout), cast(BinaryIO, self._process.stdin))
        self._pipe.send((module, replace(asked, model=None)))

    def predict(self, model: Compiled, chosen: Sequence[int] | None, out: Path) -> None:
        """Keep in the empty folder `out` what a network gives for the rows that are chosen; None for all.

        Raises:
            as `runner.metrics.predicting.Predictor.predict`; StageError too where the process ends.
        """
        try:
            self._pipe.send((chosen, out))
            while (told := self._pipe.receive()) is not None:
                if isinstance(told, _Failed):
                    raise _WORDED.get(told.kind, StageError)(told.message, hint=told.hint)
                self._pipe.send(_answer(model, cast(_Infer, told)))
        except (EOFError, BrokenPipeError) as error:
            message = f"{model.folder}: the process that feeds the model with rows ended unexpectedly"
            raise StageError(message) from error

    def close(self) -> None:
        """End the process."""
        self._pipe.sink.close()
        self._process.wait()
        self._pipe.source.close()


def _answer(model: Compiled, asked: _Infer) -> list[Array]:
    if asked.forget:
        model.forget()
        return []
    return model.infer(asked.feed)


@dataclass(frozen=True)
class _Elsewhere(Compiled):
    """The network as the process sees it: what it is made of is here, and it runs elsewhere."""

    pipe: _Pipe

    def infer(self, feed: Feed) -> list[Array]:
        """As `Compiled.infer`."""
        self.pipe.send(_Infer(feed))
        return cast("list[Array]", self.pipe.receive())

    def forget(self) -> None:
        """As `Compiled.forget`."""
        self.pipe.send(_Infer({}, forget=True))
        self.pipe.receive()


def _serve(pipe: _Pipe) -> None:
    """Answer until there are no more requests."""
    import openvino as ov

    from runner.metrics.keeping import keep
    from runner.model.feed import ports

    module, asked = cast("tuple[str, Asked]", pipe.receive())
    network = ov.Core().read_model(Model.of(asked.folder).only)
    while True:
        chosen, out = cast("tuple[list[int] | None, Path]", pipe.receive())
        model = _Elsewhere(asked.folder, network, ports(network), {}, pipe)
        given = predictor(module).predict(replace(asked, model=model, chosen=chosen))
        keep(asked.gives, given, out, lambda done, total: None)
        pipe.send(None)


def _main() -> None:
    python.without_telemetry()
    pipe = _Pipe(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what libraries print is for the log
    try:
        _serve(pipe)
    except EOFError:  # the other side has no more to ask
        pass
    except OvrunError as error:
        traceback.print_exc()
        pipe.send(_Failed(type(error).__name__, error.message, error.hint))
    except Exception as error:  # somebody else's code, which the log has in full
        traceback.print_exc()
        pipe.send(_Failed("StageError", f"{type(error).__name__}: {error}", None))
    sys.stderr.flush()
    os._exit(0)  # taking large libraries apart one by one only costs time


if __name__ == "__main__":
    from runner.metrics.predicting import apart

    apart._main()  # pickles name the module, not `__main__`
