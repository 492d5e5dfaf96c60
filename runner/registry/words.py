"""Names of what is declared, in sentences."""

from __future__ import annotations

_MOST = 4


def listed(names: list[str], link: str = "and") -> str:
    """`a, b and c`."""
    return f"{', '.join(names[:-1])} {link} {names[-1]}" if len(names) > 1 else "".join(names)


def shortened(names: list[str]) -> str:
    """All names if they are few, else the first and the last."""
    return listed(names) if len(names) <= _MOST else f"{names[0]} … {names[-1]}"
