"""A recipe -> YAML that runs by itself, without presets: what an artifact keeps as recipe.yaml."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import yaml

from runner.recipe.read.scalars import scalar
from runner.recipe.types import Recipe

SCHEMA_LINE = "# yaml-language-server: $schema=../../../schemas/recipe.schema.json\n"
"""Where editors find the schema from a version folder in a checkout's outputs/."""


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as one YAML document. Loaded again it gives an equal recipe, but for `path` and `origins`.

    Paths of models and data are absolute in it.
    """
    return dump_data(recipe.resolved)


def dump_data(data: Mapping[str, object], remarks: Sequence[tuple[str, str]] = ()) -> str:
    """The same of a recipe's resolved values; `remarks` are comments: a sentence, and a text that it ends with."""
    lines = [f"# {sentence} {json.dumps(text)}\n" for sentence, text in remarks]
    kept = {key: value for key, value in data.items() if value not in ("", {})}
    text = yaml.dump(kept, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return "".join([SCHEMA_LINE, *lines, text])


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or 1.2 would take for something else."""

    def ignore_aliases(self, data: object) -> bool:
        """Write equal values out instead of referring to the first."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(value), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
