"""Calibration data for the tiny language model, and the parameters of a compression that takes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.recipe.types import Dataset, WeightCompression
from runner.stages import compress

SAMPLES = 12


def int4_params(*, after_other: bool = False, **settings: Any) -> compress.Params:
    """The parameters of the stage `compress` as a plan gives them."""
    step = WeightCompression(mode="int4_sym", group_size=16, dataset="calibration", subset_size=SAMPLES)
    return compress.Params(replace(step, **settings), None, after_other)


def token_samples(folder: Path) -> dict[str, Dataset]:
    import numpy as np

    rng = np.random.default_rng(0)
    np.savez(folder / "samples.npz", ids=rng.integers(0, 96, (SAMPLES + 4, 24)))
    return {"calibration": Dataset("samples", "file", folder / "samples.npz", "npz", inputs={"input_ids": "ids"})}
