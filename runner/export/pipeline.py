"""A folder of a pipeline of diffusers becomes an OpenVINO folder with a part for each of its networks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.progress import Progress
from runner.errors import SourceError
from runner.export.comparing import kept
from runner.export.convert import ov_config
from runner.export.patches import lean_traces, trace_once
from runner.export.steps import Steps
from runner.model import listing, pipeline
from runner.model.parts import refuse_nan
from runner.model.safetensors import safetensors_dtypes
from runner.model.weights import weights_of
from runner.registry.exporters import ExportParams
from runner.sources.folder import pipeline_files

if TYPE_CHECKING:
    from torch import nn

Network = Any
"""A class of diffusers, which tells no types: a pipeline, or one of its networks."""
_STEPS = ("load", "convert", "tokenizers", "compare", "check")


def prepare() -> None:
    """Import Optimum's exporter and diffusers."""
    from runner.export.imports import import_exporter

    import_exporter(pipelines=True)
    import diffusers  # noqa: F401


def export(source: Path, out: Path, params: ExportParams, progress: Progress) -> Mapping[str, object]:
    """Convert every part, ask its original what it gives, and look for weights that are no numbers.

    Raises:
        SourceError: the pipeline can't be loaded or converted.
    """
    steps = Steps(lambda step: progress(_STEPS.index(step), len(_STEPS)))
    index = pipeline.check(source)
    prepare()
    with _reading(source, out, index) as viewed:
        with steps("load"):
            loaded = _load(viewed, index, params.precision)
        with steps("convert"):
            _convert(loaded, out, pipeline.tasks(index)[0], params.precision)
        if params.tokenizer:
            with steps("tokenizers"):
                _convert_tokenizers(loaded, out)
        told: Mapping[str, object] = {}
        if params.check:
            from runner.export.pipeline_check import given_by

            with steps("compare"):
                told = kept(given_by(loaded, out, params.precision, params.check), out)
    with steps("check"):
        refuse_nan(out)
    return {"steps": steps.seconds, **told}


@contextmanager
def _reading(source: Path, out: Path, index: Mapping[str, object]) -> Iterator[Path]:
    """A folder of the needed files of `source` alone; what is wrong with one of them is told of `source`."""
    with listing.view(pipeline_files(source, index), out) as viewed, chdir(viewed):
        try:
            yield viewed
        except SourceError as error:
            raise SourceError(error.message.replace(str(viewed), str(source)), hint=error.hint) from error


def _load(folder: Path, index: Mapping[str, object], precision: str) -> Network:
    """The pipeline in PyTorch: in 16 bits if it is stored so and is to be, else in 32.

    Raises:
        SourceError: it can't be loaded, or a network lacks weights.
    """
    import diffusers
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)  # a trace runs every layer once, on little: more threads wait for each other
    stored = {kind for file in pipeline.weight_files(folder, index, viewed=True) for kind in safetensors_dtypes(file)}
    half = precision == "fp16" and bool(stored) and stored <= {"F16", "BF16"}
    try:
        loaded = getattr(diffusers, str(index["_class_name"])).from_pretrained(
            str(folder),
            torch_dtype=torch.float16 if half else torch.float32,
            local_files_only=True,
            use_safetensors=True,
        )
    except Exception as error:  # whatever these libraries raise over a folder
        message = f"{folder}: can't be loaded by diffusers: {str(error).strip().splitlines()[0]}"
        raise SourceError(message) from error
    for name, network in networks(loaded).items():
        _refuse_missing(folder / name, network)
    return loaded


def networks(loaded: Network) -> dict[str, nn.Module]:
    """Name -> component, of those that have weights."""
    from torch import nn

    return {name: one for name, one in loaded.components.items() if isinstance(one, nn.Module)}


def _refuse_missing(folder: Path, network: nn.Module) -> None:
    """diffusers gives absent weights random values, and tells it in its log alone."""
    import torch

    wanted, there = sum(one.numel() for one in network.parameters()), weights_of(sorted(folder.glob("*.safetensors")))
    if there.count < wanted:
        message = f"{folder}: its files hold {there.count} weights, and its config.json asks for {wanted}"
        raise SourceError(message, hint="Take the complete weights.")
    for name, weight in network.named_parameters():
        if weight.dtype is torch.float16 and weight.isinf().any():
            message = f"{folder}: {name} has values beyond the range of 16-bit floats"
            raise SourceError(message, hint="Set `conversion.precision: fp32`.")


def _convert(loaded: Network, out: Path, task: str, precision: str) -> None:
    import torch
    from optimum.exporters.openvino import export_from_model

    half = any(one.dtype is torch.float16 for network in networks(loaded).values() for one in network.parameters())
    with trace_once(), lean_traces():
        export_from_model(
            loaded,
            out,
            task=task,
            ov_config=ov_config("fp16" if precision == "fp16" else "fp32"),
            patch_16bit_model=half,
        )


def _convert_tokenizers(loaded: Network, out: Path) -> None:
    """Write the tokenizers as OpenVINO models too, for OpenVINO GenAI."""
    from optimum.exporters.openvino.__main__ import maybe_convert_tokenizers

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    maybe_convert_tokenizers("diffusers", out, loaded)
