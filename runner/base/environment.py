"""The exact versions of all that ovrun runs with: its requirements, theirs, and so on."""

from __future__ import annotations

import importlib.metadata as metadata
import re
from collections.abc import Iterable
from functools import cache

_SELF = "ovrun"
_OPTIONAL = ("openvino-genai",)


def environment(libraries: Iterable[str]) -> dict[str, str]:
    """Distribution -> version, for what ovrun requires and for `libraries`, with what these require in turn."""
    found = closure([_SELF, *_OPTIONAL, *libraries])
    found.pop(_SELF, None)
    return found


def closure(libraries: Iterable[str]) -> dict[str, str]:
    """Distribution -> version, for those of some that are installed, and for what they require in turn."""
    found: dict[str, str] = {}
    waiting = sorted(libraries)
    while waiting:
        name = _normal(waiting.pop())
        if name in found or (known := _installed(name)) is None:
            continue
        found[name], required = known
        waiting += required
    return dict(sorted(found.items()))


@cache
def _installed(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The version of a distribution and the names that it requires here; None where it is not installed."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    head = (found.read_text("METADATA") or "").partition("\n\n")[0]  # its own parser reads the long rest too
    version = re.search(r"^Version: *(\S+)", head, re.MULTILINE)
    return (version[1] if version else found.version), tuple(_required(head))


def _required(head: str) -> Iterable[str]:
    """What is required without an extra; what another system would need is not installed, and drops out by that."""
    for name, marker in re.findall(r"^Requires-Dist: *([A-Za-z0-9][\w.-]*)[^;\n]*(.*)$", head, re.MULTILINE):
        if not re.search(r"\bextra\b", marker):
            yield name


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
