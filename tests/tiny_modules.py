"""Tiny PyTorch models as users bring them: Python files, their weights, and programs of torch.export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

FILE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Linear(width, 5)

    def forward(self, x, scale=None):
        found = torch.relu(self.conv(x)).mean((2, 3))
        logits = self.head(found)
        return {"logits": logits if scale is None else logits * scale, "more": (found,)}


def build(width=8):
    return Net(width)
"""
RECIPE = "model: {source: pytorch, path: net.py, object: build, example: {x: {shape: [-1, 3, 8, 8], type: f32}}}\n"


def module(seed: int = 0) -> nn.Module:
    """What `build()` of FILE gives, with random weights."""
    import torch

    torch.manual_seed(seed)
    known: dict[str, object] = {}
    exec(FILE, known)
    made: nn.Module = known["build"]()  # type: ignore[operator]
    return made.eval()


def weights(path: Path, seed: int = 0) -> nn.Module:
    """Write the weights of a module, as safetensors or as a state_dict; give the module."""
    import torch
    from safetensors.torch import save_file

    made = module(seed)
    if path.suffix == ".safetensors":
        save_file(made.state_dict(), path)
    else:
        torch.save(made.state_dict(), path)
    return made


def program(path: Path, *, open_batch: bool = True) -> nn.Module:
    """Write a program of torch.export; give its module."""
    import torch

    made = module()
    shapes = {"x": {0: torch.export.Dim("batch")}} if open_batch else None
    exported = torch.export.export(made, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shapes)
    torch.export.save(exported, path)
    return made
