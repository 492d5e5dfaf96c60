"""Images as a model's own image processor makes inputs of them, on Pillow."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

import runner.base.files as fs
from runner.base.python import without_telemetry
from runner.data.images import Picture, opened
from runner.errors import SourceError
from runner.model.feed import Feed, Port, array_feed

if TYPE_CHECKING:
    from PIL import Image

    from runner.base.values import Array
    from runner.data.table import Row

_FILE = "preprocessor_config.json"


class Processor(Protocol):
    """An image processor or a feature extractor of transformers."""

    def __call__(self, *data: object, **settings: object) -> Mapping[str, Array]:
        """What it makes of data, by the names of a model's inputs."""


class Pictures:
    """Feeds a model with images.

    Raises:
        SourceError: the folder has no image processor that can be loaded.
    """

    def __init__(self, folder: Path, inputs: Iterable[Port]) -> None:
        self.folder, self.inputs, self.rows = folder, tuple(inputs), 0
        self.processor = image_processor(folder)

    def feed(self, row: Row) -> Feed:
        """As `runner.data.feeding.Feeder` says."""
        return self.of(row.where, picture(row))

    def of(self, where: str, image: Image.Image) -> Feed:
        """An image's inputs.

        Raises:
            SourceError: the processor makes nothing of it that the model takes.
        """
        self.rows += 1
        made = processed(where, lambda: self.processor(images=image, return_tensors="np"))
        return fed(where, self.inputs, made)

    def told(self) -> dict[str, object]:
        """As `runner.data.feeding.Feeder` says."""
        return {"rows": self.rows, "image_processor": type(self.processor).__name__}


def picture(row: Row) -> Image.Image:
    """The image of a row, in red, green and blue.

    Raises:
        SourceError: it can't be read.
    """
    found = row.values["image"]
    if isinstance(found, Picture):
        return opened(found)
    from PIL import Image

    array = np.asarray(found)
    if array.dtype != np.uint8 or array.ndim not in (2, 3):
        message = (
            f"{row.where}: an image is an array of bytes [height, width, 3], not {array.dtype} {list(array.shape)}"
        )
        raise SourceError(message)
    return Image.fromarray(array).convert("RGB")


def image_processor(folder: Path) -> Processor:
    """The image processor of a folder, the one that works on Pillow.

    Raises:
        SourceError: there is none, or it can't be loaded.
    """
    without_telemetry()
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    return _loaded(
        folder, lambda: _direct(folder) or AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL), "image"
    )


def _direct(folder: Path) -> Processor | None:
    """The processor by its module: that of SegFormer and others is hidden without torchvision, though it needs none."""
    kind = fs.read_object(folder / "config.json").get("model_type")
    name = str(fs.read_object(folder / _FILE).get("image_processor_type")).removesuffix("Fast").removesuffix("Pil")
    if not isinstance(kind, str) or not kind.replace("-", "_").isidentifier():
        return None
    try:
        module = importlib.import_module(f"transformers.models.{kind}.image_processing_pil_{kind}")
        found: Processor = getattr(module, f"{name}Pil").from_pretrained(folder, **_LOCAL)
    except (ImportError, AttributeError):
        return None
    return found


def feature_extractor(folder: Path) -> Processor:
    """The feature extractor of a folder.

    Raises:
        SourceError: there is none, or it can't be loaded.
    """
    without_telemetry()
    from transformers import AutoFeatureExtractor

    return _loaded(folder, lambda: AutoFeatureExtractor.from_pretrained(folder, **_LOCAL), "sound")


_LOCAL: Mapping[str, bool] = {"local_files_only": True, "trust_remote_code": False}


def _loaded(folder: Path, load: Callable[[], Processor], what: str) -> Processor:
    if not (folder / _FILE).is_file() and not (folder / "processor_config.json").is_file():
        message = f"{folder}: there is no {_FILE}, which says how a model is fed with an {what}"
        raise SourceError(message.replace("an sound", "a sound"))
    try:
        return load()
    except Exception as error:  # whatever the library raises
        message = f"{folder}: its processor can't be loaded: {error}"
        raise SourceError(message) from error


def processed(where: str, make: Callable[[], Mapping[str, Array]]) -> Mapping[str, Array]:
    """What a processor makes of a row.

    Raises:
        SourceError: it fails.
    """
    try:
        return make()
    except Exception as error:  # whatever the library raises
        message = f"{where}: the model's processor can't take this row: {error}"
        raise SourceError(message) from error


def fed(where: str, inputs: Iterable[Port], made: Mapping[str, Array]) -> Feed:
    """What a processor made, as a model's inputs; a mask that it leaves out is all ones.

    Raises:
        SourceError: it lacks an input, or has another shape than the model takes.
    """
    ports = tuple(inputs)
    first = next((np.asarray(array) for array in made.values()), np.zeros(0))
    arrays = {port.name: _made(port, made, first) for port in ports}
    if lacking := [name for name, array in arrays.items() if array is None]:
        needs = ", ".join(str(port) for port in ports)
        message = f"{where}: the model's inputs are {needs}; its processor gives no {', '.join(lacking)}"
        raise SourceError(message)
    found = {name: array for name, array in arrays.items() if array is not None}
    try:
        return array_feed({port.name: port for port in ports}, found, "of rows")
    except SourceError as error:
        message = f"{where}: {error.message.removeprefix('dataset of rows ')}"
        raise SourceError(message) from error


def _made(port: Port, made: Mapping[str, Array], first: Array) -> Array | None:
    name = next((name for name in (port.name, *port.names) if name in made), None)
    if name is not None:
        return np.asarray(made[name])
    if port.name == "pixel_mask" and first.ndim == 4:
        return np.ones((len(first), *first.shape[2:]), port.dtype)
    if port.name == "attention_mask" and first.ndim == 2:
        return np.ones(first.shape, port.dtype)
    return None
