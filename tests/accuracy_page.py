"""What stands in docs/accuracy.md."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "docs" / "accuracy.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"\*\*([a-z0-9-]+)\*\*;[^\n]*\n\n```yaml\n(.*?)```", TEXT, re.DOTALL))
"""Task -> its recipe, without the model."""
