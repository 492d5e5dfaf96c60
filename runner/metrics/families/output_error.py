"""Output error: how far a model's outputs are from the uncompressed model's, on any data that feeds both."""

from runner.registry.gates import Better
from runner.registry.metrics import FROM_0, WINDOWS, Family, Metric

OUTPUT_ERROR = Family(
    "output_error",
    "outputs against the reference's",
    metrics=(
        Metric("relative_l2", Better.LOWER, FROM_0),
        Metric("cosine_similarity", Better.HIGHER, (-1.0, 1.0), controls=True),
        Metric("sqnr", Better.HIGHER, (-float("inf"), 144.5), "dB"),
    ),
    data=frozenset({"text", "arrays"}),
    needs="any dataset that feeds the model",
    settings={"context_length": WINDOWS["context_length"]},
    needs_reference=True,
    heeds_noise=True,
    revision=4,
    libraries=("openvino", "tokenizers", "numpy", "scipy"),
    module="runner.metrics.output_error",
)
