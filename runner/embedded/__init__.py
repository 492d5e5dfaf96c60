"""The models and data sets that travel with the package: where they are and what they are for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class EmbeddedModel:
    """A Hugging Face folder inside the package; `task` is an Optimum task name."""

    id: str
    path: Path
    task: str
    description: str


MODELS: dict[str, EmbeddedModel] = {
    model.id: model
    for model in (
        EmbeddedModel(
            "dialogpt-mini",
            _HERE / "dialogpt-mini",
            "text-generation-with-past",
            "GPT-2 of 3.6 M parameters that answers questions about a small closed world, in DialoGPT's turn format",
        ),
        EmbeddedModel(
            "digits-cnn",
            _HERE / "digits-cnn",
            "image-classification",
            "ResNet of 0.15 M parameters that reads handwritten digits of 8x8 pixels",
        ),
    )
}

DATASETS: dict[str, Path] = {
    "dialogue-train": _HERE / "data" / "dialogue-train.jsonl",
    "dialogue-eval": _HERE / "data" / "dialogue-eval.jsonl",
    "digits-calibration": _HERE / "data" / "digits-calibration.npz",
    "digits-evaluation": _HERE / "data" / "digits-evaluation.npz",
}
