"""Watches what a user's code reads while it runs: what is in no key of the store is refused, and no stale result kept.

Python tells an audit hook of each file that it opens, each module that it looks for, each connection and each process.
What installed packages do while they are imported is theirs, and so are lines of code for tracebacks; what native code
opens by itself is not told, but for safetensors.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from runner.errors import SourceError
from runner.export.patches import tell_opened
from runner.sources.python_file import is_installed

_OUTSIDE = frozenset(
    {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"}
)
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr/lib", "/usr/share")
_IMPORTING = "<frozen importlib"
_HINT = (
    "What the code reads is in no key of the store, which would give a stale result later. Bring values by "
    "model.arguments or a metric's params, weights by model.weights, rows by a dataset, and code by this file or an "
    "installed package that it imports."
)
_active: _Watch | None = None
_hooked = False


class _Watch:
    """What is known while one file's code runs."""

    def __init__(self, source: Path, modules: Collection[str], folders: tuple[Path, ...]) -> None:
        self.source, self.modules = str(source), modules
        stdlib = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
        caches = [sys.pycache_prefix] if sys.pycache_prefix else []
        places = [self.source, *map(str, folders), *stdlib, *caches, *_SYSTEM]
        self.places = tuple({place for one in places for place in (os.path.normpath(one), os.path.realpath(one))})
        self.made: set[str] = set()
        self.found: list[str] = []

    def see(self, event: str, given: tuple[object, ...], frame: FrameType | None) -> None:
        """Refuse what the code itself causes and no key tells of."""
        between, own = self._frames(frame)
        if own is None:
            return
        what = None
        if event == "open":
            what = self._opened(given, between)
        elif event == "import":
            what = self._imported(str(given[0]), between)
        elif not any(name.startswith(_IMPORTING) for name in between):
            what = f"connects to the network or starts a program ({event})"
        if what:
            self.found.append(f"{self.source}:{own.f_lineno}: {what}")
            raise PermissionError(self.found[-1])

    def _frames(self, frame: FrameType | None) -> tuple[list[str], FrameType | None]:
        """The files of the functions that run beneath the code, the innermost first, and the code's own frame."""
        between = []
        while frame is not None and frame.f_code.co_filename != self.source:
            between.append(frame.f_code.co_filename)
            frame = frame.f_back
        return between, frame

    def _opened(self, given: tuple[object, ...], between: list[str]) -> str | None:
        name, _, flags = given
        if not isinstance(name, str | bytes) or not isinstance(flags, int):
            return None
        path = os.path.abspath(os.fsdecode(name))  # noqa: PTH100
        if flags & os.O_ACCMODE == os.O_WRONLY or flags & (os.O_EXCL | os.O_TRUNC):
            self.made.add(path)
            return None
        loading = bool(between) and between[0].startswith(_IMPORTING)
        theirs = not loading and any(name.startswith(_IMPORTING) or name == linecache.__file__ for name in between)
        if theirs or path in self.made or self._is_known(path):
            return None
        return f"{'imports' if loading else 'reads'} {path}"

    def _is_known(self, path: str) -> bool:
        inside = (path.startswith(place + os.sep) or path == place for place in self.places)
        return is_installed(path) or any(inside)

    def _imported(self, module: str, between: list[str]) -> str | None:
        """An import by a name that only running shows; those of libraries are theirs."""
        top = module.partition(".")[0]
        own = all(name.startswith(_IMPORTING) or name.endswith("importlib/__init__.py") for name in between)
        if not own or top in self.modules or top in sys.stdlib_module_names:
            return None
        return f"imports {module} in a way that only running shows; write `import {top}`"


@contextmanager
def watched(source: Path, modules: Collection[str], *folders: Path) -> Iterator[None]:
    """Watch the code of a file.

    Args:
        source: the file, whose name is that of its code objects.
        modules: those at the top that it says it imports.
        folders: where it may read besides.

    Raises:
        SourceError: it read what is in no key, even if it made nothing of the refusal.
    """
    global _active, _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    watch = _active = _Watch(source, modules, folders)
    try:
        with tell_opened():
            yield
    except BaseException as error:
        _active = None
        _refuse(watch, error)
        raise
    finally:
        _active = None
    _refuse(watch, None)


def _refuse(watch: _Watch, cause: BaseException | None) -> None:
    if watch.found:
        raise SourceError(watch.found[0], hint=_HINT) from cause


def _hook(event: str, given: tuple[object, ...]) -> None:
    if _active is not None and (event in ("open", "import") or event in _OUTSIDE):
        _active.see(event, given, sys._getframe(1))
