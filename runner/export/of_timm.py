"""Networks of the package timm, which needs torchvision and need not be installed."""

from __future__ import annotations

from runner.base.keys import version_of


def absent(subject: str) -> tuple[str, str] | None:
    """Why a model isn't had that needs such a network, and what would do; None where timm is installed.

    Args:
        subject: what the network is to the model, such as `its backbone is`.
    """
    if version_of("timm") != "absent":
        return None
    what = f"{subject} a network of the package timm, which is not installed"
    return what, "pip install timm torchvision, of the version that goes with your torch"
