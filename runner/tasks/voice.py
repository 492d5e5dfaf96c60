"""Models that speak a text: an encoder reads, a decoder writes a spectrogram, and a vocoder makes sound of it."""

from pathlib import Path

from runner.registry.tasks import WRITING, TaskFamily, Used

_LOADED_BY = "OVModelForTextToSpeechSeq2Seq"


def _use(folder: Path) -> Used:
    from runner.model import voice

    return voice.spoken(folder, _LOADED_BY)


TEXT_TO_AUDIO = TaskFamily(
    "text-to-audio",
    "a text is spoken: SpeechT5, with its vocoder in the folder `vocoder` of its own, or named as model.vocoder",
    use=_use,
    architectures=("SpeechT5ForTextToSpeech",),
    parts={
        "encoder": "reads the text",
        "decoder": "writes a spectrogram, step by step",
        "postnet": "refines the spectrogram",
        "vocoder": "makes sound of it",
    },
    users_load=_LOADED_BY,
    processor="AutoTokenizer",
    libraries=WRITING,
    usage="""import openvino_genai

pipe = openvino_genai.Text2SpeechPipeline("path/to/this/folder", "CPU")
samples = pipe.generate("…").speeches[0].data  # 16,000 a second""",
)
