"""The side of the fork server that wants stages: starts the server, asks it for processes, replaces one that died.

What the requests are: `runner.engine.forkserver`.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from runner.base import python
from runner.engine.forkserver import FORK, TEMPLATE, is_fresh

_QUIET = {
    "NNCF_CI": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),  # glibc: weights of the next layer take the pages of the last one's
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
}
"""The environment of every stage. BLAS has one thread, so that results depend on no number of jobs."""
_REAPED_WITHIN = 0.2
_END_WITHIN = 10


class ForkServer:
    """The side of the process that wants stages; made once a run, closed at its end.

    `log` gets what the server itself has to say when it fails; without one it goes to this process's standard error.
    `templates` are those that are worth a process; without them, all that are asked for.
    """

    def __init__(self, log: Path | None = None, templates: Collection[str] | None = None) -> None:
        self._log = log
        self._worth = templates
        self._templates: dict[str, socket.socket] = {}
        self._start()

    def fork(self, template: str | None, descriptors: list[int]) -> None:
        """Ask for a process; `template` names the function that it shall be forked after.

        A server that has ended is replaced; a template that can't be had is done without.

        Raises:
            ConnectionError: servers end as soon as they start.
            OSError: there is no server, and none can be started.
        """
        if is_fresh() or (self._worth is not None and template not in self._worth):
            template = None
        for name in (template, template):
            try:
                socket.send_fds(self._server(name), [FORK], descriptors)
                return
            except ConnectionError:
                self._replace(name)
        socket.send_fds(self._server(None), [FORK], descriptors)

    def refusal(self, template: str | None) -> int:
        """The errno for which a template could not be forked, to be asked when a process did not start; else 0."""
        control = self._templates.get(template or "")
        if control is None:
            return 0
        try:
            return int((control.recv(64, socket.MSG_DONTWAIT).split() or [b"0"])[-1])
        except OSError:
            return 0

    def exit_code(self) -> int | None:
        """How the server ended, when it left without a report; None if it lives, and what ended was a template."""
        try:
            return self._process.wait(_REAPED_WITHIN)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End the server; stages that still run end by themselves, for their standard input ends too."""
        for template in list(self._templates):
            self._drop(template)
        self._root.close()
        try:
            self._process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        with contextlib.ExitStack() as failed:
            self._root, theirs = socket.socketpair()
            failed.callback(self._root.close)
            with theirs, _stderr(self._log) as stderr:
                self._process = subprocess.Popen(
                    python.command("runner.engine.forkserver"),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=python.environment(**_QUIET),
                    start_new_session=True,
                )
            failed.pop_all()

    def _replace(self, template: str | None) -> None:
        """Start anew what has ended: one template, or the server with all of them."""
        if template is not None and _lives(self._root):
            self._drop(template)
        else:
            self.close()
            self._start()

    def _server(self, template: str | None) -> socket.socket:
        if template is None:
            return self._root
        if template not in self._templates:
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    socket.send_fds(self._root, [TEMPLATE], [theirs.fileno()])
                ours.sendall(template.encode() + b"\n")
            except BaseException:
                ours.close()
                raise
            self._templates[template] = ours
        return self._templates[template]

    def _drop(self, template: str) -> None:
        control = self._templates.pop(template, None)
        if control is not None:
            control.close()


def _lives(control: socket.socket) -> bool:
    """Whether the other side of a socket on which it never writes is open."""
    try:
        return bool(control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@contextlib.contextmanager
def _stderr(log: Path | None) -> Iterator[IO[bytes] | int | None]:
    """Where a server's complaints go; its absence is no reason not to start."""
    if log is None:
        yield None
        return
    try:
        stream = log.open("ab")
    except OSError:
        yield subprocess.DEVNULL
    else:
        with stream:
            yield stream
