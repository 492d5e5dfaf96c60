"""Models that write down what is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.registry.predicting import Predicts, written
from runner.registry.tasks import PAST, WRITING, TaskFamily, Used

if TYPE_CHECKING:
    from runner.data.recorded import Wanted
    from runner.model.feed import Feed

_WRITES = "OVModelForSpeechSeq2Seq"
_NAME = "automatic-speech-recognition"
_METRICS = ("word_error_rate", "character_error_rate")


def _use(folder: Path) -> Used:
    """Whisper can be converted without past too, under the name of the models of one part."""
    from runner.model import trial
    from runner.model.parts import Model

    return trial.inferred(folder) if len(Model.of(folder).parts) == 1 else trial.written(folder, _WRITES)


def _record(folder: Path, part: str, wanted: Wanted) -> Iterator[Feed]:
    from runner.data import recorded

    return recorded.of_writing(folder, _WRITES, part, wanted)


WHISPER = TaskFamily(
    _NAME + PAST,
    "a recording becomes a text, token by token: Whisper",
    use=_use,
    gives="text",
    predicts=(written("audio", most=444, libraries=("soundfile",)),),
    metrics=_METRICS,
    architectures=("WhisperForConditionalGeneration", "ForSpeechSeq2Seq"),
    parts={"encoder": "reads the recording", "decoder": "writes the text, token by token"},
    cached=("decoder",),
    record=_record,
    users_load=_WRITES,
    processor="AutoProcessor",
    libraries=WRITING,
    usage="""import openvino_genai

pipe = openvino_genai.WhisperPipeline("path/to/this/folder", "CPU")
print(pipe.generate(samples))  # a list of floats, 16,000 a second""",
)
CTC = TaskFamily(
    _NAME,
    "a recording becomes a text by connectionist temporal classification: Wav2Vec2, HuBERT",
    use=_use,
    gives="arrays",
    predicts=(
        Predicts(
            "texts",
            ("audio",),
            module="runner.metrics.predicting.spoken",
            libraries=("openvino", "numpy", "soundfile", "transformers"),
        ),
    ),
    metrics=_METRICS,
    architectures=("ForCTC",),
    users_load="OVModelForCTC",
    processor="AutoProcessor",
)
