"""A folder of a pipeline of diffusers: model_index.json names its components, each of them in a folder of its own.

Everything here is told by names, JSON files and the headers of safetensors; diffusers is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from runner.base.words import near
from runner.errors import SourceError
from runner.model import claims, listing
from runner.model.safetensors import check_safetensors

INDEX = "model_index.json"
READER = "diffusers"
"""The exporter of such folders."""
TASKS = ("text-to-image", "image-to-image", "inpainting")
"""Optimum's names of what a pipeline may be for."""
_LIBRARIES = frozenset({"diffusers", "transformers", "stable_diffusion"})
_KINDS = ("StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "Flux", "LatentConsistencyModel")
_ENDS = {"Pipeline": TASKS, "Img2ImgPipeline": ("image-to-image",), "InpaintPipeline": ("inpainting",)}
_CLASSES: Mapping[str, tuple[str, ...]] = {
    **{f"{kind}{end}": tasks for kind in _KINDS for end, tasks in _ENDS.items()},
    "FluxFillPipeline": ("inpainting",),
}
"""Class of a pipeline that Optimum Intel converts -> what it can be used for, the usual first."""
_WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")
_PICKLES = ("diffusion_pytorch_model.bin", "pytorch_model.bin")
_SETTINGS = frozenset({"config.json", "preprocessor_config.json", "scheduler_config.json", claims.TOKENIZER})
_CLIP_TOKENIZER = "CLIPTokenizer"

Read = Callable[[str], object]
"""Gives the content of a folder's JSON file."""


def read_index(source: Path, read: Read) -> dict[str, object]:
    """The content of model_index.json.

    Raises:
        SourceError: it is no such index, or one of a pipeline that Optimum Intel doesn't convert.
    """
    place, index = source / INDEX, read(INDEX)
    if not isinstance(index, dict):
        message = f"{place}: holds no JSON object"
        raise SourceError(message)
    name = index.get("_class_name")
    if not isinstance(name, str):
        what = "names no _class_name" if name is None else "names Python code of its own as _class_name"
        message = f"{place}: {what}, so nobody knows what kind of pipeline it is"
        raise SourceError(message, hint=f"Such as {_KINDS[0]}Pipeline.")
    if name not in _CLASSES:
        guess = near(name, _CLASSES)
        suggestion = f" (did you mean {guess}?)" if guess else ""
        message = f"{place}: a {name} is not converted{suggestion}"
        raise SourceError(message, hint=f"Those that are: {', '.join(f'{kind}Pipeline' for kind in _KINDS)}.")
    for component, library in _libraries(index):
        if library not in _LIBRARIES:
            message = f"{place}: {component} is of {library}; components of diffusers and transformers are read"
            raise SourceError(message, hint="Python code that comes with a pipeline is never run.")
    return index


def _libraries(index: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each component that the pipeline has, and the library of its class."""
    for name, value in index.items():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and not name.startswith("_"):
            yield name, value[0]


def components(index: Mapping[str, object]) -> list[str]:
    """Names of the components that the pipeline has: the folders that are read."""
    found = [name for name, _ in _libraries(index)]
    if not all(listing.is_inner(name) and "/" not in name for name in found):
        message = f"{INDEX}: a component is called {found}, which can't be folders"
        raise SourceError(message)
    return found


def tasks(index: Mapping[str, object]) -> tuple[str, ...]:
    """What a pipeline can be used for, the usual first."""
    return _CLASSES[str(index["_class_name"])]


def parts(index: Mapping[str, object]) -> list[str]:
    """The parts of the converted model."""
    there = components(index)
    named = [name for name in there if name.startswith("text_encoder") or name in ("unet", "transformer")]
    return [*named, *(("vae_encoder", "vae_decoder") if "vae" in there else ())]


def needed(there: Collection[str], read: Read, index: Mapping[str, object], *, shards: bool = True) -> list[str]:
    """The files that an export reads.

    Args:
        there: names of all files below the folder.
        read: gives the content of a JSON file among them.
        shards: also those files of weights that an index among them names.

    Raises:
        SourceError: a name leads out of the folder.
    """
    found = {INDEX}
    for component in components(index):
        inside = [name for name in there if str(PurePosixPath(name).parent) == component]
        found |= {name for name in inside if listing.is_setting(PurePosixPath(name).name)}
        found |= set(_weights(component, inside, read if shards else None))
    return sorted(found)


def _weights(component: str, inside: Collection[str], read: Read | None) -> list[str]:
    """A component's files of weights, in the order in which diffusers looks for them."""
    for name in (f"{component}/{usual}" for usual in _WEIGHTS):
        if name in inside:
            return [name]
        if (index := f"{name}.index.json") in inside:
            named = listing.shards(index, read(index)) if read else []
            return [index, *(f"{component}/{shard}" for shard in named)]
    return []


def check(source: Path) -> dict[str, object]:
    """The model_index.json of a folder from which a pipeline can be loaded.

    Raises:
        SourceError: it can't: a component is absent, has no weights or damaged ones, or names files elsewhere.
    """
    read = listing.reader(source)
    index = read_index(source, read)
    there = listing.names(source, deep=True)
    for component in components(index):
        _check_component(source, component, [name for name in there if name.startswith(f"{component}/")], read)
    return index


def _check_component(source: Path, component: str, inside: Collection[str], read: Read) -> None:
    settings = {name: f"{component}/{name}" for name in _SETTINGS if f"{component}/{name}" in inside}
    if not settings:
        message = f"{source / component}: {INDEX} names this component, and no settings of it are there"
        raise SourceError(message, hint="Download the whole folder again.")
    if claims.TOKENIZER in settings:
        _check_tokenizer(source / component, read(settings[claims.TOKENIZER]))
    if "config.json" not in settings:
        return
    config = read(settings["config.json"])
    if not isinstance(config, dict):
        message = f"{source / component / 'config.json'}: holds no JSON object"
        raise SourceError(message)
    files = [name for name in _weights(component, inside, read) if name.endswith(".safetensors")]
    if not files:
        raise _no_weights(source / component, inside)
    counted = 0
    for name in files:
        listing.real_file(source, name)
        counted += check_safetensors(source / name)
    claims.refuse_counts(source / component, config, counted)


def _check_tokenizer(folder: Path, settings: object) -> None:
    claims.refuse_files_elsewhere(folder, settings)
    if isinstance(settings, dict) and settings.get("tokenizer_class") == _CLIP_TOKENIZER:
        if not isinstance(settings.get("model_max_length"), int):
            message = f"{folder / claims.TOKENIZER}: states no model_max_length, the tokens that the text encoder takes"
            raise SourceError(message, hint="CLIP's have 77; its text encoder's max_position_embeddings says it.")


def _no_weights(folder: Path, inside: Collection[str]) -> SourceError:
    names = {PurePosixPath(name).name for name in inside}
    variants = sorted(name for name in names if name.endswith(".safetensors"))
    if variants:
        message = f"{folder}: its weights are called {variants[0]}; {' or '.join(_WEIGHTS)} is needed"
        return SourceError(message, hint="Save the pipeline without a variant, or give the file its usual name.")
    if names & set(_PICKLES):
        message = f"{folder}: its weights are there as a pickle alone, and loading a pickle can run any code"
        return SourceError(message, hint="Load the pipeline with diffusers, and save it: as safetensors.")
    return SourceError(f"{folder}: holds no weights; {' or '.join(_WEIGHTS)} is needed")


def weight_files(source: Path, index: Mapping[str, object], *, viewed: bool = False) -> list[Path]:
    """The safetensors files of all components; `viewed` as for `listing.reader`."""
    wanted = needed(listing.names(source, deep=True), listing.reader(source, viewed=viewed), index)
    return [source / name for name in wanted if name.endswith(".safetensors")]
