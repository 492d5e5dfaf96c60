"""Weights that are quantized before ovrun sees them, by what config.json says: which of them can be converted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.base.keys import version_of

KEPT = {"awq": "gptqmodel", "gptq": "gptqmodel"}
"""Methods whose weights stay in low bits in the IR -> the package that transformers loads such weights with."""
WIDENED = frozenset({"mxfp4"})
"""Methods whose weights are converted as 16-bit floats."""


def method_of(config: Mapping[str, object]) -> str | None:
    """By which method the weights are quantized, such as `gptq`; None if they are not."""
    stated = config.get("quantization_config")
    if not isinstance(stated, Mapping):
        return None
    return str(stated.get("quant_method") or "an unnamed method")


def misfits(config: Mapping[str, object], *, compressed: bool) -> Iterator[tuple[str, str, str]]:
    """What of a recipe can't be done with such weights: its key, what is wrong, and what would do.

    Args:
        compressed: whether the recipe compresses or quantizes the model.
    """
    method = method_of(config)
    if method is None or method in WIDENED:
        return
    start = "start from the model that was quantized"
    if method not in KEPT:
        able = ", ".join(sorted([*KEPT, *WIDENED]))
        yield "model", f"its weights are quantized by {method}; Optimum Intel converts those of {able}", start
        return
    if version_of(KEPT[method]) == "absent":
        what = (
            f"its weights are quantized by {method}, and are loaded with the package {KEPT[method]}, which is not there"
        )
        yield "model", what, f"install {KEPT[method]}, or {start}"
    if compressed:
        what = f"the model's weights are quantized by {method} already, and stay so in the IR"
        yield "compression", what, f"remove it, or {start}"
