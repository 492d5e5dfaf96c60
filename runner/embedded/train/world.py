"""Reads the closed world that dialogpt-mini talks about: world.yaml, and the tables that can be worked out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Fact = Mapping[str, str]
Table = tuple[Fact, ...]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Topic:
    """Questions of one kind.

    Attributes:
        name: unique; part of the key that decides what is held out.
        wordings: templates of the question.
        reply: template of the one right reply.
        facts: the slot values; `reply` and every wording draw on them.
        unseen: what a held-out question has that training never shows: this wording with this fact, or the
            fact in any wording (so that the reply has to be worked out), or nothing (then it is never held out).
        follow_ups: how to ask about another fact right after this topic's question.
        sequels: how to ask for the next fact without naming it; the facts are then in order.
        ring: the first fact follows the last.
        recalls: how to ask later for what the person said; `recall_reply` answers.
        weight: share of the training data, relative to the other topics.
    """

    name: str
    wordings: tuple[str, ...]
    reply: str
    facts: Table
    unseen: Literal["wording", "fact", "nothing"] = "wording"
    follow_ups: tuple[str, ...] = ()
    sequels: tuple[str, ...] = ()
    ring: bool = True
    recalls: tuple[str, ...] = ()
    recall_reply: str = ""
    weight: float = 1.0


@cache
def topics() -> tuple[Topic, ...]:
    """Every topic of the closed world, in the order of world.yaml."""
    world = yaml.safe_load(Path(__file__).with_name("world.yaml").read_text(encoding="utf-8"))
    tables = {name: _table(text) for name, text in world["tables"].items()}
    tables |= _number_tables() | _rings(tables["calendar"])
    tables["conversions"] = _conversions(tables["units"])
    return tuple(_topic(entry, tables) for entry in world["topics"])


def _topic(entry: Mapping[str, Any], tables: Mapping[str, Table]) -> Topic:
    settings: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    settings["facts"] = tables[entry["facts"]]
    return Topic(**settings)


def _table(text: str) -> Table:
    """Slots in the first line, then facts in cells divided by `|`; `_` stands for a space."""
    head, *lines = text.strip().splitlines()
    cells = [cell.split() for line in lines for cell in line.split("|")]
    return tuple(dict(zip(head.split(), (value.replace("_", " ") for value in cell), strict=True)) for cell in cells)


def _numbers(rows: Iterable[tuple[int, ...]]) -> Table:
    return tuple({slot: str(value) for slot, value in zip("abc", row, strict=False)} for row in rows)


def _number_tables() -> dict[str, Table]:
    small = range(50)
    return {
        "sums": _numbers((a, b, a + b) for a in small for b in small),
        "differences": _numbers((a, b, a - b) for a in small for b in range(a + 1)),
        "products": _numbers((a, b, a * b) for a in range(13) for b in range(13)),
        "comparisons": _numbers((a, b, max(a, b)) for a in small for b in small if a != b),
        "counting": _numbers((a, a + 1) for a in range(99)),
        "halves": _numbers((2 * b, b) for b in range(1, 31)),
        "doubles": _numbers((a, 2 * a) for a in range(1, 41)),
    }


def _rings(calendar: Table) -> dict[str, Table]:
    return {
        "days": _ring(DAYS, 1),
        "days backwards": tuple(reversed(_ring(DAYS, -1))),
        "days by two": _ring(DAYS, 2),
        "months": _ring([fact["month"] for fact in calendar], 1),
    }


def _ring(names: Sequence[str], step: int) -> Table:
    return tuple({"x": name, "y": names[(i + step) % len(names)]} for i, name in enumerate(names))


def _conversions(units: Table) -> Table:
    return tuple(
        {
            "n": str(n),
            "big": unit["one"] if n == 1 else unit["many"],
            "small": unit["small"],
            "total": str(n * int(unit["factor"])),
        }
        for unit in units
        for n in range(1, int(unit["most"]) + 1)
    )
