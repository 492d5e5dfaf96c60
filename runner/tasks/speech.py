"""Models that write down what is spoken."""

from pathlib import Path

from runner.registry.tasks import TaskFamily, Used

LOADED_BY = "OVModelForSpeechSeq2Seq"


def _use(folder: Path) -> Used:
    """A sequence model writes; one of connectionist temporal classification has one part, and gives scores."""
    from runner.model import trial
    from runner.model.parts import Model

    return trial.inferred(folder) if len(Model.of(folder).parts) == 1 else trial.written(folder, LOADED_BY)


SPEECH = TaskFamily(
    "automatic-speech-recognition",
    "a recording becomes a text: Whisper; Wav2Vec2 and its kin have a single part",
    use=_use,
    gives="text",
    past=True,
    architectures=("WhisperForConditionalGeneration", "ForSpeechSeq2Seq"),
    parts={"encoder": "reads the recording", "decoder": "writes the text, token by token"},
    users_load=LOADED_BY,
    processor="AutoProcessor",
    usage="""import openvino_genai

pipe = openvino_genai.WhisperPipeline("path/to/this/folder", "CPU")
print(pipe.generate(samples))  # a list of floats, 16,000 a second""",
)
