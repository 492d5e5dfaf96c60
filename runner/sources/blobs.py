"""The files of a hub's cache, which are named by the digests that the hub gave for them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import runner.base.files as fs
from runner.errors import SourceError


def refuse_damaged(blob: Path, brought: Path) -> None:
    """Hold a file against its name in the hub's cache: SHA-256 of the content or, as Git names it, SHA-1.

    Raises:
        SourceError: it is not what the hub gave, so the commit does not stand for it.
    """
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        whole = fs.sha256_file(brought) == blob.name
    elif re.fullmatch(r"[0-9a-f]{40}", blob.name):
        content = hashlib.sha1(b"blob %d\0" % brought.stat().st_size, usedforsecurity=False)
        with brought.open("rb") as stream:
            while block := stream.read(1 << 20):
                content.update(block)
        whole = content.hexdigest() == blob.name
    else:
        return
    if not whole:
        message = f"{blob}: the hub's cache does not hold what its name says"
        raise SourceError(
            message, hint="Remove that file and run again: it is downloaded anew where there is a network."
        )
