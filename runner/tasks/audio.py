"""Models that listen, and give scores."""

from pathlib import Path

from runner.registry.tasks import TaskFamily, Used

_HEARING = ("Data2VecAudio", "Hubert", "SEW", "SEWD", "UniSpeech", "UniSpeechSat", "Wav2Vec2", "WavLM")
"""Kinds of models that listen, whose heads for classes are called as those of models that read."""


def _use(folder: Path) -> Used:
    from runner.model import trial

    return trial.inferred(folder)


AUDIO_CLASSIFICATION = TaskFamily(
    "audio-classification",
    "a recording gets a class",
    use=_use,
    gives="class scores",
    architectures=("ForAudioClassification", *(f"{kind}ForSequenceClassification" for kind in _HEARING)),
    users_load="OVModelForAudioClassification",
    processor="AutoFeatureExtractor",
)
