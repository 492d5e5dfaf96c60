"""All that is changed in torch, transformers and Optimum's exporter; the imports themselves are those of imports.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from os import O_RDONLY, PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.patches import Patch
from runner.export.memory import forget_weights, trim

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LEFT_OUT = "Left out with other versions."
_MODULES = "transformers.dynamic_module_utils"

COMPILER = Patch(
    "torch's compiler postponed",
    "torch",
    ("2.13", "2.16"),
    "performance",
    "A stand-in for `torch._dynamo`, which an export imports for a decorator and never runs.",
    _LEFT_OUT,
)
UNUSED = Patch(
    "The exporter without SciPy and scikit-learn",
    "transformers",
    ("5.5", "5.6"),
    "performance",
    "transformers is imported as if both were not installed.",
    _LEFT_OUT,
)
TRACED_ONCE = Patch(
    "Tracing once",
    "optimum-intel",
    ("2.1", "2.3"),
    "performance",
    "`torch.jit.trace` does not trace a second time to compare.",
    _LEFT_OUT,
)
LEAN_TRACES = Patch(
    "Memory given back around a trace",
    "torch",
    ("2.13", "2.16"),
    "performance",
    "The process gives back what it freed before and after each `torch.jit.trace`, and the pages of mapped weights.",
    _LEFT_OUT,
)
INITIAL_VALUES = Patch(
    "No initial values",
    "torch",
    ("2.13", "2.16"),
    "performance",
    "`torch.nn.init` draws no values for tensors without storage, which could not keep them.",
    _LEFT_OUT,
)
CODE_FOLDER = Patch(
    "The folder of a model's code",
    "transformers",
    ("5.5", "5.6"),
    "results",
    "transformers copies the code that comes with a model into the stage's folder, not into the user's cache.",
    "transformers' own function has to read the folder's name where it is set, or the stage fails.",
)
OPENED = Patch(
    "Weights that code opens",
    "safetensors",
    ("0.5", "0.8"),
    "results",
    "Python's audit hooks are told of files that a user's code opens with safetensors, as of those that Python opens.",
    "safetensors' own function has to open files by the patched name, or the stage fails.",
)
MISSING = Patch(
    "Weights that are missing",
    "transformers",
    ("5.5", "5.6"),
    "results",
    "Loaded models tell which of their weights were not there; transformers fills those at random and only logs it.",
    "A model has to have been loaded this way, or the stage fails.",
)
PATCHES = (COMPILER, UNUSED, TRACED_ONCE, LEAN_TRACES, INITIAL_VALUES, CODE_FOLDER, OPENED, MISSING)


def keep_code_in(folder: Path) -> None:
    """Let transformers copy the code that comes with a model into `folder`, and not into the user's own cache.

    Raises:
        StageError: transformers looks for the folder's name elsewhere.
    """
    CODE_FOLDER.part(_MODULES, "HF_MODULES_CACHE")
    copying = CODE_FOLDER.part(_MODULES, "get_cached_module_file")
    if "HF_MODULES_CACHE" not in copying.__code__.co_names:
        why = "it copies a model's code to another folder than `HF_MODULES_CACHE`"
        raise CODE_FOLDER.broken(why)
    copying.__globals__["HF_MODULES_CACHE"] = str(folder)


@contextmanager
def telling_missing(hear: Callable[[PreTrainedModel, Iterable[str]], None]) -> Iterator[None]:
    """Have `hear` told of each model that is loaded meanwhile, and of the names of the weights that it lacked.

    Raises:
        StageError: none was loaded in the known way.
    """
    kind = MISSING.part("transformers", "PreTrainedModel")
    original, heard = MISSING.part("transformers", "PreTrainedModel.from_pretrained").__func__, []

    def loading(cls: type, /, *args: object, **options: object) -> object:
        model, report = original(cls, *args, **{**options, "output_loading_info": True})
        heard.append(cls)
        hear(model, report["missing_keys"])
        return (model, report) if options.get("output_loading_info") else model

    kind.from_pretrained = classmethod(loading)
    try:
        yield
    finally:
        kind.from_pretrained = classmethod(original)
    if not heard:
        why = "no model was loaded by `PreTrainedModel.from_pretrained`"
        raise MISSING.broken(why)


@contextmanager
def trace_once() -> Iterator[None]:
    """Keep torch.jit.trace from tracing a second time to compare: half of the tracing time, for warnings nobody sees.

    Optimum does so itself for some model types and has no parameter for it, hence its internal function.
    """
    if not TRACED_ONCE.fits:
        yield
        return
    exporter = TRACED_ONCE.part("optimum.exporters.openvino", "convert")
    asked = exporter.allow_skip_tracing_check
    exporter.allow_skip_tracing_check = lambda *_: True
    try:
        yield
    finally:
        exporter.allow_skip_tracing_check = asked


@contextmanager
def lean_traces() -> Iterator[None]:
    """Give memory back around each torch.jit.trace: a model of several parts is traced part by part.

    What a trace leaves behind stays in the process otherwise, and so do the weights of the parts that are done.
    """
    if not LEAN_TRACES.fits:
        yield
        return
    jit = LEAN_TRACES.part("torch", "jit")
    trace = jit.trace

    def traced(*args: object, **options: object) -> object:
        forget_weights()
        trim()
        try:
            return trace(*args, **options)
        finally:
            trim()

    jit.trace = traced
    try:
        yield
    finally:
        jit.trace = trace


@contextmanager
def no_initial_values() -> Iterator[None]:
    """Keep torch.nn.init from drawing values for tensors without storage, which transformers then loads.

    It could not keep them anyway, and on its way to that it would import a computer algebra system.
    """
    if not INITIAL_VALUES.fits:
        yield
        return
    import torch
    from torch.nn import init

    names = [name for name in vars(init) if name.endswith("_") and not name.startswith("_")]
    originals = {name: getattr(init, name) for name in names}

    def skipping(original: Callable[..., Any]) -> Callable[..., Any]:
        def initialize(tensor: torch.Tensor, *args: Any, **options: Any) -> Any:
            return tensor if tensor.is_meta else original(tensor, *args, **options)

        return initialize

    for name, original in originals.items():
        setattr(init, name, skipping(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(init, name, original)


@contextmanager
def tell_opened() -> Iterator[None]:
    """Let Python's audit hooks know of the files that safetensors opens, which is native code.

    Raises:
        StageError: safetensors opens them otherwise.
    """
    import safetensors

    # what is imported later takes `safe_open` of what is patched here
    names = ("torch", "numpy") if sys.modules.get("torch") else ("numpy",)
    modules = [safetensors, *(importlib.import_module(f"safetensors.{name}") for name in names)]
    if "torch" in names and "safe_open" not in OPENED.part("safetensors.torch", "load_file").__code__.co_names:
        why = "it opens files by another name than `safe_open`"
        raise OPENED.broken(why)
    opening: Callable[..., object] = safetensors.safe_open

    def telling(filename: str | PathLike[str], *more: object, **options: object) -> object:
        sys.audit("open", fspath(filename), "rb", O_RDONLY)
        return opening(filename, *more, **options)

    for module in modules:
        vars(module)["safe_open"] = telling
    try:
        yield
    finally:
        for module in modules:
            vars(module)["safe_open"] = opening
