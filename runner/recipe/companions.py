"""What goes with a model, and comes from elsewhere: its adapter, its vocoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.base.values import made, text
from runner.recipe.types import AdapterSource, Companion

COMPANIONS: Mapping[str, type[Companion]] = {"adapter": AdapterSource, "vocoder": Companion}
"""By its key in the section `model`."""


def companion(kind: type[Companion], data: Mapping[str, object]) -> Companion:
    """One as the recipe says it, its path absolute; of a hub it is the newest where no revision is stated."""
    revision = {"revision": "main"} if "id" in data else {}
    path = {"path": Path(text(data["path"]))} if "path" in data else {}
    return made(kind, {**revision, **data, **path})
