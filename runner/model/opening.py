"""How the folder of an original is laid out, and what says how it is run; `runner.model.original` runs it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

ORIGINAL = "original.json"
"""What is in a folder whose model is run by the library that it was converted from."""
CONVERTED, SOURCE, ADAPTER = "converted", "original", "adapter"
"""Its folders: the converted model, what that was made of, and the adapter that is to be merged into it."""


@dataclass(frozen=True)
class Opening:
    """What is run, and how it was read when it was converted: the fields of `ExportParams`, with the same meanings."""

    exporter: str
    task: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    name: str = ""

    def write(self, folder: Path) -> None:
        (folder / ORIGINAL).write_text(json.dumps(asdict(self)), encoding="utf-8")
