"""Names in messages: the nearest one, and lists that end."""

from __future__ import annotations

import pytest

from runner.base.words import LONGEST_NAME, MOST_NAMES, enumerate_names, near, nearest_names, shorten

KNOWN = ["compression", "conversion", "accuracy"]


@pytest.mark.parametrize(("name", "expected"), [("compresion", "compression"), ("x", None), ("accurate", "accuracy")])
def test_the_nearest_name_is_found(name: str, expected: str | None) -> None:
    assert near(name, KNOWN) == expected


def test_names_that_are_equally_near_are_both_told() -> None:
    assert near("int4", ["int4a", "int4b", "fp8"]) == "int4a or int4b"


def test_no_name_is_near_to_one_that_is_too_long_to_compare() -> None:
    long = "compression" * 10_000
    assert near(long, KNOWN) is None
    assert near("compresion", [long, "compression"]) == "compression"
    assert nearest_names(long, [long]) == []


def test_a_list_of_many_names_ends() -> None:
    names = [f"n{index}" for index in range(MOST_NAMES + 5)]
    assert enumerate_names(names, lead="allowed") == f"allowed: {', '.join(names[:MOST_NAMES])} and 5 more"
    assert enumerate_names(names, more="see there") == "see there"
    assert enumerate_names([]) is None


def test_a_long_name_is_shown_by_its_start() -> None:
    assert len(shorten("x" * 1000)) == LONGEST_NAME
    assert enumerate_names(["y" * 1000]) == f"there are: {'y' * (LONGEST_NAME - 1)}…"
