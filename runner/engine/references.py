"""How much disk the stored outputs of an uncompressed model take, as far as a vocabulary and a text tell it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.documents import read_object
from runner.base.values import mapping
from runner.data import read_text
from runner.errors import SourceError
from runner.recipe.datasets import kinds

if TYPE_CHECKING:
    from runner.plan.types import Stage
    from runner.recipe.types import Dataset

_BYTES_A_TOKEN = ((20_000, 4.5), (4_000, 3.5), (1_000, 3.0), (300, 2.0))
"""Size of a vocabulary from which on -> bytes of text that a token takes, roughly; below the last 1."""
_HEADS, _HEADS_SHARE = 200, 0.02
"""Entries of a distribution that are kept as float32, of texts and models in use: at most, and of a vocabulary."""
_BESIDE = 24
"""Bytes of what else is kept of a token."""
_READ_WHOLE = 64_000_000
_HAVE_LOGITS = ("ForCausalLM", "LMHeadModel")


def vocabulary(folder: Path) -> int:
    """The size of a language model's vocabulary, as its config.json tells; 0 where there is none to tell."""
    try:
        config = read_object(folder / "config.json")
    except (OSError, ValueError):
        return 0
    told = config.get("architectures")
    if not isinstance(told, list) or not any(str(name).endswith(_HAVE_LOGITS) for name in told):
        return 0
    inner = config.get("text_config")
    found = (inner if isinstance(inner, Mapping) else config).get("vocab_size")
    return found if isinstance(found, int) and 0 < found < 1 << 32 else 0


def stored_bytes(stage: Stage, entries: int) -> int:
    """What a stage `reference` writes; 0 where a vocabulary of `entries` doesn't tell it.

    A divergence's reference has 6 bits an entry and some floats (`runner.metrics.coded`), that of output error four
    bytes.
    """
    data = stage.datasets.get("data")
    if not entries or data is None or "text" not in kinds(data):
        return 0
    by_family = {
        "divergence": 0.75 * entries + 4 * min(_HEADS, _HEADS_SHARE * entries) + _BESIDE,
        "output_error": 4.0 * entries,
    }
    family = str(mapping(stage.document.get("params", {})).get("family"))
    return int(_tokens(data, entries) * by_family.get(family, 0))


def _tokens(data: Dataset, entries: int) -> float:
    return _text_bytes(data) / next((size for least, size in _BYTES_A_TOKEN if entries >= least), 1.0)


def _text_bytes(data: Dataset) -> int:
    """Bytes of the text that is used; of a large file that is used whole, the file's own."""
    with contextlib.suppress(SourceError, OSError):  # it is told where the dataset is read
        size = data.path.stat().st_size
        return size if data.limit is None and size > _READ_WHOLE else sum(len(row.encode()) for row in read_text(data))
    return 0
