"""The fork server: a process with OpenVINO imported that forks one fresh process for each stage, in milliseconds.

A stage needs a process of its own (see `runner.engine.process`), but not the half second that starting Python and
importing libraries takes each time. The server is started once a run and has a single thread, so that a fork of it is a
clean start. It runs `python -m runner.engine.forkserver` with a Unix socket as standard input and obeys two requests,
each one byte with file descriptors:

    f  fork a stage: its standard input, its events, its log, after the report on which the server writes two lines,
       `<process number> 0` (or `0 <errno>` if it can't fork), and at the end
       `<wait status> <user seconds> <system seconds> <peak memory>`
    t  fork a template: another server, on the socket given, that first imports what some kinds of stages share; if it
       can't fork, it writes `0 <errno>` there

Servers end when their socket does, that is, with the process that started them.

Not every system bears a fork of a process in which libraries are loaded; macOS does not. There, or with
OVRUN_PROCESSES=fresh, the server loads none, has no templates, and what it forks becomes a new interpreter at once.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

from runner.base import python, streams

FORK, TEMPLATE = b"f", b"t"
_SENT = {FORK: 4, TEMPLATE: 1}
"""How many file descriptors come with a request."""


def is_fresh() -> bool:
    """Whether each stage gets an interpreter of its own, by OVRUN_PROCESSES (`fork` or `fresh`), else by the system."""
    stated = os.environ.get("OVRUN_PROCESSES", "")
    return stated == "fresh" if stated in ("fork", "fresh") else sys.platform != "linux"


class _Server:
    """The side that forks. It never starts a thread."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.reports: dict[int, int] = {}
        self.woken, self.wake = socket.socketpair()
        self.wake.setblocking(False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self.wake.fileno())

    def serve(self) -> NoReturn:
        """Obey until the socket ends."""
        gc.collect()
        gc.freeze()  # or the first collection in a stage would touch, and so copy, every page that holds objects
        with selectors.DefaultSelector() as events:
            events.register(self.control, selectors.EVENT_READ)
            events.register(self.woken, selectors.EVENT_READ)
            while True:
                for event, _ in events.select():
                    if event.fileobj is self.woken:
                        self.woken.recv(4096)
                        self._collect()
                    else:
                        self._obey(events)

    def _obey(self, events: selectors.BaseSelector) -> None:
        try:
            request, descriptors, _, _ = socket.recv_fds(self.control, 1, 4)
        except ConnectionError:
            request = b""
        if not request:
            self._leave()
        pid, refused = _fork(len(descriptors) == _SENT[request])
        if pid == 0 and not refused:
            events.close()
            self._become(request, descriptors)
        if descriptors and (request == FORK or refused):
            _write(descriptors[0], f"{pid} {refused}\n")
        if request == FORK and pid:
            self.reports[pid] = descriptors.pop(0)
        for descriptor in descriptors:
            os.close(descriptor)

    def _become(self, request: bytes, descriptors: list[int]) -> NoReturn:
        """What a forked process does; it never returns to the server's loop."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (self.control, self.woken, self.wake):
            one.close()
        for report in self.reports.values():
            os.close(report)
        if request == TEMPLATE:
            _serve_prepared(socket.socket(fileno=descriptors[0]))
        os.setsid()
        report, task, events, log = descriptors
        os.close(report)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if is_fresh():
            _exec_child(task, events)
        from runner.engine import child

        child.main(*child.streams_of(task, events))

    def _leave(self) -> NoReturn:
        """End after all that was forked has ended, so that its cost is counted with this process's own."""
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait4(-1, 0)
        os._exit(0)

    def _collect(self) -> None:
        """Report every process that has ended."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                pid, status, usage = ended
                report = self.reports.pop(pid, None)
                if report is not None:
                    _write(report, f"{status} {usage.ru_utime} {usage.ru_stime} {usage.ru_maxrss}\n")
                    os.close(report)


def _exec_child(task: int, events: int) -> NoReturn:
    """Become a new interpreter that runs one stage."""
    for descriptor in (task, events):
        os.set_inheritable(descriptor, True)
    command = [*python.command("runner.engine.child"), str(task), str(events)]
    os.execv(command[0], command)


def _fork(complete: bool) -> tuple[int, int]:
    """Fork, and give the process number, 0 in the child; or 0 and the errno that tells why there is none."""
    if not complete:
        return 0, errno.EMFILE  # the descriptors that were sent did not all find room here
    try:
        return os.fork(), 0
    except OSError as error:
        return 0, error.errno or errno.EAGAIN


def _serve_prepared(control: socket.socket) -> NoReturn:
    """A template: call the function named on the first line, which imports what many stages need, then serve."""
    name = b""
    while not name.endswith(b"\n"):
        name += control.recv(1) or b"\n"
    with contextlib.suppress(Exception):  # the stage tries again, and says in its own log what is wrong
        module, _, function = name.decode().strip().rpartition(".")
        getattr(importlib.import_module(module), function)()
    _Server(control).serve()


def _write(report: int, line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits for this process any more
        os.write(report, line.encode())


def _noted(number: int, frame: FrameType | None) -> None:
    """SIGCHLD only has to wake the selector."""


def _warm() -> None:
    """Import what nearly every stage needs; a stage that can't import it says so itself, in its own log."""
    python.without_telemetry()
    if is_fresh():
        return
    from runner.engine import child  # noqa: F401

    with contextlib.suppress(ImportError):
        import numpy.random  # noqa: F401  # numpy itself loads it only when it is used: 15 ms in each stage
        import openvino  # noqa: F401


if __name__ == "__main__":
    _control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    streams.keep_log()
    _warm()
    _Server(_control).serve()
