"""Sounds: files that rows name, or what rows hold of them, decoded when they are asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.data.handles import Handle
from runner.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FORMATS = ("WAV", "FLAC")
_LONGEST = 1 << 28
"""Samples of all channels: more than a small file can be allowed to become."""
_INSTALL = "pip install 'ovrun[audio]'"


@dataclass(frozen=True)
class Sound(Handle):
    """A sound of a row."""

    what = "sound"


def check(sounds: Iterable[Sound]) -> None:
    """Decode each sound, once.

    Raises:
        SourceError: one can't be read, or nothing here reads sounds.
    """
    if not importlib.util.find_spec("soundfile"):
        message = "sounds are read with the package soundfile, which is not installed"
        raise SourceError(message, hint=_INSTALL)
    known = set()
    for one in sounds:
        if one.content is not None or one.path not in known:
            samples(one)
            known.add(one.path)


def samples(one: Sound) -> tuple[NDArray[np.float32], int]:
    """The sound, the mean of its channels, from -1 to 1, shape [samples]; and how many samples a second has.

    Raises:
        SourceError: it can't be read, or is empty.
    """
    import numpy as np
    import soundfile

    try:
        with one.stream() as file, soundfile.SoundFile(file) as opened:
            if opened.format not in _FORMATS:
                message = f"the file is {opened.format}; read are {', '.join(_FORMATS)}"
                raise ValueError(message)
            if opened.frames * opened.channels > _LONGEST:
                message = f"{opened.frames} samples are too many, {_LONGEST} are the most"
                raise ValueError(message)
            found, rate = opened.read(dtype="float32", always_2d=True), opened.samplerate
            if len(found) != opened.frames or not len(found):
                message = f"{opened.frames} samples are said to be there, and {len(found)} are"
                raise ValueError(message)
            if not np.isfinite(found).all():
                message = "it has samples that are no finite numbers"
                raise ValueError(message)
    except SourceError:
        raise
    except Exception as error:  # whatever the library raises over broken data
        message = f"{one.place}: the sound can't be read: {error}"
        raise SourceError(message) from error
    return np.ascontiguousarray(found.mean(axis=1, dtype=np.float32)), int(rate)
