"""Models that listen, and give scores."""

from functools import partial
from pathlib import Path

from runner.registry.tasks import TaskFamily, Used

_SORTS = "OVModelForAudioClassification"
_HEARING = ("Data2VecAudio", "Hubert", "SEW", "SEWD", "UniSpeech", "UniSpeechSat", "Wav2Vec2", "WavLM")
"""Kinds of models that listen, whose heads for classes are called as those of models that read."""


def _use(folder: Path, loaded_by: str) -> Used:
    from runner.model import trial

    return trial.called(folder, loaded_by)


AUDIO_CLASSIFICATION = TaskFamily(
    "audio-classification",
    "a recording gets a class",
    use=partial(_use, loaded_by=_SORTS),
    gives="class scores",
    architectures=("ForAudioClassification", *(f"{kind}ForSequenceClassification" for kind in _HEARING)),
    users_load=_SORTS,
    processor="AutoFeatureExtractor",
)
