"""Names in messages: the nearest to a wrong one, and a list of what there is; neither grows with what was written."""

from __future__ import annotations

from collections.abc import Collection, Iterable

LONGEST_NAME = 100
"""Characters; nothing is near to a longer name, since comparing takes the product of the lengths."""
MOST_NAMES = 20
"""Names that a message lists."""


def nearest_names(name: str, known: Iterable[str], *, count: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known names that are likest to a wrong one, the best first."""
    import difflib  # which a right name has no need of

    if len(name) > LONGEST_NAME:
        return []
    return difflib.get_close_matches(name, [one for one in known if len(one) <= LONGEST_NAME], n=count, cutoff=cutoff)


def near(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The nearest of the known names, or two that are equally near, or None."""
    found = nearest_names(name, sorted(known), count=2, cutoff=cutoff)
    return " or ".join(sorted(found)) if len({_likeness(name, one) for one in found}) == 1 else next(iter(found), None)


def _likeness(name: str, known: str) -> float:
    import difflib

    return difflib.SequenceMatcher(None, known, name).ratio()


def enumerate_names(known: Collection[str], *, lead: str = "there are", more: str = "") -> str | None:
    """`there are: …`; of many names the first and how many more, or what `more` says instead."""
    if len(known) > MOST_NAMES and more:
        return more
    shown = [shorten(name) for name in list(known)[:MOST_NAMES]]
    rest = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"{lead}: {', '.join(shown)}{rest}" if known else None


def shorten(text: str, length: int = LONGEST_NAME) -> str:
    """A text as a message shows it: whole, or its start."""
    return text if len(text) <= length else text[: length - 1] + "…"


def plural(count: int, noun: str) -> str:
    """`1 stage`, `3 stages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def missing(what: str, name: str, there: Iterable[str]) -> str:
    """`no column "txt"; there are: id, text (did you mean text?)`."""
    names = [one.encode("utf-8", "backslashreplace").decode() for one in there]
    text = f'no {what} "{shorten(name)}"; {enumerate_names(names) or "there are none"}'
    guess = near(name, names)
    return f"{text} (did you mean {guess}?)" if guess else text
