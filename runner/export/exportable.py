"""Which tasks of which model types Optimum Intel converts, and with which versions of transformers, known at once.

exportable.json is read off one version of Optimum Intel; with another one installed nothing is told, and the conversion
finds out. As a program, `python -m runner.export.exportable`, it writes the file anew.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from runner.base.keys import version_of
from runner.base.words import near
from runner.export import pictured

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FILE = Path(__file__).with_name("exportable.json")
_OPTIMUM = "optimum-intel"
_UNGROUPED = ("phi",)
"""Types whose caches Optimum takes to have a key and a value for each attention head."""
_LOCAL = "the trace keeps the number of blocks into which its attention cuts a text, and texts have one length then"
_OUTRIGHT = "OpenVINO can't compile what becomes of it"
_CLASSLESS = "transformers has no class of it for that"
_NOT_HAD = {
    **{(kind, "text-classification"): _CLASSLESS for kind in ("cohere", "cohere2", "granite")},
    **{(kind, "feature-extraction"): _CLASSLESS for kind in ("siglip-text", "siglip-text-with-projection", "trocr")},
    **{
        (kind, "text-generation"): _CLASSLESS
        for kind in ("qwen3_omni_moe_talker_text", "qwen3_omni_moe_text", "qwen3_vl_text")
    },
    ("sam", "feature-extraction"): "its parts are none that ovrun knows how to use together",
    **{("longt5", task): _LOCAL for task in ("feature-extraction", "text2text-generation")},
    **{("mbart", task): _OUTRIGHT for task in ("question-answering", "text-classification")},
}
"""Type and task that Optimum Intel converts -> why the result is of no use."""
DIRECT_TASKS = frozenset(
    {
        "feature-extraction",
        "fill-mask",
        "image-classification",
        "multiple-choice",
        "question-answering",
        "text-classification",
        "text-generation",
        "token-classification",
    }
)
"""Tasks whose model is loaded here; Optimum's `main_export` loads those of others, which may have several parts."""


class Table(TypedDict):
    """The content of exportable.json.

    Attributes:
        version: of Optimum Intel.
        takes: the versions of transformers that it requires, as its metadata have them.
        synonyms: name of a task -> Optimum's own.
        types: model type -> task -> the lowest and the highest version of transformers, null where there is no end.
    """

    version: str
    takes: str
    synonyms: dict[str, str]
    types: dict[str, dict[str, tuple[str | None, str | None]]]


Misfit = tuple[str, str, "str | None"]
"""What is wrong, what is allowed, and what may be meant."""


def misfit(config: Mapping[str, object], task: str) -> Misfit | None:
    """Why a model can't be converted for a task: what is wrong, what is allowed, and what may be meant.

    Args:
        config: the model's config.json.
        task: Optimum's name, or a synonym.
    """
    table, kind = _table(), config.get("export_model_type") or config.get("model_type")
    if table["version"] != version_of(_OPTIMUM) or not isinstance(kind, str):
        return None
    tasks = table["types"].get(kind)
    if tasks is None:
        return None if "auto_map" in config else unknown_type(kind)
    name = table["synonyms"].get(task, task)
    if name not in tasks:
        return unknown_task(kind, name, tasks)
    why = _NOT_HAD.get((kind, name.removesuffix("-with-past")))
    if why:
        return f"models of type {kind} are not had for it: {why}", "convert another model", None
    return wrong_version(kind, *tasks[name]) or _grouped(kind, config)


def _grouped(kind: str, config: Mapping[str, object]) -> Misfit | None:
    """A model of a type that is converted without groups of attention heads alone."""
    heads, shared = config.get("num_attention_heads"), config.get("num_key_value_heads")
    if kind not in _UNGROUPED or shared in (None, heads):
        return None
    what = f"Optimum Intel converts models of type {kind} with as many key-value heads as attention heads alone"
    return f"{what}, and this one has {shared} and {heads}", "convert another model", None


def unknown_type(kind: str) -> Misfit:
    """A type that is converted for no task."""
    what = f"Optimum Intel {version_of(_OPTIMUM)} converts no model of type {kind}"
    return what, "docs/tasks.md lists what can be", near(kind, _table()["types"])


def unknown_task(kind: str, task: str, tasks: Collection[str]) -> Misfit:
    """A type that is converted for other tasks."""
    allowed = f"allowed: {', '.join(sorted(tasks))}"
    return f"models of type {kind} are not converted for it", allowed, near(task, tasks)


def is_direct(config: Mapping[str, object], task: str) -> bool:
    """Whether a model is loaded here, and not by Optimum's `main_export`, which passes over what it can't convert.

    Args:
        config: the model's config.json.
        task: Optimum's name.
    """
    return task.removesuffix("-with-past") in DIRECT_TASKS and not config.get("is_encoder_decoder")


def types_for(task: str) -> dict[str, tuple[str | None, str | None]]:
    """The model types that are converted for a task, by Optimum's name, and with which transformers."""
    return {kind: tasks[task] for kind, tasks in _table()["types"].items() if task in tasks}


def wrong_version(kind: str, lowest: str | None, highest: str | None) -> Misfit | None:
    """A type that is converted with other versions of transformers; None where the installed one will do."""
    from packaging.version import Version

    here = version_of("transformers")
    too_old = lowest is not None and Version(here) < Version(lowest)
    if not too_old and (highest is None or Version(here) <= Version(highest)):
        return None
    needed = f"transformers {span(lowest, highest)}"
    what = f"Optimum Intel converts models of type {kind} with {needed} alone, and {here} is installed"
    return what, _instead(lowest, highest), None


def span(lowest: str | None, highest: str | None) -> str:
    """Versions in words."""
    return f"from {lowest or 'any'} " + (f"up to {highest}" if highest else "on")


def _instead(lowest: str | None, highest: str | None) -> str:
    """Where such a model can be converted; ovrun runs with one minor version of transformers alone."""
    from packaging.specifiers import SpecifierSet

    table = _table()
    if not SpecifierSet(table["takes"]).contains(lowest or highest or ""):
        return f"Optimum Intel {table['version']} itself takes transformers {table['takes']}: nothing converts it yet"
    ends = ",".join([*([f">={lowest}"] if lowest else []), *([f"<={highest}"] if highest else [])])
    wanted = f"pip install optimum-intel=={table['version']} 'transformers{ends}'"
    return f"convert it by optimum-cli, in an environment of its own ({wanted})"


@cache
def _table() -> Table:
    """Optimum's, and what ovrun adds."""
    table: Table = json.loads(_FILE.read_text(encoding="utf-8"))
    for kind, task in pictured.TYPES.items():
        table["types"].setdefault(kind, {})[task] = (None, None)
    return table


def read_off() -> Table:
    """The table of the Optimum Intel that is installed."""
    import optimum.exporters.openvino  # noqa: F401  # it adds its own to the table
    from optimum.exporters.tasks import TasksManager

    types: dict[str, dict[str, tuple[str | None, str | None]]] = {}
    for kind in sorted(TasksManager._SUPPORTED_MODEL_TYPE):
        try:
            tasks = TasksManager.get_supported_tasks_for_model_type(kind, "openvino", library_name="transformers")
        except KeyError:  # not for OpenVINO
            continue
        types[kind] = {task: versions(tasks[task]) for task in sorted(tasks)}
    return {
        "version": str(version_of(_OPTIMUM)),
        "takes": _taken(),
        "synonyms": dict(TasksManager._SYNONYM_TASK_MAP),
        "types": types,
    }


def _taken() -> str:
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    asked = (Requirement(line) for line in requires(_OPTIMUM) or ())
    return next(str(one.specifier) for one in asked if one.name == "transformers" and not one.marker)


def versions(exporter: object) -> tuple[str | None, str | None]:
    """The lowest and the highest version of transformers that Optimum's exporter of a type is written for."""
    kind = getattr(exporter, "func", exporter)
    lowest, highest = (getattr(kind, f"{end}_TRANSFORMERS_VERSION", None) for end in ("MIN", "MAX"))
    return (str(lowest) if lowest else None, str(highest) if highest else None)


if __name__ == "__main__":
    found = read_off()
    rows = (f"    {json.dumps(kind)}: {json.dumps(tasks)}" for kind, tasks in found["types"].items())
    head = {name: value for name, value in found.items() if name != "types"}
    text = json.dumps(head, indent=2).removesuffix("\n}") + ',\n  "types": {\n' + ",\n".join(rows) + "\n  }\n}\n"
    _FILE.write_text(text, encoding="utf-8")
