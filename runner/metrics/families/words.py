"""Words of a text: the entities that their tags name, and the tags by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.metrics.late import details, figure
from runner.registry.metrics import OfSums, metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets


ENTITIES = ("B-", "I-", "E-", "S-")
"""What tags of entities begin with."""


@metric(
    "entity_f1",
    better="higher",
    rows="token classes",
    needs=("tags",),
    aggregate=OfSums(figure("tags.f1")),
    details=details("tags.told"),
    score=figure("tags.f1"),
    help="F1 of the entities that were found whole, with their type; details: precision and recall",
    source="seqeval, f1_score; tags as in IOB1, IOB2, IOE and IOBES",
)
def entity_f1(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.entities(kept, targets)


@metric(
    "token_accuracy",
    better="higher",
    rows="token classes",
    needs=("tags",),
    aggregate="ratio",
    help="share of words that got their tag; a tag of -100 or none doesn't count",
    source="seqeval, accuracy_score",
)
def token_accuracy(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.right_words(kept, targets)
