"""Plain data that a schema has judged say of which kind they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.base import values


@pytest.mark.parametrize(
    ("narrow", "right", "wrong"),
    [
        (values.mapping, {"a": 1}, [1]),
        (values.listing, [1], "a"),
        (values.text, "a", 1),
        (values.texts, ["a"], ["a", 1]),
        (values.numeric, 1.5, "1.5"),
        (values.whole, 128, None),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_mistake_of_ours(
    narrow: Callable[[object], object], right: object, wrong: object
) -> None:
    assert narrow(right) == right
    with pytest.raises(TypeError, match=r"^not "):
        narrow(wrong)


def test_a_whole_number_may_be_held_as_a_float() -> None:
    assert repr(values.whole(128.0)) == "128"


def test_a_section_that_is_not_there_is_empty() -> None:
    data = {"inputs": None, "model": {"id": "a"}}
    assert values.section(data, "model") == {"id": "a"}
    assert values.section(data, "inputs") == values.section(data, "other") == {}
