"""The content-addressed store: `key -> folder`, published by rename, verified on every use.

Layout below its root:

    entries/<k1k2>/<key>/     files/ (what the stage made), entry.json (how, and the SHA-256 of every file), stat.json
    tmp/                      folders being made; a run that died leaves one, the next run of the same stage removes it
    locks/                    one lock file a key, held while its stage runs
    runs/                     what each run that is under way needs, for `ovrun gc`
    recent/<recipe>.json      the key documents of a recipe's last run, to say what changed since; and earlier keys
    digests/                  remembered digests of source files
    numbers/                  the highest version number that a recipe ever used

An entry is immutable. Its files are read-only and may be hard-linked into an artifact; so a use checks size,
times and inode of each file against stat.json, and reads the bytes again when they differ.

The folder that the root lies in may be a link. From the root down everything is ours: a link, or anything else that
ovrun does not make, is refused with words where it stands for a folder, a lock or an entry; inside an entry it makes
that one damaged.

`store.py` is the store, `record.py` what an entry says of itself, `collect.py` what may go.
"""

from pathlib import Path

from runner.base.trouble import cannot_write
from runner.store.record import Entry
from runner.store.store import Store

__all__ = ["Entry", "Store", "cannot_write", "store_of"]


def store_of(outputs: Path) -> Store:
    """The store that belongs to an outputs folder."""
    return Store(outputs / ".store")
