"""What a campaign's process opens, changes, executes, starts and connects to, by an audit hook of the interpreter."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]

# Stands in every payload that a campaign plants: whatever compiles it was made to run it.
TOKEN = "CANARY_3f9a"

_CODE = (
    *{str(PROJECT / "runner"), str(PROJECT / "tests"), sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()},
)
_READABLE = (
    *_CODE,
    str(PROJECT),
    "/proc",
    "/sys",
    "/dev/null",
    "/dev/urandom",
    "/usr/lib",
    "/usr/share",
    "/lib",
    "/etc",
)
_WRITABLE = ("/dev/null", "/dev/tty", "/dev/shm", "/proc/self")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "os.setxattr": (0,),
    "shutil.rmtree": (0,),
    "shutil.move": (0, 1),
}
_FOLDERS = {"os.chmod": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 2, "os.symlink": 2, "os.utime": 3}
_STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
_CONNECTS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "urllib.Request")


class Watch:
    """Collects what breaks the rules while it is on; there is one a process, for a hook can't be taken away."""

    def __init__(self) -> None:
        self.on = False
        self.complaints: dict[str, None] = {}
        self.reads: tuple[str, ...] = ()
        self.writes: tuple[str, ...] = ()
        self.starts = False
        self._busy = False
        # A library found by way of a .pth file is as much a library as one below the prefix.
        self.code = (*_CODE, *(str(Path(entry).resolve()) for entry in sys.path if entry.endswith("site-packages")))

    def install(self) -> None:
        """Listen from now on; `begin` and `end` say when it counts."""
        sys.addaudithook(self._hear)

    def begin(self, reads: Sequence[Path], writes: Sequence[Path], *, starts: bool) -> None:
        """From here on only these folders may be read and written; `starts` allows processes and local sockets."""
        self.reads = (*self.code, *_READABLE, *(os.path.realpath(path) for path in (*reads, *writes)))
        self.writes = (*_WRITABLE, *(os.path.realpath(path) for path in writes))
        self.starts = starts
        self.complaints = {}
        self.on = True

    def end(self) -> list[str]:
        """What broke the rules since `begin`."""
        self.on = False
        return list(self.complaints)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on or self._busy:
            return
        self._busy = True
        try:
            if complaint := self._judge(event, args):
                self.complaints[complaint] = None
        except Exception as error:
            self.complaints[f"the watch can't judge {event}{args!r:.200}: {error!r}"] = None
        finally:
            self._busy = False

    def _judge(self, event: str, args: tuple[Any, ...]) -> str | None:
        if event == "open":
            return self._opened(*args)
        if event == "exec":
            return self._executed(args[0].co_filename)
        if event == "compile":
            return self._compiled(*args)
        if event in _CHANGES:
            return self._changed(event, args)
        if event in _STARTS:
            return None if self.starts else f"started a process: {event} {args!r:.200}"
        if event in _CONNECTS:
            return self._connected(event, args)
        if event == "ctypes.dlopen":
            return self._loaded(args[0])
        return None

    def _opened(self, path: Any, mode: str | None, flags: int) -> str | None:
        if isinstance(path, int):
            return None
        place = _place(path)
        if flags & _WRITING:
            return None if _below(place, self.writes) else f"opened to write: {place}"
        return None if _below(place, self.reads) else f"opened to read: {place}"

    def _executed(self, file: str) -> str | None:
        if file.startswith("<") or not Path(file).is_absolute():
            return None
        return None if _below(os.path.realpath(file), self.code) else f"executed code of {file}"

    def _compiled(self, source: Any, file: Any) -> str | None:
        text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
        return f"compiled a planted payload ({file})" if isinstance(text, str) and TOKEN in text else None

    def _changed(self, event: str, args: tuple[Any, ...]) -> str | None:
        at = _FOLDERS.get(event)
        folder = args[at] if at is not None and at < len(args) else -1
        for index in _CHANGES[event]:
            place = _place(args[index], folder if isinstance(folder, int) else -1, follow=event == "os.chmod")
            if not _below(place, self.writes):
                return f"{event} of {place}"
        return None

    def _connected(self, event: str, args: tuple[Any, ...]) -> str | None:
        local = self.starts and args and getattr(args[0], "family", None) == 1
        return None if local else f"{event} {args[1:]!r:.200}"

    def _loaded(self, file: Any) -> str | None:
        if not isinstance(file, str) or "/" not in file:
            return None
        return None if _below(os.path.realpath(file), self.reads[: -len(self.writes)]) else f"loaded the library {file}"


def _place(path: Any, folder: int = -1, *, follow: bool = True) -> str:
    """Where a path really leads; its own last link is followed on wish."""
    if isinstance(path, int):
        return str(Path(f"/proc/self/fd/{path}").readlink())
    text = os.fsdecode(path)
    if folder >= 0 and not Path(text).is_absolute():
        text = str(Path(f"/proc/self/fd/{folder}").readlink() / text)
    if follow:
        return os.path.realpath(text)
    head, tail = os.path.split(text.rstrip("/"))
    return os.path.join(os.path.realpath(head), tail)  # noqa: PTH118


def _below(place: str, roots: Sequence[str]) -> bool:
    return any(place == root or place.startswith(f"{root.rstrip('/')}/") for root in roots)
