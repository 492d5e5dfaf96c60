"""Symbolic links, where the system makes them: Windows does for some users only, and some file systems never do.

With OVRUN_LINKS=none neither these nor hard links are made, as on a system that has none.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


def are_allowed() -> bool:
    """Whether links may be made at all, by OVRUN_LINKS."""
    return os.environ.get("OVRUN_LINKS", "") != "none"


def symlink(link: Path, target: str | Path) -> bool:
    """Make a symbolic link; False, and nothing is made, where the system makes none.

    Raises:
        OSError: something is there already, or the folder can't be written.
    """
    if not are_allowed():
        return False
    try:
        link.symlink_to(target)
    except NotImplementedError:
        return False
    except OSError as error:
        if _has_no_links(error):
            return False
        raise
    return True


_PRIVILEGE_NOT_HELD = 1314
"""The error number of Windows where a user may make no symbolic links."""


def _has_no_links(error: OSError) -> bool:
    numbers = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
    return error.errno in numbers or getattr(error, "winerror", None) == _PRIVILEGE_NOT_HELD
