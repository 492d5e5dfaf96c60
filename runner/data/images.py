"""Images with texts: rows that name a file each, which lies below the folder of the dataset's own file."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.documents import open_regular
from runner.base.paths import refusal
from runner.errors import SourceError

if TYPE_CHECKING:
    from PIL import Image

    from runner.recipe.types import Dataset

_FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
_MOST = 1 << 25
"""Pixels: more than a small file can be allowed to become."""
_INSTALL = "pip install 'ovrun[images]'"


@dataclass(frozen=True)
class ImageText:
    """An image and the text about it.

    Attributes:
        where: the place of the row, such as `file:line`.
        path: of the image, which is a regular file.
    """

    where: str
    path: Path
    text: str


def located(dataset: Dataset, rows: Iterable[tuple[str, str, str]]) -> Iterator[ImageText]:
    """The images of rows, each the place of the row, its image's name and its text.

    Raises:
        SourceError: an image is missing, no regular file, or outside of the folder of the dataset's file.
    """
    home = dataset.path.parent.resolve()
    for where, name, text in rows:
        path = dataset.path.parent / name
        if what := _unfit(path, name, home):
            hint = "Name images relative to the dataset's file; they lie in its folder, or in folders below it."
            message = f'{where}: column "{dataset.image}": {what}'
            raise SourceError(message, hint=hint)
        yield ImageText(where, path, text)


def _unfit(path: Path, name: str, home: Path) -> str | None:
    """Why no image is read from a path; None if one may be."""
    if not name.strip():
        return "names no image"
    if what := refusal(path):
        return f"the path of an image {what}"
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return f"{name} is outside of the dataset's folder"
    try:
        real = path.resolve(strict=True)
        open_regular(real).close()
    except (OSError, RuntimeError) as error:
        return f"{path}: {getattr(error, 'strerror', None) or error}"
    return None if home in real.parents else f"{path} is a link to {real}, outside of the dataset's folder"


def check(images: Iterable[ImageText]) -> None:
    """Decode each image, once, and in a smaller size where its format can.

    Raises:
        SourceError: one can't be read, or nothing here reads images.
    """
    if not importlib.util.find_spec("PIL"):
        message = "images are read with the package pillow, which is not installed"
        raise SourceError(message, hint=_INSTALL)
    known = set()
    for one in images:
        if one.path not in known:
            opened(one, least=64)
            known.add(one.path)


def opened(one: ImageText, least: int | None = None) -> Image.Image:
    """The image in red, green and blue.

    Args:
        least: pixels a side that are enough, where its format can be decoded in a smaller size.

    Raises:
        SourceError: it can't be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), open_regular(one.path) as file:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=_FORMATS)
            if image.width * image.height > _MOST:
                message = f"{image.width} x {image.height} pixels are too many, {_MOST} are the most"
                raise ValueError(message)
            if least:
                image.draft("RGB", (least, least))
            return image.convert("RGB")
    except UnidentifiedImageError as error:
        message = f"{one.where}: {one.path}: is no image"
        raise SourceError(message, hint=f"Formats that are read: {', '.join(_FORMATS)}.") from error
    except Exception as error:  # whatever Pillow raises over broken data
        message = f"{one.where}: {one.path}: the image can't be read: {error}"
        raise SourceError(message) from error
