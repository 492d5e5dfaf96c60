"""Tags of words: how many entities were found whole, as seqeval counts them, and how many words got their tag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import SourceError
from runner.metrics.families.words import ENTITIES
from runner.metrics.measures.labels import IGNORED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_OUTSIDE = "O"


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """(type, first, last) of each entity that tags such as B-PER, I-PER and O name: IOB1, IOB2, IOE and IOBES alike."""
    found, start = set(), 0
    before = (_OUTSIDE, "")
    for place, tag in enumerate([*tags, _OUTSIDE]):
        here = (tag[:1], tag[1:].split("-", 1)[-1] or "_")
        if _ends(before, here):
            found.add((before[1], start, place - 1))
        if _starts(before, here):
            start = place
        before = here
    return found


def _ends(before: tuple[str, str], here: tuple[str, str]) -> bool:
    (last, kind), (tag, other) = before, here
    if last in "ES" or (last in "BI" and tag in "BSO"):
        return True
    return last not in "O." and kind != other


def _starts(before: tuple[str, str], here: tuple[str, str]) -> bool:
    (last, kind), (tag, other) = before, here
    if tag in "BS" or (last in "ESO" and tag in "EI"):
        return True
    return tag not in "O." and kind != other


def counted(given: Sequence[Sequence[int]], told: Sequence[Sequence[int]], classes: Sequence[str]) -> Floats:
    """(entities that are right, given, told) of each row, shape [rows, 3].

    Args:
        given: class numbers of the words of each row, as the model gave them; -1 for none.
        told: those of the data; words with `IGNORED` don't count.
        classes: the names of the classes.

    Raises:
        SourceError: the names are no such tags, or a row has other words.
    """
    refuse_no_entities(classes)
    rows = []
    for one, other in words(given, told):
        found, there = (entities([classes[tag] if tag >= 0 else _OUTSIDE for tag in tags]) for tags in (one, other))
        rows.append((len(found & there), len(found), len(there)))
    return np.array(rows, np.float64).reshape(-1, 3)


def right_words(given: Sequence[Sequence[int]], told: Sequence[Sequence[int]]) -> Floats:
    """(words with the right tag, words) of each row, shape [rows, 2]."""
    rows = [(int((one == other).sum()), len(other)) for one, other in words(given, told)]
    return np.array(rows, np.float64).reshape(-1, 2)


def words(
    given: Sequence[Sequence[int]], told: Sequence[Sequence[int]]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The tags of each row that count, given and told.

    Raises:
        SourceError: a row has other words.
    """
    for row, pair in enumerate(zip(given, told, strict=True), 1):
        one, other = (np.asarray(tags, np.int64) for tags in pair)
        if len(one) != len(other):
            message = f"row {row}: the model gave {len(one)} tags, and the data have {len(other)}"
            raise SourceError(message, hint="Words and tags of a row have to be equally many.")
        yield one[other != IGNORED], other[other != IGNORED]


def refuse_no_entities(classes: Sequence[str]) -> None:
    """Refuse names of classes that tell no entities.

    Raises:
        SourceError: none begins with B-, I-, E- or S-.
    """
    if not any(name.startswith(ENTITIES) for name in classes):
        shown = ", ".join(list(classes)[:8]) or "none"
        message = f"the model's classes are no tags of entities, such as B-PER and I-PER: {shown}"
        raise SourceError(message, hint="token_accuracy is of any classes of words.")


def f1(sums: Floats) -> Floats:
    """Harmonic mean of precision and recall of all entities, of sums [..., 3]; 0 where there are none."""
    right, given, there = np.moveaxis(sums, -1, 0)
    return np.asarray(2 * right / np.maximum(given + there, 1), np.float64)


def told(counts: Floats) -> dict[str, object]:
    """Precision and recall beside F1."""
    right, given, there = counts[~np.isnan(counts).any(1)].sum(0)
    return {
        "precision": float(right / given) if given else None,
        "recall": float(right / there) if there else None,
        "entities": {"right": int(right), "given": int(given), "told": int(there)},
    }
