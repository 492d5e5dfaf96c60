"""Divergence of a language model from the uncompressed one, and perplexity: one pass over text."""

from runner.registry.gates import Better
from runner.registry.metrics import ANY, FROM_0, SHARE, WINDOWS, Family, Metric

DIVERGENCE = Family(
    "divergence",
    "one pass over text",
    metrics=(
        Metric("kl_divergence", Better.LOWER, FROM_0, "nats", controls=True),
        Metric("kl_divergence_median", Better.LOWER, FROM_0, "nats"),
        Metric("kl_divergence_p95", Better.LOWER, FROM_0, "nats"),
        Metric("kl_divergence_p99", Better.LOWER, FROM_0, "nats"),
        Metric("kl_divergence_p999", Better.LOWER, FROM_0, "nats"),
        Metric("kl_divergence_max", Better.LOWER, FROM_0, "nats", bounded=False),
        Metric("same_top_token", Better.HIGHER, SHARE, controls=True),
        Metric("ln_ppl_ratio", Better.LOWER, ANY),
        Metric("perplexity", Better.LOWER, (1.0, float("inf")), own_value=True, controls=True),
    ),
    data=frozenset({"text"}),
    needs="text: a txt file, or a jsonl file with `column`",
    settings=WINDOWS,
    of_generators=True,
    needs_reference=True,
    heeds_noise=True,
    revision=5,
    libraries=("openvino", "tokenizers", "numpy", "scipy"),
    module="runner.metrics.divergence",
)
