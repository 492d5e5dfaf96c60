"""What models give for sounds: prepared by transformers' own feature extractors, and spelled by its tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.data.calibration import calibration_items
from runner.errors import SourceError
from runner.recipe.dataset import Dataset
from runner.recipe.datasets import calibrating
from tests.geometry_tokenizers import write_json
from tests.listeners import RATE, STEP, listener
from tests.predictions import kept, rows
from tests.readers import weights

soundfile = pytest.importorskip("soundfile")


def spoken(folder: Path, seconds: tuple[float, ...], rate: int = RATE) -> tuple[Dataset, list[Any]]:
    """Files of noise, and their samples."""
    random = np.random.default_rng(0)
    sounds = [(0.1 * random.standard_normal(int(one * rate))).astype(np.float32) for one in seconds]
    for number, samples in enumerate(sounds):
        soundfile.write(folder / f"{number}.wav", samples, rate, subtype="FLOAT")
    lines = [{"audio": f"{number}.wav"} for number in range(len(sounds))]
    return rows(folder / "a.jsonl", lines, ["audio"]), sounds


def expected(letters: int, samples: Any) -> Any:
    """The logits of each moment."""
    normal = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return normal.reshape(-1, STEP) @ weights(letters, STEP).T


def test_sounds_are_classified_and_calibrate_alike(tmp_path: Path) -> None:
    import openvino as ov

    listener(tmp_path / "model", 3, each=False)
    data, sounds = spoken(tmp_path, (0.5, 0.25))
    found = kept(tmp_path / "model", "audio-classification", "class scores", data, tmp_path / "out")
    for scores, samples in zip(found.values, sounds, strict=True):
        np.testing.assert_allclose(scores, expected(3, samples).mean(0), rtol=2e-3, atol=2e-3)
    assert found.classes == ("c0", "c1", "c2")
    assert {key: found.protocol[key] for key in ("rows", "seconds", "sampling_rate")} == {
        "rows": 2,
        "seconds": 0.75,
        "sampling_rate": RATE,
    }
    model = ov.Core().read_model(tmp_path / "model" / "openvino_model.xml")
    items = calibration_items(calibrating(data), model, tmp_path / "model", 10, 0)
    assert [item["input_values"].shape for item in items] == [(1, 8000), (1, 4000)]
    normal = (sounds[0] - sounds[0].mean()) / np.sqrt(sounds[0].var() + 1e-7)
    np.testing.assert_allclose(items[0]["input_values"][0], normal, rtol=1e-4, atol=1e-5)


def test_a_sound_of_another_rate_is_refused(tmp_path: Path) -> None:
    listener(tmp_path / "model", 3, each=False)
    data, _ = spoken(tmp_path, (0.5,), rate=8000)
    with pytest.raises(SourceError, match=r"a\.jsonl:1.*has 8,000 samples a second; the model takes 16,000") as caught:
        kept(tmp_path / "model", "audio-classification", "class scores", data, tmp_path / "out")
    assert "ffmpeg -i in.wav -ar 16000 out.wav" in str(caught.value.hint)


def test_what_is_spoken_is_spelled_as_transformers_does(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C"]
    listener(tmp_path / "model", len(letters), each=True)
    write_json(tmp_path / "model" / "vocab.json", {letter: at for at, letter in enumerate(letters)})
    write_json(tmp_path / "model" / "tokenizer_config.json", {"tokenizer_class": "Wav2Vec2CTCTokenizer"})
    data, sounds = spoken(tmp_path, (0.5, 1.0))
    found = kept(tmp_path / "model", "automatic-speech-recognition", "texts", data, tmp_path / "out")
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    best = [expected(len(letters), samples).argmax(-1) for samples in sounds]
    assert found.values == own.batch_decode([ids.tolist() for ids in best])
    by_hand = []
    for ids in best:
        kept_ids = [one for at, one in enumerate(ids) if not at or one != ids[at - 1]]
        by_hand.append("".join(letters[one] for one in kept_ids if one != 0).replace("|", " ").strip())
    assert [text.replace("<s>", "").replace("</s>", "") for text in found.values] == [
        text.replace("<s>", "").replace("</s>", "") for text in by_hand
    ]
