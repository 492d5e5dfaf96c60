"""A folder of images."""

from __future__ import annotations

from runner.data.folders import FolderReader

_READER = FolderReader("image", frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"}))
check, records, files, root, given = _READER.check, _READER.records, _READER.files, _READER.root, _READER.given
read_text, read_pairs, read_images = _READER.read_text, _READER.read_pairs, _READER.read_images
