"""How many rows of one dataset are in another too, by what feeds a model; in memory that does not grow with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner import data
from runner.data.digests import plain_value
from runner.data.roles import FILES, TEXTS
from runner.data.table import described, rows
from runner.recipe.datasets import kinds, narrowed

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_FEEDING = TEXTS | FILES | {"tokens"}
_MOST = 1 << 18
"""Digests that are held of the first dataset; of more, every second, fourth … of all that there are."""


def overlap(first: Dataset, second: Dataset) -> tuple[int, int]:
    """How many rows of the second dataset are in the first too, and how many it has.

    Rows are equal where they feed a model with the same: texts, images, sounds, arrays. Of very many rows a sample is
    looked for, which is drawn by their digests.

    Raises:
        SourceError: one can't be read.
    """
    roles = kinds(first) & kinds(second) & _FEEDING
    arrays = "arrays" in kinds(first) & kinds(second)
    if not roles and not arrays:
        return 0, 0
    one, other = (_digests(dataset, roles, arrays) for dataset in (first, second))
    known, step = _sample(one)
    shared = total = 0
    for digest in other:
        total += 1
        shared += digest % step == 0 and digest in known
    return min(shared * step, total), total


def _sample(digests: Iterator[int]) -> tuple[set[int], int]:
    """Those that a number divides, which is 1 unless there are too many; and this number."""
    known, step = set[int](), 1
    for digest in digests:
        if digest % step == 0:
            known.add(digest)
        if len(known) > _MOST:
            step *= 2
            known = {one for one in known if one % step == 0}
    return known, step


def _digests(dataset: Dataset, roles: frozenset[str], arrays: bool) -> Iterator[int]:
    """A number for each row, the same for equal ones; rows without anything but white space are left out."""
    if arrays:
        yield from map(_number, data.reader(dataset).contents(narrowed(dataset, ())))
        return
    for row in described(rows(narrowed(dataset, roles), roles)):
        values = [row.values[role] for role in sorted(roles)]
        told = [value.strip() if isinstance(value, str) else value for value in values]
        if any(told):
            yield _number(json.dumps(told, default=plain_value).encode(errors="surrogatepass"))


def _number(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
