"""What the plans of one sweep share: models found, datasets checked and read, stages with equal keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import data, sources
from runner.data import digests
from runner.recipe.types import Dataset, ModelSource
from runner.sources import Located
from runner.store import Store

if TYPE_CHECKING:
    from runner.plan.types import Stage


class Memo:
    """Each model and each dataset is looked at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._located: dict[ModelSource, Located] = {}
        self._digests: dict[str, str] = {}
        self._checked: set[str] = set()
        self._stages: dict[str, Stage] = {}

    def locate(self, model: ModelSource) -> Located:
        """Where a model is.

        Raises:
            SourceError: it is not there, or is visibly broken.
        """
        if model not in self._located:
            self._located[model] = sources.locate(model, self.store.digest_memory)
        return self._located[model]

    def check(self, dataset: Dataset) -> None:
        """Find what is wrong with a dataset.

        Raises:
            SourceError: it can't be read, or doesn't hold what it should.
        """
        key = repr(dataset)
        if key not in self._checked:
            memory = self.store.digest_memory(f"check {key}")
            digests.remembered(dataset, memory, _checked)
            self._checked.add(key)

    def digest(self, dataset: Dataset) -> str:
        """The digest of a dataset.

        Raises:
            SourceError: its file can't be read.
        """
        key = repr(dataset)
        if key not in self._digests:
            memory = self.store.digest_memory(f"dataset {key}")
            self._digests[key] = digests.remembered(dataset, memory, data.digest)
        return self._digests[key]

    def same(self, stage: Stage) -> Stage:
        """The stage, or the one before it that is the same in all that a plan says of it."""
        known = self._stages.setdefault(stage.key, stage)
        return known if (known.label, known.section) == (stage.label, stage.section) else stage


def _checked(dataset: Dataset) -> str:
    """Check a dataset, so that this can be remembered."""
    data.check(dataset)
    return "right"
