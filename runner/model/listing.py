"""Which files of a model's folder may be read: one list for checks, digests, downloads, conversions and tokenizers.

Nothing else can be read: a conversion sees a folder of links to these files (`view`). A name that leads out of the
folder is refused, whether a configuration states it or a symbolic link does.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import runner.base.files as fs
from runner.base import links
from runner.errors import SourceError
from runner.model import sentences, vocoder

CONFIG = "config.json"
SAFETENSORS = "model.safetensors"
SAFETENSORS_INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
TEMPLATES = "additional_chat_templates"

_SUFFIXES = (".json", ".txt", ".model", ".jinja", ".tiktoken", ".spm", ".codes", ".tokenizer")
_LONGEST = 256  # bytes of a name and its end
_OTHER_FORMS = ("tf_model", "flax_model", "rust_model")
_NO_TOKENIZER = frozenset(
    {
        *("openvino_config.json", "preprocessor_config.json", "processor_config.json"),
        *("video_preprocessor_config.json", "requirements.txt"),
    }
)


def is_setting(name: str) -> bool:
    """Whether a file at the top of a folder is a configuration, a tokenizer's or a template."""
    low = name.lower()
    return (
        (name.endswith(_SUFFIXES) or name.startswith("tokenizer.model"))
        and not name.startswith((".", *_OTHER_FORMS))
        and not low.startswith(("readme", "license"))
        and not name.endswith(".index.json")
    )


def patterns() -> str:
    """What a shell's patterns of the settings are, quoted."""
    return " ".join(f"'*{suffix}'" for suffix in _SUFFIXES)


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a model's folder that make its tokenizer and its special tokens, sorted by name."""
    return [folder / name for name in _settings(names(folder)) if name not in _NO_TOKENIZER]


def needed(
    there: Collection[str], read: Callable[[str], object], *, allow_pickle: bool = False, code: bool = False
) -> list[str]:
    """The files of a Hugging Face model that an export reads: configuration, tokenizer, one set of weights, code.

    Args:
        there: names of all files, relative to the folder.
        read: gives the content of a JSON file among them.
        allow_pickle: take PyTorch pickles where there are no safetensors.
        code: take the Python files that come with the model.

    Raises:
        SourceError: a name leads out of the folder.
    """
    found = {*without_weights(there, code=code), *_weights(there, read, allow_pickle)}
    inside, told = vocoder.of(there, read)
    if inside:
        found |= {f"{vocoder.FOLDER}/{name}" for name in (CONFIG, *_weights(inside, told, allow_pickle))}
    return sorted(found)


def without_weights(there: Iterable[str], *, code: bool = False) -> list[str]:
    """The files of a Hugging Face model that an export reads besides its weights."""
    found = [*there]
    return sorted({*_settings(found), *(name for name in found if code and name.endswith(".py"))})


def _settings(there: Collection[str]) -> list[str]:
    return sorted(
        name
        for name in there
        if name == TEMPLATES
        or ("/" not in name and is_setting(name))
        or (name.startswith(f"{TEMPLATES}/") and name.count("/") == 1 and name.endswith(".jinja"))
        or (sentences.is_of_step(name) and sentences.STEPS in there)
    )


def _weights(there: Collection[str], read: Callable[[str], object], allow_pickle: bool) -> list[str]:
    """The files of weights, in the order in which transformers looks for them."""
    main = main_weights(there, read, allow_pickle)
    if main is None:
        return []
    return [main, *shards(main, read(main))] if main.endswith(".index.json") else [main]


def main_weights(there: Collection[str], read: Callable[[str], object], allow_pickle: bool) -> str | None:
    """The file of weights that transformers asks for first, which may be an index of others; None without any.

    Raises:
        SourceError: config.json names one out of the folder.
    """
    config = read(CONFIG) if CONFIG in there else None
    stated = config.get("transformers_weights") if isinstance(config, dict) else None
    if stated is not None:
        if not isinstance(stated, str) or not stated.endswith((".safetensors", ".safetensors.index.json")):
            message = f"{CONFIG}: transformers_weights names no safetensors: {stated!r}"
            raise SourceError(message)
        return inner_name(CONFIG, stated)
    usual = (SAFETENSORS, SAFETENSORS_INDEX, *((PICKLE, PICKLE_INDEX) if allow_pickle else ()))
    return next((name for name in usual if name in there), None)


def shards(index: str, content: object) -> list[str]:
    """The files that an index of weights names, each once.

    Raises:
        SourceError: it is no such index, or a name leads out of the folder.
    """
    weights = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights or not all(isinstance(name, str) for name in weights.values()):
        message = f"{index}: has no weight_map, which says in which file each weight is"
        raise SourceError(message, hint="Download the file again.")
    return sorted({inner_name(index, name) for name in weights.values()})


def inner_name(stated_by: str, name: str) -> str:
    """A name that a file of the model states, in its plain form.

    Raises:
        SourceError: it leads out of the folder.
    """
    path = PurePosixPath(name)
    if not path.parts or not is_inner(name):
        message = f"{stated_by}: names the file {name!r}, which is outside of the model's folder"
        raise SourceError(message, hint="Nothing outside is read. Bring the file into the folder, and name it there.")
    return path.as_posix()


def is_inner(name: str) -> bool:
    """Whether a name can be that of a file in a folder."""
    parts = name.replace("\\", "/").split("/")
    usable = _is_text(name) and "\0" not in name and all(len(part.encode()) < _LONGEST for part in parts)
    return usable and ".." not in parts and not name.startswith("/")


def names(root: Path, *, deep: bool = False) -> list[str]:
    """The names of what lies in a folder and is no folder itself; of folders inside, only chat templates, a vocoder and
    what sentence-transformers does after the network.

    With `deep`, all below it. A link to a folder elsewhere is named itself, and so refused where it is needed. Names
    that are no text are left out: no loader can ask for them.
    """
    steps = (name for name, is_folder in _entries(root, "") if is_folder and sentences.is_step(name))
    folders = ["", *_folders(root, "")] if deep else ["", TEMPLATES, vocoder.FOLDER, *steps]
    return sorted(name for folder in folders for name in _below(root, folder))


def _below(root: Path, folder: str) -> list[str]:
    return [name for name, is_folder in _entries(root, folder) if not is_folder]


def _folders(root: Path, folder: str) -> Iterator[str]:
    for name, is_folder in _entries(root, folder):
        if is_folder:
            yield name
            yield from _folders(root, name)


def _entries(root: Path, folder: str) -> Iterator[tuple[str, bool]]:
    """What lies in a folder: its name relative to the root, and whether it is a folder inside of the root."""
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if _is_text(entry.name):
                    yield name, entry.is_dir(follow_symlinks=False) or _is_inner_folder(root, name)
    except (FileNotFoundError, NotADirectoryError):
        return


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_inner_folder(root: Path, name: str) -> bool:
    """Whether a link leads to a folder below the root that is not around the link, which would have no end."""
    path = root / name
    if not path.is_symlink():
        return False
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return False
    around = path.parent.resolve()
    return real.is_dir() and root.resolve() in real.parents and real not in (around, *around.parents)


def real_files(root: Path, wanted: Iterable[str]) -> dict[str, Path]:
    """Name -> the regular file that it stands for.

    Raises:
        SourceError: one is not there, is no file, or lies outside of the folder.
    """
    home = root.resolve()
    return {name: real_file(root, name, home) for name in wanted}


def real_file(root: Path, name: str, home: Path | None = None) -> Path:
    """The regular file that a name in a folder stands for, links followed inside of the folder alone.

    Raises:
        SourceError: it is not there, is no file, or lies outside of the folder.
    """
    path, home = root / name, home or root.resolve()
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:
        message = f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise SourceError(message, hint="Download or copy the file again.") from error
    if not any(around in real.parents for around in (home, *_blobs(home))):
        message = f"{path}: is a link to {real}, outside of the model's folder"
        raise SourceError(message, hint="Nothing outside is read. Put a copy of the file in the place of the link.")
    if not stat.S_ISREG(mode):
        message = f"{path}: is no regular file"
        raise SourceError(message)
    return real


def _blobs(home: Path) -> list[Path]:
    """Where a hub's cache keeps what a snapshot of a model links to."""
    snapshots = home.parent
    if snapshots.name == "snapshots" and snapshots.parent.name.startswith("models--"):
        return [snapshots.parent / "blobs"]
    return []


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        SourceError: it can't be read or is no JSON.
    """
    try:
        return json.loads(fs.read_limited(path, fs.JSON_LIMIT))
    except RecursionError as error:
        message = f"{path}: cannot be read as JSON: it is nested too deeply"
        raise SourceError(message) from error
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as JSON: {getattr(error, 'strerror', None) or error}"
        raise SourceError(message) from error


def reader(root: Path, *, viewed: bool = False) -> Callable[[str], object]:
    """What gives the content of a folder's JSON file by its name; SourceError as `real_file` and `read_json`.

    In a `view`, whose links lead out of it to files that were looked at before, all are followed.
    """

    def read(name: str) -> Any:
        if not viewed:
            real_file(root, name)
        return read_json(root / name)

    return read


@contextmanager
def view(files: Mapping[str, Path], beside: Path) -> Iterator[Path]:
    """A folder of links to exactly these files, the only one in a folder made beside another, and gone afterwards.

    Where the system makes no symbolic links, it holds copies.
    """
    with tempfile.TemporaryDirectory(dir=beside.parent, prefix="source.") as made:
        folder = Path(made) / "model"
        folder.mkdir()
        for name, path in files.items():
            link = folder / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not links.symlink(link, path.resolve()):
                fs.copy_file(path.resolve(), link)
        yield folder
