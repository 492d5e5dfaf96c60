"""The wording of "there is no such thing here": what is there, and the nearest of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def missing(what: str, name: str, there: Iterable[str]) -> str:
    """`no column "txt"; there are: id, text (did you mean text?)`."""
    names = list(there)
    text = f'no {what} "{name}"; ' + (f"there are: {', '.join(names)}" if names else "there are none")
    near = difflib.get_close_matches(name, names, n=1)
    return f"{text} (did you mean {near[0]}?)" if near else text
