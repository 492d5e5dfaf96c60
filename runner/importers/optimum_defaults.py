"""Optimum Intel's own settings for models that it knows by name, read from its source without importing it.

optimum-cli takes them where a command states no settings but the format, so a recipe has to state them.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.base import files
from runner.base.patches import Patch
from runner.errors import StageError

_LARGEST_CONFIG = 16 << 20

TABLES = {
    "int4": "_DEFAULT_4BIT_WQ_CONFIGS",
    "int8": "_DEFAULT_8BIT_WQ_CONFIGS",
    "quant int8": "_DEFAULT_INT8_FQ_CONFIGS",
    "scopes": "_DEFAULT_IGNORED_SCOPE_CONFIGS",
}
"""What is exported -> the table of optimum/intel/openvino/configuration.py that applies."""
_ALIASES = "model_id_aliases"

DEFAULTS = Patch(
    "Optimum's settings for models by name",
    "optimum-intel",
    ("2.1", "2.3"),
    "results",
    "The tables that optimum-cli takes its settings from are read from Optimum's source, without importing it.",
    "Each table has to be there, with entries, and a literal, or the import of the command fails.",
)
PATCHES = (DEFAULTS,)


def settings(model: str, table: str) -> tuple[str, Mapping[str, object]] | None:
    """The name that a model is known by in a table, and what the table says of it; None where it knows nothing.

    As Optimum Intel, it looks for the name, then for the name in the folder's config.json, then for the folder's name.
    """
    known = tables()[table]
    for name in candidates(model):
        if name in known:
            return name, known[name]
    if table == "scopes":
        return None
    return next(((name, said) for name, said in known.items() if name.split("/")[-1] == Path(model).name), None)


def candidates(model: str) -> list[str]:
    """The names that a model may be known by."""
    stated = hf_config(model).get("_name_or_path")
    return [model, *([stated] if isinstance(stated, str) and stated else [])]


def hf_config(model: str) -> dict[str, object]:
    """The config.json of a model's folder; empty where there is none."""
    try:
        return files.read_object(Path(model) / "config.json", _LARGEST_CONFIG)
    except PermissionError:
        return {}


@functools.cache
def tables() -> dict[str, dict[str, Mapping[str, object]]]:
    """All tables, as Python values; enumerations as their names in lower case.

    Raises:
        StageError: the installed Optimum Intel has no such tables, or writes them in another way.
    """
    found: dict[str, Any] = {}
    for node in ast.parse(_source().read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
            if target.id in (*TABLES.values(), _ALIASES):
                found[target.id] = _table(target.id, node.value)
    if absent := [name for name in (*TABLES.values(), _ALIASES) if not found.get(name)]:
        why = f"optimum/intel/openvino/configuration.py has no {', '.join(absent)}"
        raise DEFAULTS.broken(why)
    for known, alias in found[_ALIASES]:
        found[TABLES["int4"]][alias] = found[TABLES["int4"]][known]
    return {name: found[table] for name, table in TABLES.items()}


def _table(name: str, node: ast.expr) -> object:
    """A table's value."""
    try:
        return _value(node)
    except (ValueError, TypeError) as error:
        why = f"{name} of optimum/intel/openvino/configuration.py is no literal any more"
        raise DEFAULTS.broken(why) from error


def _source() -> Path:
    spec = importlib.util.find_spec("optimum")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    found = [path for folder in folders if (path := folder / "intel/openvino/configuration.py").is_file()]
    if not found:
        message = "Optimum Intel is not installed, and its settings for models by name can't be read"
        raise StageError(message, hint="pip install optimum-intel")
    return found[0]


def _value(node: ast.expr) -> object:
    """A literal, in which an enumeration's member stands for its name in lower case."""
    if isinstance(node, ast.Dict):
        return {_value(key): _value(item) for key, item in zip(node.keys, node.values, strict=True) if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return ast.literal_eval(node)
