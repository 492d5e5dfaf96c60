"""The models that travel with ovrun."""

from __future__ import annotations

import dataclasses

from runner import embedded
from runner.recipe.types import ModelSource
from runner.sources import Located, Memory
from runner.sources.folder import describe


def locate(model: ModelSource, memory: Memory) -> Located:
    """Find an embedded model; its task is known."""
    assert model.id is not None
    known = embedded.MODELS[model.id]
    whole = dataclasses.replace(model, path=known.path, task=model.task or known.task)
    return describe(known.path, whole, memory, {"source": "embedded", "id": model.id})
