"""A class or function of a user's Python file makes a PyTorch module, which gets its weights."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import sys
import tempfile
import traceback
import types
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.errors import OvrunError, Problem, RecipeError, SourceError
from runner.export.damage import reason_of
from runner.export.watched import watched
from runner.registry.exporters import Code
from runner.sources.python_file import ONE_FILE
from runner.sources.pytorch import SAFETENSORS

if TYPE_CHECKING:
    import torch

_NAME = "ovrun_model"
"""What the file's module is called, for classes that look for theirs."""
_FEW = 3


def make(source: Path, code: Code, copy: Path) -> torch.nn.Module:
    """Run the file and call what the recipe names.

    Args:
        copy: the file again, alone in a folder, which the code takes for its own.

    Raises:
        RecipeError: the file has no such thing, or that takes other arguments or gives no module.
        SourceError: the code fails, with its line.
    """
    from torch import nn

    made = ran(source, copy).get(code.object)
    if made is None:
        what = f"{source.name} defines no {code.object}"
        raise _not_made(what)
    arguments: dict[str, object] = json.loads(code.arguments)
    if not isinstance(made, nn.Module):
        made = _called(source, code.object, made, arguments)
    if not isinstance(made, nn.Module):
        what = f"{code.object} gives a {type(made).__name__}, and no torch.nn.Module"
        raise _not_made(what)
    return made.eval()


def ran(source: Path, copy: Path) -> Mapping[str, object]:
    """What the file defines; its errors name the file itself."""
    module = types.ModuleType(_NAME)
    module.__file__ = str(copy)
    sys.modules[_NAME] = module
    with failing(source, "fails"):
        exec(compile(copy.read_bytes(), str(source), "exec", dont_inherit=True), module.__dict__)
    return vars(module)


def _called(source: Path, name: str, made: object, arguments: Mapping[str, object]) -> object:
    if not callable(made):
        what = f"{name} is a {type(made).__name__}, and neither a class nor a function"
        raise _not_made(what)
    try:
        inspect.signature(made).bind(**arguments)
    except TypeError as error:
        what = f"{name} can't be called: {error}"
        raise _not_made(what, "model.arguments has its arguments") from error
    except ValueError:  # it tells no signature
        pass
    with failing(source, f"{name}() fails"):
        return made(**arguments)


def fill(module: torch.nn.Module, weights: Path) -> None:
    """Give a module its weights, every one.

    Raises:
        SourceError: the file holds other things than tensors, or those of another module.
    """
    state = _read(weights)
    own = module.state_dict()
    there = {
        (value.data_ptr(), value.shape) for name, value in own.items() if name in state
    }  # tied ones lie there once
    wrong = [
        f"{name} is missing"
        for name, value in own.items()
        if name not in state and (value.data_ptr(), value.shape) not in there
    ]
    wrong += [f"the module has no {name}" for name in state if name not in own]
    wrong += [
        f"{name} has the shape {list(state[name].shape)}, and the module's {list(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if wrong:
        more = f", and {len(wrong) - _FEW} more" if len(wrong) > _FEW else ""
        message = f"{weights}: these are not the weights of this module: {'; '.join(wrong[:_FEW])}{more}"
        raise SourceError(message, hint="It has to be what module.state_dict() gives; save that.")
    module.load_state_dict(state, strict=False)


def _read(weights: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        if weights.suffix == SAFETENSORS:
            from safetensors.torch import load_file

            loaded: dict[str, torch.Tensor] = load_file(weights)
            return loaded
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a library meets in a damaged file
        message = f"{weights}: can't be read as weights alone: {type(error).__name__}: {reason_of(error)}"
        raise SourceError(message, hint="Save module.state_dict() with safetensors.torch.save_file.") from error
    if isinstance(state, dict) and all(isinstance(value, torch.Tensor) for value in state.values()):
        return state
    keys = f", with the keys {', '.join(map(str, list(state)[:_FEW]))}" if isinstance(state, dict) else ""
    message = f"{weights}: holds no weights by their names but a {type(state).__name__}{keys}"
    raise SourceError(message, hint="Save module.state_dict() alone.")


@contextmanager
def running(source: Path, out: Path, modules: Collection[str], *more: Path) -> Iterator[Path]:
    """A folder of its own as the current one, for code that is watched while it runs.

    Args:
        out: beside which the folder is.
        modules: those at the top that the code says it imports.
        more: folders that it may read besides.
    """
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="source.") as made:
        folder = Path(made).resolve()
        with contextlib.chdir(folder), watched(source, modules, folder, *more):
            yield folder


@contextmanager
def failing(source: Path, what: str) -> Iterator[None]:
    """Whatever the code raises is told with its line in the file.

    Raises:
        SourceError: of it.
    """
    try:
        yield
    except (OvrunError, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # SystemExit too: it is the file that ends, not this process
        message = f"{place(source, error)}: {what}: {reason_behind(error)}"
        missing = isinstance(error, ImportError | FileNotFoundError)
        raise SourceError(message, hint=ONE_FILE if missing else _calls(source, error)) from error


def reason_behind(error: BaseException) -> str:
    """What is behind an error; of operations that OpenVINO lacks, their names."""
    while error.__cause__ is not None:
        error = error.__cause__
    lacking = re.search(r"No conversion rule found for operations: .*", str(error))
    return lacking[0] if lacking else f"{type(error).__name__}: {reason_of(error)}"


def _calls(source: Path, error: BaseException) -> str | None:
    """The lines of the file by which it came to the one that failed, if these are several; nobody else's."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(source)]
    lines = [f"  {source.name}:{frame.lineno}, in {frame.name}: {frame.line}" for frame in frames]
    return "\n".join(["It got there by", *lines]) if len(lines) > 1 else None


def place(source: Path, error: BaseException) -> str:
    """`net.py:12`, the last line of the file that ran."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(source)]
    return f"{source}:{frames[-1].lineno}" if frames else str(source)


def _not_made(what: str, allowed: str | None = None) -> RecipeError:
    return RecipeError([Problem("", "model.object", what, allowed)])


def copied(source: Path, folder: Path) -> Path:
    """The file alone in a folder, where no other lies beside it."""
    copy = folder / source.name
    fs.copy_file(source, copy)
    return copy
