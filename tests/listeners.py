"""Model folders of a few operations by hand that listen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.geometry_tokenizers import write_json
from tests.readers import weights

RATE, STEP = 16_000, 400
"""Samples a second, and those that are looked at together."""


def listener(folder: Path, letters: int, *, each: bool) -> None:
    """A model that looks at each 400 samples by itself: logits of each moment, or of the mean of all."""
    import openvino as ov
    from openvino import opset13 as op

    folder.mkdir()
    samples = op.parameter([-1, -1], np.float32, name="input_values")
    samples.output(0).set_names({"input_values"})
    moments = op.reshape(samples, op.constant([0, -1, STEP]), True)
    logits = op.matmul(moments, op.constant(weights(letters, STEP)), False, True)
    logits = logits if each else op.reduce_mean(logits, op.constant(1))
    logits.output(0).set_names({"logits"})
    ov.save_model(ov.Model([op.result(logits)], [samples], "listener"), folder / "openvino_model.xml")
    write_json(
        folder / "config.json", {"model_type": "wav2vec2", "id2label": {str(n): f"c{n}" for n in range(letters)}}
    )
    extractor = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": RATE, "do_normalize": True}
    write_json(folder / "preprocessor_config.json", extractor)
