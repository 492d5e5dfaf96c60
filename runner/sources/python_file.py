"""A Python file, looked at and not run: what it defines, and what it imports."""

from __future__ import annotations

import ast
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import runner.base.files as fs
from runner.base import distributions
from runner.base.environment import closure
from runner.errors import SourceError

LIMIT = 1 << 17
"""Bytes of a file that is code."""
_COUNTED = frozenset({"torch", "numpy", "openvino"})
"""Distributions whose own version is enough: what they require does not shape what they compute."""
ONE_FILE = (
    "Only this file is in the key of what it shapes, and installed packages are by their versions: "
    "put what it needs into it, or install it."
)
_OWN_NAMES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Definition = ast.ClassDef | ast.FunctionDef


def digest(path: Path) -> str:
    """Of the text of a file that is code."""
    return fs.digest_paths({"code.py": path}, None)


def parsed(path: Path) -> ast.Module:
    """The file's syntax tree.

    Raises:
        SourceError: it is no Python, with the line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(fs.read_limited(path, LIMIT), filename=str(path))
    except SyntaxError as error:
        message = f"{path}:{error.lineno or 1}: {error.msg}"
        raise SourceError(message, hint="It has to be a file of Python code.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        message = f"{path}: can't be read as Python: {error}"
        raise SourceError(message) from error


def names(tree: ast.Module) -> dict[str, Definition | None] | None:
    """What a file binds at its top: a class or a function, or None for another thing. None where `*` is imported."""
    found: dict[str, Definition | None] = {}
    waiting: list[ast.AST] = [*reversed(tree.body)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.ImportFrom) and any(alias.name == "*" for alias in one.names):
            return None
        found |= dict(_bound(one))
        if not isinstance(one, _OWN_NAMES):
            waiting += reversed(list(ast.iter_child_nodes(one)))
    return found


def _bound(node: ast.AST) -> Iterator[tuple[str, Definition | None]]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name, None if node.decorator_list else node
    elif isinstance(node, ast.AsyncFunctionDef):
        yield node.name, None
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (((alias.asname or alias.name).partition(".")[0], None) for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, None


def imports(path: Path, tree: ast.Module) -> tuple[str, ...]:
    """The distributions that a file imports from, with what they require in turn; sorted.

    One that is not installed, and whose import the file tries, is there by the module's name: it may come later.

    Raises:
        SourceError: it imports what no version tells of: a file beside it, or code that is not installed.
    """
    owners = {_owner(path, line, name, tried) for node, tried in _nodes(tree) for line, name in _modules(path, node)}
    direct = {one for one in owners if one}
    return tuple(sorted({*direct, *closure(direct - _COUNTED)}))


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes, and whether a `try` is around each."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, tried = waiting.pop()
        yield node, tried
        tried = tried or isinstance(node, ast.Try)
        waiting += [(child, tried) for child in ast.iter_child_nodes(node)]


def modules(tree: ast.Module) -> frozenset[str]:
    """The modules at the top that a file imports, as it writes them."""
    return frozenset(name for node in ast.walk(tree) for _, name in _modules(Path(), node))


def _modules(path: Path, node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each module at the top that a node imports."""
    if isinstance(node, ast.ImportFrom) and node.level:
        message = f"{path}:{node.lineno}: imports from the folder around it"
        raise SourceError(message, hint=ONE_FILE)
    if isinstance(node, ast.ImportFrom) and node.module:
        yield node.lineno, node.module.partition(".")[0]
    elif isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
    elif isinstance(node, ast.Call) and (named := _named(node)):
        yield node.lineno, named.partition(".")[0]


def _named(call: ast.Call) -> str | None:
    """The module that `importlib.import_module("name")` or `__import__("name")` names."""
    called = getattr(call.func, "attr", getattr(call.func, "id", ""))
    first = call.args[0] if call.args else None
    if called not in ("import_module", "__import__") or not isinstance(first, ast.Constant):
        return None
    return first.value if isinstance(first.value, str) and not first.value.startswith(".") else None


def _owner(path: Path, line: int, module: str, tried: bool) -> str | None:
    """The distribution of a module; None for one of Python itself."""
    if module in sys.stdlib_module_names:
        return None
    origin = _origin(module)
    if origin is None and tried:
        return module
    if origin is None:
        message = f"{path}:{line}: imports {module}, which is not installed"
        raise SourceError(message, hint=ONE_FILE)
    owner = distributions.owner(module) if is_installed(origin) else None
    if owner is None:
        message = f"{path}:{line}: imports {module}, and no version tells what is in {origin}"
        raise SourceError(message, hint=ONE_FILE)
    return owner


def _origin(module: str) -> str | None:
    """The file or folder of a module at the top, which is not imported for that."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    return next((place for place in places if place), None)


def is_installed(path: str) -> bool:
    """Whether a path lies in a folder of installed packages."""
    return any(part in ("site-packages", "dist-packages") for part in Path(path).parts)
