"""Imports Optimum's exporter without the packages that an export never uses: half of the import time is theirs."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from runner.base.patches import tell_left_out
from runner.base.python import without_telemetry
from runner.export import patches

# transformers imports these for assisted decoding and for the losses of detection models.
_UNUSED = ("sklearn", "scipy")
# These would take code from a hub or a cache, and run it, where a model's configuration asks for that.
_NEVER = ("kernels",)
# Optimum imports the first two where they are installed, for a class of its own and for its calibration; nothing calls
# either. scikit-learn imports the third where it is.
_UNCALLED = ("sentence_transformers", "datasets", "pandas")
# So it does with this one, which pipelines alone need.
_OF_PIPELINES = "diffusers"
_COMPILER = "torch._dynamo"
# The one submodule that transformers needs for its attention masks; it stands on its own.
_LIGHT = f"{_COMPILER}._trace_wrapped_higher_order_op"


def import_exporter(*, pipelines: bool = False) -> None:
    """Import torch, transformers and Optimum's exporter, offline, without telemetry and without a hub's cache.

    A model that needs another one's files can't have them: they would be in no digest. Without `pipelines`, diffusers
    looks as if it were not installed.

    Sets environment variables and module state of the whole process: call it in a process of its own, before
    anything else has imported these libraries. Garbage collection stays off.
    """
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    os.environ.update(dict.fromkeys(("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), f"{os.devnull}/none"))
    without_telemetry()
    never = (*_NEVER, *_UNCALLED, *(() if pipelines else (_OF_PIPELINES,)))
    sys.modules.update(dict.fromkeys(never))
    gc.disable()  # nothing that an import makes is garbage: collecting finds none, and takes a tenth of the time
    tell_left_out(patches.PATCHES)
    if patches.COMPILER.fits:
        postpone_compiler()
    with _absent(_UNUSED if patches.UNUSED.fits else ()):
        importlib.import_module("optimum.exporters.openvino")
        importlib.import_module("transformers.generation")
    gc.freeze()


@contextmanager
def _absent(names: tuple[str, ...]) -> Iterator[None]:
    """Let the packages `names` look as if they were not installed; they can be imported again afterwards."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if names:
            _forget_absence()


def _forget_absence() -> None:
    """Clear the answers that transformers remembers about what is installed."""
    checks = importlib.import_module("transformers.utils.import_utils")
    for name in _UNUSED:
        getattr(checks, f"is_{name}_available").cache_clear()


def postpone_compiler() -> None:
    """Put a light package in the place of torch's compiler, which an export imports for a decorator and never runs.

    Whoever asks for more than the decorators, or for another of its modules, gets the real package, loaded then.
    """
    if _COMPILER in sys.modules:
        return
    torch = find_spec("torch")
    folders = [f"{folder}/_dynamo" for folder in (torch.submodule_search_locations if torch else None) or ()]
    sys.modules[_COMPILER] = _CompilerStandIn(folders)
    sys.meta_path.insert(0, _CompilerFinder())


class _CompilerStandIn(ModuleType):
    """Has the compiler's decorators, without effect; any other attribute is the real package's."""

    def __init__(self, folders: list[str]) -> None:
        super().__init__(_COMPILER)
        self.__path__ = folders
        self.disable = self.allow_in_graph = _unchanged

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_load_compiler(), name)


class _CompilerFinder(MetaPathFinder):
    """Loads the real package before any module of it but the light one is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as the real package has imported it, or where it is to be found."""
        if not fullname.startswith(f"{_COMPILER}.") or fullname == _LIGHT:
            return None
        _load_compiler()
        module = sys.modules.get(fullname)
        return ModuleSpec(fullname, _Imported(module)) if module else PathFinder.find_spec(fullname, path, target)


class _Imported(Loader):
    """Gives a module that is there already, and does not run it again."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it has run."""


def _load_compiler() -> ModuleType:
    """The real compiler package, in the place of the light one from now on."""
    if isinstance(sys.modules.get(_COMPILER), _CompilerStandIn):
        del sys.modules[_COMPILER]
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _CompilerFinder)]
    compiler = importlib.import_module(_COMPILER)
    if _LIGHT in sys.modules:
        setattr(compiler, _LIGHT.rpartition(".")[2], sys.modules[_LIGHT])
    return compiler


def _unchanged(function: Callable[..., Any] | None = None, *_args: Any, **_options: Any) -> Any:
    """Decorate with nothing, with or without arguments."""
    return function if function is not None else _unchanged
