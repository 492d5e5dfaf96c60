"""A folder of sounds."""

from __future__ import annotations

from runner.data.folders import FolderReader

_READER = FolderReader("audio", frozenset({".wav", ".flac"}))
check, records, files, root, given = _READER.check, _READER.records, _READER.files, _READER.root, _READER.given
read_text, read_pairs, read_images = _READER.read_text, _READER.read_pairs, _READER.read_images
