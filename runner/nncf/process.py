"""NNCF in a stage's process: imported without torch, its bars turned into our progress, its log in the run's log."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.base.patches import tell_left_out
from runner.base.progress import Progress
from runner.base.words import MOST_NAMES, near
from runner.errors import Problem, RecipeError
from runner.nncf import patches
from runner.recipe.types import IgnoredScope

if TYPE_CHECKING:
    import openvino as ov

TEMPLATE = "runner.nncf.process.import_nncf"
"""What a stage that needs NNCF forks after."""


def import_nncf() -> ModuleType:
    """Import NNCF for OpenVINO models only.

    NNCF imports torch and onnx where it finds them: seconds and 180 MB that an OpenVINO model has no use for. What an
    import makes is no garbage: collecting meanwhile finds none, and takes a tenth of the time.
    """
    patches.hide_frameworks()
    gc.disable()
    import nncf

    found: ModuleType = nncf
    gc.freeze()
    gc.enable()
    return found


def load(progress: Progress) -> ModuleType:
    """NNCF, with its progress bars reported through `progress`."""
    nncf = import_nncf()
    tell_left_out(patches.PATCHES)
    patches.report_bars(progress)
    patches.keep_compiled_models()
    return nncf


def ignored_scope(nncf: ModuleType, scope: IgnoredScope) -> Any:
    """The `nncf.IgnoredScope` of a recipe's."""
    return nncf.IgnoredScope(
        names=list(scope.names),
        patterns=list(scope.patterns),
        types=list(scope.types),
        validate=scope.validate,
    )


def refuse_unmatched(scope: IgnoredScope | None, model: ov.Model) -> None:
    """Refuse what an ignored scope names and the model does not have, before any work.

    Raises:
        RecipeError: for each name and pattern that matches no operation, unless the scope has `validate: false`.
    """
    if scope is None or not scope.validate:
        return
    there = [node.get_friendly_name() for node in model.get_ops()]
    known = set(there)
    problems: list[Problem] = []
    for name in scope.names:
        if name not in known:
            suggestion = near(name, there) if len(problems) < MOST_NAMES else None
            what = f'the model has no operation called "{name}"'
            problems.append(Problem("", "ignored_scope.names", what, suggestion=suggestion))
    for pattern in scope.patterns:
        if not any(re.match(pattern, name) for name in there):
            what = f'no operation of the model matches "{pattern}"'
            allowed = f"a pattern matches from the start of a name, such as {there[len(there) // 2]}"
            problems.append(Problem("", "ignored_scope.patterns", what, allowed))
    if problems:
        raise RecipeError(problems)


@contextmanager
def refusals_worded(nncf: ModuleType) -> Iterator[None]:
    """What NNCF itself refuses because of the model or the data, as a mistake in the recipe."""
    try:
        yield
    except (
        nncf.ValidationError,
        nncf.ParameterNotSupportedError,
        nncf.UnsupportedModelError,
        nncf.InternalError,
    ) as error:
        text = str(error).strip()
        key = "ignored_scope" if text.startswith("Ignored nodes") else ""
        raise RecipeError([Problem("", key, f"NNCF refuses this: {text}")]) from error
