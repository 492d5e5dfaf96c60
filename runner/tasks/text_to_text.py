"""Models that write a text about another: an encoder reads, a decoder writes."""

from pathlib import Path

from runner.registry.tasks import WEIGHTS, WRITING, TaskFamily, Used

LOADED_BY = "OVModelForSeq2SeqLM"


def _use(folder: Path) -> Used:
    from runner.model import trial

    return trial.written(folder, LOADED_BY)


TEXT_TO_TEXT = TaskFamily(
    "text2text-generation",
    "a text becomes another, such as its translation or summary: T5, BART, Marian, Pegasus",
    use=_use,
    gives="text",
    past=True,
    architectures=(
        "T5ForConditionalGeneration",  # mT5's too
        "BartForConditionalGeneration",  # mBART's too
        "PegasusForConditionalGeneration",
        "MarianMTModel",
    ),
    parts={"encoder": "reads the text", "decoder": "writes the other, token by token"},
    text_parts=("encoder",),
    cached=("decoder",),
    users_load=LOADED_BY,
    processor="AutoTokenizer",
    example=f"""{WEIGHTS}parts:
  encoder: none     # stays as it was converted
""",
    libraries=WRITING,
)
