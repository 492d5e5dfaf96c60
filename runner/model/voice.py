"""One use of a finished model that speaks, as its users load it."""

from __future__ import annotations

from pathlib import Path

from runner.model.parts import Model
from runner.model.trial import by_optimum, check_finite, load, tried
from runner.registry.tasks import Used

_AT_ONCE = 0.0
"""The probability of the end from which on a model stops to speak: any will do."""


def spoken(folder: Path, loaded_by: str) -> Used:
    """The first sounds about an example, by a class of Optimum Intel, in a voice of zeros.

    Raises:
        SourceError: the folder can't be loaded.
        StageError: the model fails, or its outputs aren't finite numbers.
    """
    import torch

    from runner.model.example import example, told
    from runner.model.feed import ports

    whole = Model.of(folder)
    text = example(folder, ports(whole.read("encoder")))
    voice = example(folder, (port for port in ports(whole.read("decoder")) if port.name == "speaker_embeddings"))
    feed = {name: torch.from_numpy(array) for name, array in {**text, **voice}.items()}
    sound = tried(folder, lambda: load(folder, loaded_by).generate(**feed, threshold=_AT_ONCE))
    check_finite(folder, "waveform", sound.numpy())
    return Used(by_optimum(), f"spoke {sound.shape[-1]} samples with {loaded_by} about {told(text)}")
