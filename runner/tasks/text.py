"""Models that read a text at once and give scores or embeddings."""

from runner.registry.predicting import Predicts
from runner.registry.tasks import Gives, TaskFamily
from runner.tasks import infer

_READS = ("openvino", "numpy", "tokenizers")


def _read(gives: str, needs: tuple[str, ...], module: str) -> Predicts:
    return Predicts(gives, needs, module=f"runner.metrics.predicting.{module}", libraries=_READS)


def _encoder(
    name: str,
    help: str,
    loaded_by: str,
    *architectures: str,
    gives: Gives = "class scores",
    predicts: tuple[Predicts, ...] = (),
    metrics: tuple[str, ...] = (),
) -> TaskFamily:
    return TaskFamily(
        name,
        help,
        use=infer,
        gives=gives,
        predicts=predicts,
        metrics=metrics,
        architectures=architectures,
        users_load=loaded_by,
        processor="AutoTokenizer",
    )


FILL_MASK = _encoder(
    "fill-mask",
    "masked tokens are found",
    "OVModelForMaskedLM",
    "ForMaskedLM",
    gives="arrays",
    predicts=tuple(_read(gives, ("text",), "masked") for gives in ("masked tokens", "masked scores")),
    metrics=("mask_accuracy", "mask_divergence", "mask_agreement"),
)
TEXT_CLASSIFICATION = _encoder(
    "text-classification",
    "a text, or two, gets a class",
    "OVModelForSequenceClassification",
    "ForSequenceClassification",
    predicts=tuple(
        Predicts(gives, ("text",), ("text_pair",), libraries=_READS) for gives in ("class scores", "outputs")
    ),
    metrics=("accuracy", "f1_macro", "decision_agreement"),
)
TOKEN_CLASSIFICATION = _encoder(
    "token-classification",
    "each token gets a class",
    "OVModelForTokenClassification",
    "ForTokenClassification",
    gives="arrays",
    predicts=(_read("token classes", ("tokens",), "words"), _read("token classes", ("text",), "words")),
    metrics=("entity_f1", "token_accuracy"),
)
QUESTION_ANSWERING = _encoder(
    "question-answering",
    "an answer is found in a text",
    "OVModelForQuestionAnswering",
    "ForQuestionAnswering",
    gives="arrays",
    predicts=(_read("spans", ("question", "context"), "spans"),),
    metrics=("answer_f1", "answer_exact_match"),
)
FEATURE_EXTRACTION = _encoder(
    "feature-extraction",
    "a text becomes embeddings",
    "OVModelForFeatureExtraction",
    gives="embeddings",
    predicts=(
        _read("embeddings", ("query", "document"), "pairs"),
        _read("embeddings", ("text", "text_pair"), "pairs"),
        Predicts("embeddings", ("text",), libraries=_READS),
    ),
    metrics=("embedding_cosine", "similarity_spearman", "retrieval_ndcg"),
)


MULTIPLE_CHOICE = TaskFamily(
    "multiple-choice",
    "one of several texts is chosen",
    use=infer,
    gives="class scores",
    predicts=(_read("class scores", ("prompt", "choices"), "choices"),),
    architectures=("ForMultipleChoice",),
    processor="AutoTokenizer",
)
