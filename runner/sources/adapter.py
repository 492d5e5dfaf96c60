"""A PEFT adapter: a folder of small weights that are merged into a model, or lie beside the converted one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.base.words import near
from runner.errors import SourceError
from runner.model import listing
from runner.model.check import safetensors_files
from runner.model.safetensors import check_safetensors, shapes

if TYPE_CHECKING:
    from runner.sources import Fetch

SETTINGS, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
MERGED = ("IA3", "LOHA", "LOKR", "LORA")
"""PEFT's names of the methods whose result is the model itself with other weights."""
_PREFIX = "base_model.model."
_HALVES = (".lora_A.weight", ".lora_B.weight")


@dataclass(frozen=True)
class Adapter:
    """An adapter that was found.

    Attributes:
        kind: PEFT's name of its method, such as LORA.
        settings: its configuration.
        digest: SHA-256 over its two files, or None while they have to be fetched.
        files: name -> file, if they are here.
        fetch: what has to be fetched first, or None.
        merge: whether it becomes part of the model's weights.
    """

    path: Path
    kind: str
    settings: Mapping[str, object] = field(hash=False)
    digest: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict, hash=False)
    fetch: Fetch | None = None
    merge: bool = True

    @property
    def base(self) -> str | None:
        """The model that it was trained for, as its configuration names it."""
        said = self.settings.get("base_model_name_or_path")
        return said if isinstance(said, str) else None


def find(path: Path, memory: Path | None = None) -> Adapter:
    """The adapter in a folder.

    Args:
        memory: the file that remembers its digest; None for none.

    Raises:
        SourceError: it is not there, is damaged, a pickle, or of a method that can't be merged.
    """
    there = listing.names(path) if path.is_dir() else []
    if SETTINGS not in there:
        message = f"{path}: there is no adapter: it has no {SETTINGS}"
        raise SourceError(message, hint="model.adapter.path is a folder, relative to the file that states it.")
    files = listing.real_files(path, [SETTINGS, *([WEIGHTS] if WEIGHTS in there else [])])
    told = described(path)
    if WEIGHTS not in there:
        raise _no_weights(path, PICKLE in there)
    check_safetensors(files[WEIGHTS])
    return replace(told, digest=fs.digest_paths(files, memory), files=files)


def described(path: Path) -> Adapter:
    """What an adapter's configuration tells of it.

    Raises:
        SourceError: it can't be read, or is of a method that can't be merged.
    """
    settings = listing.reader(path)(SETTINGS)
    if not isinstance(settings, dict):
        message = f"{path / SETTINGS}: holds no JSON object"
        raise SourceError(message)
    return Adapter(path, _kind(path, settings), settings)


def _kind(path: Path, settings: Mapping[str, object]) -> str:
    kind = settings.get("peft_type")
    if kind not in MERGED:
        guess = near(str(kind), MERGED)
        suggestion = f" (did you mean {guess}?)" if guess else ""
        message = f"{path / SETTINGS}: an adapter of type {kind} can't be merged into a model{suggestion}"
        raise SourceError(message, hint=f"peft_type can be {', '.join(MERGED)}.")
    if settings.get("megatron_config"):
        message = f"{path / SETTINGS}: megatron_config names Python code of its own, which is not loaded"
        raise SourceError(message)
    return str(kind)


def _no_weights(path: Path, pickled: bool) -> SourceError:
    if pickled:
        message = f"{path}: its weights are there as a pickle alone ({PICKLE}), and loading a pickle can run any code"
        return SourceError(message, hint="Load it with PEFT where you trust it, and save it again: as safetensors.")
    return SourceError(f"{path}: has no {WEIGHTS}")


def refuse_misfit(adapter: Adapter, model: Path) -> None:
    """Hold the names and shapes of an adapter's weights against those of the model's safetensors.

    Raises:
        SourceError: it changes layers that the model lacks, or that have other sizes there.
    """
    files = safetensors_files(model, listing.reader(model))
    held = {name: shape for file in files for name, shape in shapes(file).items()}
    wrong = list(_misfits(shapes(adapter.files[WEIGHTS]), held)) if held else []
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = f"{adapter.path}: the adapter is not one of this model: {wrong[0]}{more}"
        named = f": {adapter.base}" if adapter.base else ""
        raise SourceError(message, hint=f"Take the model that it was trained for{named}.")


def _misfits(adapter: Mapping[str, list[int]], model: Mapping[str, list[int]]) -> Iterator[str]:
    """What of an adapter's numbered layers does not fit; names before the number differ between a model's classes."""
    known = {end: shape for name, shape in model.items() if (end := _numbered(name))}
    for name, shape in adapter.items():
        layer = name.removeprefix(_PREFIX)
        half = next((half for half in _HALVES if layer.endswith(half)), None)
        end = _numbered(f"{layer.removesuffix(half)}.weight") if half else None
        if not half or not end or ".experts." in layer:
            continue
        if end not in known:
            yield f"the model has no layer {layer.removesuffix(half)}"
        elif len(known[end]) == 2 and shape[half == _HALVES[0]] not in known[end]:
            yield f"{layer} has shape {shape}, and the layer has {known[end]}"


def _numbered(name: str) -> str | None:
    """The end of a weight's name from its first number and the word before that on; None without a number."""
    words = name.split(".")
    at = next((index for index, word in enumerate(words) if word.isdigit()), 0)
    return ".".join(words[at - 1 :]) if at else None
