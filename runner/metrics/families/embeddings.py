"""Embeddings: likeness of pairs, ranks of documents, and the distance from the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from runner.metrics.late import figure
from runner.registry.metrics import metric
from runner.registry.settings import Maximum, Minimum

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

Cutoff = Annotated[int, Minimum(1), Maximum(100000), "How many of the documents that are nearest to a query count."]
_AMONG = "the documents of all rows, by cosine; equal ones count once"


@metric(
    "similarity_spearman",
    better="higher",
    rows="embeddings",
    needs=("text_pair", "score"),
    aggregate=figure("pairs.spearman"),
    span=(-1.0, 1.0),
    help="Spearman's correlation of the cosines of pairs of texts with the scores of the data",
    source="scipy, spearmanr; as MTEB's tasks of textual similarity have it",
)
def similarity_spearman(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.likeness(kept, targets)


@metric(
    "similarity_pearson",
    better="higher",
    rows="embeddings",
    needs=("text_pair", "score"),
    aggregate=figure("pairs.pearson"),
    span=(-1.0, 1.0),
    help="Pearson's correlation of the cosines of pairs of texts with the scores of the data",
    source="scipy, pearsonr",
)
def similarity_pearson(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.likeness(kept, targets)


@metric(
    "retrieval_recall",
    better="higher",
    rows="embeddings",
    needs=("query", "document"),
    aggregate="proportion",
    help="share of queries whose document is among the nearest",
    source=f"recall at k with one document a query, of {_AMONG}",
)
def retrieval_recall(kept: Kept, targets: Targets, *, cutoff: Cutoff = 10) -> object:
    from runner.metrics.measures import pairs, taken

    return pairs.recall(taken.places(kept, targets), cutoff)


@metric(
    "retrieval_ndcg",
    better="higher",
    rows="embeddings",
    needs=("query", "document"),
    help="mean nDCG: 1 for a query whose document is the nearest, 0 for one whose document is beyond the cutoff",
    source=f"scikit-learn, ndcg_score with one document a query, of {_AMONG}",
)
def retrieval_ndcg(kept: Kept, targets: Targets, *, cutoff: Cutoff = 10) -> object:
    from runner.metrics.measures import pairs, taken

    return pairs.gain(taken.places(kept, targets), cutoff)


@metric(
    "text_similarity",
    better="higher",
    rows="texts",
    compares=True,
    span=(-1.0, 1.0),
    help="mean cosine of the embeddings that `encoder` makes of a model's text and of the reference's; needs no texts "
    "of the data",
    source="sentence-transformers, util.pairwise_cos_sim; GenAI's who_what_benchmark, similarity",
    encoder="texts",
)
def text_similarity(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import pairs, taken

    return pairs.cosines(taken.outputs(kept), taken.outputs(reference))


@metric(
    "embedding_cosine",
    better="higher",
    rows="embeddings",
    compares=True,
    span=(-1.0, 1.0),
    help="mean cosine of a row's embedding and the reference's; needs no scores",
    source="the cosine of each row",
)
def embedding_cosine(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import pairs, taken

    return pairs.cosines(taken.outputs(kept), taken.outputs(reference))
