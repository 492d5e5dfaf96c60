"""Exact match: the share of prompts whose greedy reply is the known one, white space around both left out."""

from runner.registry.gates import Better
from runner.registry.metrics import MAX_NEW_TOKENS, SHARE, Family, Metric

EXACT_MATCH = Family(
    "exact_match",
    "greedy replies",
    metrics=(Metric("exact_match", Better.HIGHER, SHARE, own_value=True),),
    data=frozenset({"pairs"}),
    needs="a jsonl file with `prompt` and `reply`, and `conversion.tokenizer: true`",
    settings={"max_new_tokens": MAX_NEW_TOKENS},
    generates=True,
    of_generators=True,
    revision=2,
    libraries=("openvino", "openvino-genai", "openvino-tokenizers"),
    module="runner.metrics.exact_match",
)
