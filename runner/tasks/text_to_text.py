"""Models that write a text about another: an encoder reads, a decoder writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.registry.predicting import written
from runner.registry.tasks import WEIGHTS, WRITING, TaskFamily, Used

if TYPE_CHECKING:
    from runner.data.recorded import Wanted
    from runner.model.feed import Feed

LOADED_BY = "OVModelForSeq2SeqLM"


def _use(folder: Path) -> Used:
    from runner.model import trial

    return trial.written(folder, LOADED_BY)


def _record(folder: Path, part: str, wanted: Wanted) -> Iterator[Feed]:
    from runner.data import recorded

    return recorded.of_writing(folder, LOADED_BY, part, wanted)


TEXT_TO_TEXT = TaskFamily(
    "text2text-generation",
    "a text becomes another, such as its translation or summary: T5, BART, Marian, Pegasus",
    use=_use,
    gives="text",
    predicts=(written("text"), written("prompt")),
    metrics=("chrf", "bleu", "rougeL"),
    past=True,
    architectures=(
        "T5ForConditionalGeneration",  # mT5's too
        "BartForConditionalGeneration",  # mBART's too
        "PegasusForConditionalGeneration",
        "MarianMTModel",
    ),
    parts={"encoder": "reads the text", "decoder": "writes the other, token by token"},
    text_parts=("encoder", "decoder"),
    cached=("decoder",),
    record=_record,
    users_load=LOADED_BY,
    processor="AutoTokenizer",
    example=f"""{WEIGHTS}parts:
  encoder: none     # stays as it was converted
""",
    libraries=WRITING,
)
