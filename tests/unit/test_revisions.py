"""A stage's revision and the code that its output follows from: when one of our modules changes that a stage imports,
somebody has to say whether the output does too.

`make revisions` writes the digests anew, after the revisions that had to be raised were.
"""

from __future__ import annotations

import json

import pytest

from tests.revisions import KEPT, digest, subjects


@pytest.mark.parametrize("name", subjects())
def test_what_changed_has_another_revision_or_was_looked_at(name: str) -> None:
    module, revision = subjects()[name]
    known = json.loads(KEPT.read_text(encoding="utf-8")).get(name)
    assert known == {"revision": revision, "code": digest(module)}, (
        f"the code behind {name} changed: if the same input now gives another output, raise its revision in {module} "
        "(or where it is declared); then run `make revisions`"
    )


def test_nothing_is_kept_of_what_is_gone() -> None:
    assert json.loads(KEPT.read_text(encoding="utf-8")).keys() == subjects().keys()
