"""Files on disk, in one name: digests, copies, reading and writing at once. The work is done in `runner.base`."""

from runner.base.copies import copy_file, link_file, link_tree, separate, walk
from runner.base.digests import Stat, digest_paths, settled, sha256_file, sha256_json, stamps, stat_of
from runner.base.documents import (
    JSON_LIMIT,
    open_regular,
    read_json,
    read_limited,
    read_object,
    recall,
    write_json,
    write_text,
)
from runner.base.owned import Tree, discard_tree, kind_of, make_read_only, own_file, own_folder, remove_tree, scan

__all__ = [
    "JSON_LIMIT",
    "Stat",
    "Tree",
    "copy_file",
    "digest_paths",
    "discard_tree",
    "kind_of",
    "link_file",
    "link_tree",
    "make_read_only",
    "open_regular",
    "own_file",
    "own_folder",
    "read_json",
    "read_limited",
    "read_object",
    "recall",
    "remove_tree",
    "scan",
    "separate",
    "settled",
    "sha256_file",
    "sha256_json",
    "stamps",
    "stat_of",
    "walk",
    "write_json",
    "write_text",
]
