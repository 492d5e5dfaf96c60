"""The reference page of all keys of a recipe, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from runner.base import streams
from runner.recipe.keys.reference import Entry, entries, sections
from runner.report.explain import first_sentence

_HEAD = """\
# Reference: every key of a recipe

Made from the JSON Schemas by `make reference`; changes belong into `schemas/`.
`ovrun explain KEY` prints the same for one key.

Keys are dotted. Items of a list have no number: `compression.mode` is also the mode of each step of a list. `NAME`
stands for a name that the recipe chooses. *Source* is the function or class of the library that a key goes to;
`ovrun` stands for keys of ovrun's own.
"""


def page() -> str:
    """The whole page; ends in a newline."""
    return "\n".join([_HEAD, *_contents(), *(line for name in sections() for line in _section(name))]) + "\n"


def _contents() -> Iterator[str]:
    for name in sections():
        entry = next(entry for entry in entries() if entry.key == name)
        yield f"- [`{name}`](#{_anchor(entry)}): {first_sentence(entry.description)}"


def _section(name: str) -> Iterator[str]:
    top, *inside = [entry for entry in entries() if entry.key.split(".")[0] == name]
    yield f"\n## {name}"
    yield from _facts(top)
    for algorithm, group in groupby(inside, key=lambda entry: entry.algorithm):
        keys = list(group)
        if algorithm:
            yield f"\n### {name}: {algorithm}"
        yield from _table(keys)
        for entry in keys:
            yield f"\n{'####' if algorithm else '###'} `{entry.key}`"
            yield from _facts(entry)


def _table(keys: Sequence[Entry]) -> Iterator[str]:
    yield "\n| key | meaning | default |\n|---|---|---|"
    for entry in keys:
        default = f"`{_cell(entry.default)}`" if entry.default else ""
        yield f"| [`{entry.key}`](#{_anchor(entry)}) | {_cell(first_sentence(entry.description))} | {default} |"


def _facts(entry: Entry) -> Iterator[str]:
    yield f'\n<a id="{_anchor(entry)}"></a>\n{_text(entry.description)}\n'
    yield f"- **Allowed:** {_text(entry.allowed)}"
    if entry.default is not None:
        yield f"- **Default:** `{entry.default}`"
    if entry.needs:
        yield "- **Rules:**"
    yield from (f"  - {_text(sentence)}" for sentence in entry.needs)
    yield f"- **Source:** {entry.source if ' ' in entry.source else f'`{entry.source}`'}"
    yield from (f"- **Example:** `{entry.key.rpartition('.')[2]}: {example}`" for example in entry.examples[:1])


def _anchor(entry: Entry) -> str:
    """An id of its own for each meaning of a key; the first meaning has the key itself."""
    first = next(one for one in entries() if one.key == entry.key)
    slug = re.sub(r"[^a-z0-9_]+", "-", (entry.algorithm or "").lower()).strip("-")
    return entry.key if entry == first else f"{entry.key}-{slug}"


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Text that Markdown would take for HTML or emphasis, made plain; code spans stay as they are."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([<>*\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    streams.put_data(page())
