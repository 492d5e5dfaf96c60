"""Models of PyTorch: a program that torch.export saved, or Python code that makes a module."""

from runner.registry.sources import Source

PYTORCH = Source(
    "pytorch",
    "a .pt2 file of torch.export, or a Python file with a module",
    code=True,
    module="runner.sources.pytorch",
)
