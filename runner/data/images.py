"""Images: files that rows name, or what rows hold of them, decoded when they are asked for."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.data.handles import Handle
from runner.errors import SourceError

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
_MOST = 1 << 25
"""Pixels: more than a small file can be allowed to become."""
_INSTALL = "pip install 'ovrun[images]'"


@dataclass(frozen=True)
class Picture(Handle):
    """An image of a row."""

    what = "image"


@dataclass(frozen=True)
class ImageText(Picture):
    """An image and the text about it."""

    text: str = ""


def check(images: Iterable[Picture]) -> None:
    """Decode each image, once, and in a smaller size where its format can.

    Raises:
        SourceError: one can't be read, or nothing here reads images.
    """
    if not importlib.util.find_spec("PIL"):
        message = "images are read with the package pillow, which is not installed"
        raise SourceError(message, hint=_INSTALL)
    known = set()
    for one in images:
        if one.content is not None or one.path not in known:
            opened(one, least=64)
            known.add(one.path)


def opened(one: Picture, least: int | None = None, mode: str = "RGB") -> Image.Image:
    """The image in red, green and blue.

    Args:
        least: pixels a side that are enough, where its format can be decoded in a smaller size.
        mode: Pillow's, of what is given; "" for the image's own.

    Raises:
        SourceError: it can't be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), one.stream() as file:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=_FORMATS)
            if image.width * image.height > _MOST:
                message = f"{image.width} x {image.height} pixels are too many, {_MOST} are the most"
                raise ValueError(message)
            if least:
                image.draft("RGB", (least, least))
            return image.convert(mode or image.mode)
    except SourceError:
        raise
    except UnidentifiedImageError as error:
        message = f"{one.place}: is no image"
        raise SourceError(message, hint=f"Formats that are read: {', '.join(_FORMATS)}.") from error
    except Exception as error:  # whatever Pillow raises over broken data
        message = f"{one.place}: the image can't be read: {error}"
        raise SourceError(message) from error
