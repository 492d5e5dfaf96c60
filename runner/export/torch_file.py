"""A PyTorch module of a user's file, or a program of torch.export, becomes an IR, by OpenVINO itself."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

from runner.base.progress import Progress
from runner.errors import OvrunError, Problem, RecipeError, SourceError
from runner.export.comparing import kept
from runner.export.damage import reason_of
from runner.export.file import reshape
from runner.export.given import Given, shapes, too_large
from runner.export.torch_convert import converted
from runner.export.torch_inputs import Original, feeds, fitted, refuse_misfit
from runner.export.torch_program import program
from runner.export.user_code import copied, fill, make, place, running
from runner.model import ir
from runner.model.feed import Feed, ports
from runner.model.parts import IR, Model
from runner.registry.exporters import Code, ExportParams
from runner.sources.python_file import modules, parsed


def prepare() -> None:
    """Import OpenVINO and PyTorch."""
    import openvino  # noqa: F401
    import torch  # noqa: F401


def export(
    source: Path, out: Path, params: ExportParams, progress: Progress, *, weights: Path | None = None
) -> Mapping[str, object]:
    """Make the module, let OpenVINO convert it, and ask the module what it gives."""
    import openvino as ov

    start = time.monotonic()
    _seed()
    source, out = source.absolute(), out.absolute()
    known = modules(parsed(source)) if params.code else frozenset()  # a program has none to import
    with running(source, out, known) as folder:
        original = _module(source, params.code, weights, folder) if params.code else program(source)
        loaded = time.monotonic()
        model, notes = converted(source, original)
        if params.shapes:
            reshape(model, params.shapes)
            _try(source, original, fitted(original.feeds, ports(model))[0], "input_info")
        ir.refuse_nan(model, SourceError)
        ov.save_model(model, out / IR, compress_to_fp16=params.precision == "fp16")
        steps = {"load": loaded - start, "convert": time.monotonic() - loaded}
        if not params.check:
            return {"steps": steps, "notes": notes}
        start = time.monotonic()
        given = _given(original, out, params.precision, params.check)
    told = kept(given, out)
    steps["compare"] = time.monotonic() - start
    return {"steps": steps, "notes": notes, **told}


def _seed() -> None:
    """Let code draw the same numbers each time, whatever the recipe's seed, which is not in the key."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)


def _module(source: Path, code: Code, weights: Path | None, folder: Path) -> Original:
    """The module that a Python file makes, with its weights, and inputs of the recipe's example."""
    module = make(source, code, copied(source, folder))
    if weights:
        fill(module, weights.absolute())
    refuse_misfit(module.forward, code.example)
    fed = feeds(code.example)
    original = Original(module, lambda given: module(**given), fed, {one.name: one.shape for one in code.example}, True)
    _try(source, original, original.feeds[0], "model.example")
    return original


def _try(source: Path, original: Original, feed: Feed, key: str) -> None:
    """Run the module once on inputs that a key of the recipe asks for.

    Raises:
        RecipeError: it doesn't take that.
        SourceError: it gives no tensor.
    """
    try:
        given = original.run(feed)
    except (OvrunError, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        what = f"the module doesn't take {shapes(feed)}: {place(source, error)}: {type(error).__name__}"
        raise RecipeError([Problem("", key, f"{what}: {reason_of(error)}")]) from error
    if not given:
        message = f"{source}: forward() gives no tensor, nor a mapping or tuple of tensors"
        raise SourceError(message)


def _given(original: Original, out: Path, precision: str, check: str) -> Given:
    """Feed the module as the IR will be; what can't be compared is told in `unchecked`."""
    import torch

    given = Given(f"PyTorch {torch.__version__} in eager mode")
    if large := too_large(out, precision, check):
        given.unchecked.append(large)
    else:
        given.ask(original.run, fitted(original.feeds, ports(Model.of(out).read())))
    return given
