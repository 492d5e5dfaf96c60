"""Models that listen, and give scores."""

from runner.registry.predicting import Predicts
from runner.registry.tasks import TaskFamily
from runner.tasks import infer

_HEARING = ("Data2VecAudio", "Hubert", "SEW", "SEWD", "UniSpeech", "UniSpeechSat", "Wav2Vec2", "WavLM")
"""Kinds of models that listen, whose heads for classes are called as those of models that read."""


AUDIO_CLASSIFICATION = TaskFamily(
    "audio-classification",
    "a recording gets a class",
    use=infer,
    gives="class scores",
    predicts=tuple(
        Predicts(gives, ("audio",), libraries=("openvino", "numpy", "soundfile", "transformers"))
        for gives in ("class scores", "outputs")
    ),
    metrics=("accuracy", "f1_macro", "decision_agreement"),
    architectures=("ForAudioClassification", *(f"{kind}ForSequenceClassification" for kind in _HEARING)),
    users_load="OVModelForAudioClassification",
    processor="AutoFeatureExtractor",
)
