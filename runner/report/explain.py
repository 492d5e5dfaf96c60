"""`ovrun explain`: what a key of a recipe means, and which keys a section has."""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runner.base.words import near
from runner.errors import Problem, UsageError
from runner.recipe.keys.reference import ANY, Entry, algorithms, entries
from runner.report.layout import cut


@dataclass(frozen=True)
class Topic:
    """What one word of the command line asks for.

    Attributes:
        word: the key as the schemas spell it, an algorithm, or empty for the whole recipe.
        meanings: the key itself, once for each algorithm that has it.
        keys: the keys directly in it.
    """

    word: str
    meanings: tuple[Entry, ...]
    keys: tuple[Entry, ...]


def topics(words: Sequence[str]) -> list[Topic]:
    """The topics of all words, or the recipe's top when there are none.

    Raises:
        UsageError: some words are neither keys nor algorithms; all of them are told.
    """
    found = [_topic(word) for word in words or [""]]
    wrong = [_unknown(word) for word, topic in zip(words, found, strict=False) if topic is None]
    if wrong:
        raise UsageError(wrong)
    return [topic for topic in found if topic is not None]


def _topic(word: str) -> Topic | None:
    algorithm = word.removeprefix("compression.")
    if algorithm in algorithms():
        inside = tuple(entry for entry in _inside("compression") if entry.algorithm == algorithm)
        return Topic(algorithm, (), inside)
    key = _canonical(word)
    meanings = tuple(entry for entry in entries() if entry.key == key)
    inside = tuple(_inside(key))
    return Topic(key, meanings, inside) if meanings or inside else None


def _canonical(word: str) -> str:
    """A key without the numbers of list items, and with NAME for the name of a dataset or a part."""
    parts = [part for part in word.split(".") if not part.isdecimal()]
    if len(parts) > 1 and parts[0] in ("datasets", "parts"):
        parts[1] = ANY
    if len(parts) > 2 and parts[0] == "parts":
        parts = ["compression", *parts[2:]]  # they mean the same in both
    return ".".join(parts)


def _inside(key: str) -> Iterable[Entry]:
    parents = {key, f"{key}.{ANY}"}
    return (entry for entry in entries() if entry.key.rpartition(".")[0] in parents)


def _unknown(word: str) -> Problem:
    known = {entry.key for entry in entries()}
    last = word.rpartition(".")[2]
    same = sorted(key for key in known if key.rpartition(".")[2] == last)
    guess = near(word, [*known, *algorithms()]) if "." in word or not same else None
    guess = guess or " or ".join(same) or _near_last(last, known)
    return Problem("command line", "", f"recipes have no key {word}", "`ovrun explain` shows what there is", guess)


def _near_last(last: str, known: Iterable[str]) -> str | None:
    """The keys whose last part is nearest to `last`."""
    by_last: dict[str, list[str]] = {}
    for key in sorted(known):
        by_last.setdefault(key.rpartition(".")[2], []).append(key)
    guess = near(last, by_last)
    return " or ".join(by_last.get(guess, [])) or None if guess else None


def document(found: Sequence[Topic]) -> list[dict[str, object]]:
    """The topics as a program reads them."""
    return [
        {
            "key": topic.word,
            "meanings": [dataclasses.asdict(entry) for entry in topic.meanings],
            "keys": [dataclasses.asdict(entry) for entry in topic.keys],
        }
        for topic in found
    ]


def lines(found: Sequence[Topic], width: int | None = None) -> Iterator[str]:
    """All topics for reading, an empty line between two; `width` is what the terminal has room for."""
    for number, topic in enumerate(found):
        if number:
            yield ""
        yield from _topic_lines(topic, width)


def _topic_lines(topic: Topic, width: int | None) -> Iterator[str]:
    for number, (entry, owners) in enumerate(_merged(topic.meanings)):
        if number:
            yield ""
        yield from _entry_lines(entry, owners)
    if topic.keys:
        if topic.meanings:
            yield ""
        yield from (cut(line, width) for line in _table(topic))


def _merged(meanings: Iterable[Entry]) -> list[tuple[Entry, list[str]]]:
    """Meanings that differ in nothing but the algorithm become one."""
    merged: dict[Entry, list[str]] = {}
    for entry in meanings:
        owners = merged.setdefault(dataclasses.replace(entry, algorithm=None), [])
        owners += [entry.algorithm] if entry.algorithm else []
    return list(merged.items())


def _entry_lines(entry: Entry, owners: Sequence[str]) -> Iterator[str]:
    yield f"{entry.key}  ({'; '.join(owners)})" if owners else entry.key
    yield from _wrapped(entry.description, "  ")
    rows = [
        ("allowed", entry.allowed),
        ("default", entry.default),
        *(("rules" if not number else "", text) for number, text in enumerate(entry.needs)),
        ("source", entry.source),
        ("example", f"{entry.key.rpartition('.')[2]}: {entry.examples[0]}" if entry.examples else None),
    ]
    for name, text in rows:
        if text is not None:
            yield from _wrapped(text, f"  {name:<8} ", " " * 11)


def _table(topic: Topic) -> Iterator[str]:
    """A line a key, under a heading for each algorithm where there are several."""
    width = max(len(_short(entry, topic)) for entry in topic.keys)
    owner = None
    for entry in topic.keys:
        if entry.algorithm != owner and len({one.algorithm for one in topic.keys}) > 1:
            owner = entry.algorithm
            yield from ("", f"  {owner}:")
        default = f" [{entry.default}]" if entry.default and len(entry.default) < 20 else ""
        yield f"  {_short(entry, topic):<{width}}  {first_sentence(entry.description)}{default}"


def _short(entry: Entry, topic: Topic) -> str:
    return entry.key if not topic.meanings else entry.key[len(topic.word) + 1 :]


def first_sentence(text: str) -> str:
    """The first sentence, with its full stop."""
    head, stop, _ = text.partition(". ")
    return f"{head}." if stop else text


def _wrapped(text: str, start: str, indent: str | None = None) -> list[str]:
    width = min(shutil.get_terminal_size().columns, 100)
    after = start if indent is None else indent
    return textwrap.wrap(text, width, initial_indent=start, subsequent_indent=after, break_on_hyphens=False) or [""]
