"""The wording of "there is no such thing here": what is there, and the nearest of it."""

from __future__ import annotations

from collections.abc import Iterable

from runner.base.words import enumerate_names, near, shorten


def missing(what: str, name: str, there: Iterable[str]) -> str:
    """`no column "txt"; there are: id, text (did you mean text?)`."""
    names = [one.encode("utf-8", "backslashreplace").decode() for one in there]
    text = f'no {what} "{shorten(name)}"; {enumerate_names(names) or "there are none"}'
    guess = near(name, names)
    return f"{text} (did you mean {guess}?)" if guess else text
