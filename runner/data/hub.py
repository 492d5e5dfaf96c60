"""Datasets of the Hugging Face hub: their data files, fetched into the hub's own cache. No script of theirs is run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import SourceError

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

Chosen = Callable[["Dataset", Sequence[str]], list[str]]
"""Of the files of a repository, those that a dataset reads."""
_MAIN = "main"


def fetched(dataset: Dataset, chosen: Chosen) -> Path:
    """The folder in the hub's cache with the files of a dataset, which are fetched if they are not there.

    Raises:
        SourceError: there is no such dataset or revision, or the hub can't be reached and the cache doesn't have it.
    """
    return _fetched(str(dataset.id), dataset.revision or _MAIN, _Files(dataset, chosen))


class _Files:
    """Which files are wanted; equal for equal datasets and splits."""

    def __init__(self, dataset: Dataset, chosen: Chosen) -> None:
        self.dataset, self.chosen = dataset, chosen

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Files) and other.dataset.split == self.dataset.split

    def __hash__(self) -> int:
        return hash(self.dataset.split)


@functools.lru_cache(64)
def _fetched(name: str, revision: str, files: _Files) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        listed = HfApi().list_repo_files(name, revision=revision, repo_type="dataset")
        wanted = files.chosen(files.dataset, listed)
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=wanted))
    except HfHubHTTPError as error:
        message = f"dataset {files.dataset.name}: {name} at {revision} can't be had from the hub: {error}"
        raise SourceError(message, hint="A dataset that is not public needs `hf auth login`.") from error
    except Exception as error:  # no network, in whatever words
        if isinstance(error, SourceError):
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        message = f"dataset {files.dataset.name}: {name} at {revision} is not in the hub's cache, and the hub: {said}"
        raise SourceError(
            message, hint="Fetch it where there is a network: `hf download --repo-type dataset`."
        ) from error
