"""Runs a Hugging Face model in PyTorch, in eager mode and 32 bits, in the place of the one that was converted of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from runner.base.values import Array
from runner.export.model import Request, load_config, load_model, supported_task
from runner.export.pytorch import Original
from runner.model.feed import Feed
from runner.model.opening import ADAPTER, SOURCE, Opening

_MANY = 100_000_000
"""Weights of a model that PyTorch computes with all cores."""


def opened(folder: Path, opening: Opening) -> InPyTorch:
    """As `runner.model.original.Opens` says."""
    from runner.export.imports import import_exporter

    import_exporter()
    adapter = folder / ADAPTER
    request = Request(
        folder / SOURCE,
        folder,
        str(opening.task),
        "fp32",
        stateful=False,
        tokenizer=False,
        trust_remote_code=opening.trust_remote_code,
        allow_pickle=opening.allow_pickle,
        adapter=adapter if adapter.is_dir() else None,
    )
    return InPyTorch(request)


class InPyTorch:
    """The model."""

    def __init__(self, request: Request) -> None:
        import torch

        threads = torch.get_num_threads()
        config = load_config(request)
        self.model = Original(load_model(replace(request, task=supported_task(config, request.task)), config))
        if sum(weight.numel() for weight in self.model.model.parameters()) > _MANY:
            torch.set_num_threads(threads)  # in small layers more than one wait for each other
        self.by = f"PyTorch {torch.__version__} in eager mode, float32"

    def run(self, feed: Feed) -> Mapping[str, Array]:
        """As `runner.model.original.Runs` says."""
        import torch

        with torch.inference_mode():
            return self.model.run(feed)
