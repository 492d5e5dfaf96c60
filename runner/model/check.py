"""Cheap checks of a Hugging Face folder, with the standard library alone: what can be told before torch is imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from runner.errors import SourceError
from runner.model import claims, listing, sentences, vocoder
from runner.model.safetensors import check_safetensors

_FOREIGN = ("tf_model.h5", "flax_model.msgpack")
_ADAPTER = "adapter_config.json"

Read = Callable[[str], object]
"""Gives the content of a folder's JSON file."""


def check_folder(source: Path, allow_pickle: bool, *, code: bool = False) -> dict[str, object]:
    """The config.json of a folder; SourceError when `runner.export.hugging_face` could not load a model from it.

    Finds a missing folder or config.json, weights that are absent, damaged or Git LFS pointers, a shard index that
    names absent shards, a folder that holds its weights as pickles alone while `allow_pickle` is False, an adapter, a
    tokenizer that is elsewhere, more layers than weights, and, with `code`, code that is elsewhere.
    """
    if not source.is_dir():
        message = f"{source}: no such folder"
        raise SourceError(message)
    read = listing.reader(source)
    config = read_config(source, read)
    there = listing.names(source, deep=code)
    _refuse_adapter(source, there)
    _refuse_pickled_module(source, there)
    if claims.TOKENIZER in there:
        claims.refuse_files_elsewhere(source, read(claims.TOKENIZER))
    claims.refuse_counts(source, config, _check_weights(source, there, read, allow_pickle))
    inside, told = vocoder.of(there, read)
    if inside:
        _check_weights(source / vocoder.FOLDER, inside, told, allow_pickle)
    if code:
        _refuse_foreign_code(source, there, read)
    return config


def read_config(source: Path, read: Read) -> dict[str, object]:
    """The folder's config.json; SourceError when it is absent or not a JSON object that names a model type."""
    path = source / listing.CONFIG
    if not path.exists():
        raise _not_a_model(source)
    config = read(listing.CONFIG)
    if not isinstance(config, dict):
        message = f"{path}: holds no JSON object"
        raise SourceError(message)
    if not isinstance(config.get("model_type"), str):
        message = f"{path}: names no model_type, so the architecture is unknown"
        raise SourceError(message, hint=_TIMM if "pretrained_cfg" in config else None)
    return config


_TIMM = (
    "It is a model of timm, which Optimum Intel converts no more. Where timm and the torchvision that it imports are "
    "installed, give it as source: pytorch: a file that calls timm.create_model, with model.safetensors as its weights."
)
_OTHERS = {
    "adapter_config.json": "It is an adapter: give its base as model.path, and this folder as model.adapter.path.",
    "*.gguf": "GGUF is not read; give the model's folder with config.json and safetensors.",
    "*": "Give the folder that holds config.json and the weights; a hub cache has it at snapshots/<revision>.",
}
"""What is in a folder that is no model -> what to say of it; the first that fits."""


def _not_a_model(source: Path) -> SourceError:
    message = f"{source}: not a Hugging Face model folder: it has no config.json"
    hint = next((hint for pattern, hint in _OTHERS.items() if any(source.glob(pattern))), _OTHERS["*"])
    return SourceError(message, hint=hint)


def safetensors_files(source: Path, read: Read) -> list[Path]:
    """The safetensors files that transformers would load; none where the folder has no such weights."""
    main = listing.main_weights(listing.names(source), read, allow_pickle=False)
    if main is None:
        return []
    return _shards(source, main, read) if main.endswith(".index.json") else [source / main]


def _check_weights(source: Path, there: Collection[str], read: Read, allow_pickle: bool) -> int:
    """Look at the weight files in the order in which transformers takes them; how many weights safetensors hold."""
    files = safetensors_files(source, read)
    weights = 0
    for file in files:
        listing.real_file(source, file.relative_to(source).as_posix())
        weights += check_safetensors(file)
    if files:
        return weights
    if listing.PICKLE in there or listing.PICKLE_INDEX in there:
        _check_pickle(source, there, read, allow_pickle)
    else:
        _no_weights(source, there)
    return weights


def _shards(source: Path, index: str, read: Read) -> list[Path]:
    """The shard files that an index names, each once; SourceError when one is absent."""
    names = listing.shards(str(source / index), read(index))
    missing = [name for name in names if not (source / name).exists()]
    if missing:
        place = source / index
        message = f"{place}: names {len(missing)} of {len(names)} shards that are not there: {', '.join(missing)}"
        raise SourceError(message, hint="Download the model again; the shards belong beside their index.")
    return [source / name for name in names]


def _check_pickle(source: Path, there: Collection[str], read: Read, allow_pickle: bool) -> None:
    if not allow_pickle:
        message = (
            f"{source}: its weights are there as a pickle alone ({listing.PICKLE}), "
            "and loading a pickle can run any code"
        )
        hint = "Save the model as safetensors, or set `model.allow_pickle: true` if you trust where it comes from."
        raise SourceError(message, hint=hint)
    if listing.PICKLE not in there:
        _shards(source, listing.PICKLE_INDEX, read)


def _no_weights(source: Path, there: Collection[str]) -> None:
    foreign = [name for name in _FOREIGN if name in there]
    found = f"only {', '.join(foreign)}, which is not PyTorch's" if foreign else "no weights"
    message = f"{source}: holds {found}; {listing.SAFETENSORS} or {listing.SAFETENSORS_INDEX} is needed"
    raise SourceError(message)


def _refuse_adapter(source: Path, there: Collection[str]) -> None:
    """transformers would put an adapter into the model by itself, but only where PEFT is installed."""
    if _ADAPTER in there:
        message = f"{source}: holds a PEFT adapter ({_ADAPTER}), which is no model by itself"
        raise SourceError(message, hint="Name its base model in `model`, and this folder as `model.adapter.path`.")


def _refuse_pickled_module(source: Path, there: Collection[str]) -> None:
    """A step that sentence-transformers does after the network may have weights, such as a Dense layer."""
    for name in there if sentences.STEPS in there else ():
        folder, _, file = name.partition("/")
        if file == listing.PICKLE and f"{folder}/{listing.SAFETENSORS}" not in there:
            message = f"{source / name}: these weights of sentence-transformers are there as a pickle alone"
            raise SourceError(message, hint="Load the folder with SentenceTransformer, and save it: as safetensors.")


def _refuse_foreign_code(source: Path, there: Collection[str], read: Read) -> None:
    """`auto_map: {AutoModel: other/repository--module.Class}` loads code that is no part of this model."""
    for name in there:
        if "/" not in name and name.endswith(".json") and listing.is_setting(name):
            foreign = next((one for one in _code_of(read(name)) if "--" in one), None)
            if foreign is not None:
                message = f"{source / name}: takes Python code from elsewhere: {foreign}"
                raise SourceError(message, hint="Put that code into the model's folder, and name it there (auto_map).")


def _code_of(value: object) -> Iterator[str]:
    """All that the `auto_map`s in a configuration name."""
    waiting = [(value, False)]
    while waiting:
        one, named = waiting.pop()
        if isinstance(one, dict):
            waiting += [(inner, named or key == "auto_map") for key, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(inner, named) for inner in one]
        elif named and isinstance(one, str):
            yield one
