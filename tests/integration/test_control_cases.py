"""Models that plain 8-bit quantization spoils, and accuracy control saves: one of texts, and one of images.

In each layer a neuron has a huge value that nothing looks at; it takes the 8 bits that the others need.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.base.safe import markdown_cell
from tests.conftest import Ovrun
from tests.outputs import manifest_of, stage_result
from tests.readers import VOCABULARY, tokenizer
from tests.tiny_models import processor, save

RECIPE = """
model: {source: local, path: model, task: %s}
datasets:
  seen: {source: file, %s}
  control: {source: file, %s}
  held: {source: file, %s}
compression: {algorithm: quantization, dataset: seen, subset_size: 40}
accuracy: {checks: [{metric: accuracy, dataset: held, max_drop: 0.1}]}
"""
NAMES = ("seen", "control", "held")
SIZES = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
pytestmark = pytest.mark.newest


def planted(model: Any, layers: Iterable[tuple[Any, Any]]) -> Any:
    """The model with the neurons; `layers` are the two linear layers around each nonlinearity."""
    import torch

    with torch.no_grad():
        for before, after in layers:
            before.weight[7], before.bias[7], after.weight[:, 7] = 0, 30000, 0
    return model.eval()


def judged(ovrun: Ovrun, project: Path, recipe: str, control: str) -> tuple[Path, dict[str, Any]]:
    """Plain quantization is rejected, and with control there is a version."""
    (project / "plain.yaml").write_text(recipe)
    with_control = recipe.replace("subset_size: 40}", f"subset_size: 40, accuracy_control: {control}}}")
    (project / "controlled.yaml").write_text(with_control)
    told = ovrun("optimize", "plain.yaml", cwd=project, code=3).stderr
    assert "plain misses accuracy on held: max_drop is 0.1, measured 0." in told
    ovrun("optimize", "controlled.yaml", cwd=project)
    version = project / "outputs" / "controlled" / "1"
    (check,) = manifest_of(version)["checks"]
    assert check["reference_value"] == 1 and check["value"] >= 0.9
    found: dict[str, Any] = stage_result(version, "quantize")
    control_found: dict[str, Any] = found["accuracy_control"]
    assert found["quantizers"] > 0 and control_found["held"] and control_found["reference_value"] == 1
    return version, control_found


def test_texts(ovrun: Ovrun, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(**SIZES, vocab_size=VOCABULARY, num_labels=3, initializer_range=0.3)
    made = BertForSequenceClassification(config)
    layers = made.bert.encoder.layer
    model = planted(made, [(one.intermediate.dense, one.output.dense) for one in layers])
    tokenizer(save(tmp_path / "model", model))
    own = AutoTokenizer.from_pretrained(tmp_path / "model")
    random = np.random.default_rng(0)
    words = ["".join(letters) for letters in product("abcdefghij", repeat=2)]
    for name in NAMES:
        texts = [" ".join(random.choice(words, random.integers(3, 12))) for _ in range(40)]
        with torch.no_grad():
            labels = [int(model(**own(text, return_tensors="pt")).logits.argmax()) for text in texts]
        lines = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    data = [f"path: {name}.jsonl, columns: {{text: text, label: label}}" for name in NAMES]
    recipe = RECIPE % ("text-classification", *data)
    _, found = judged(ovrun, tmp_path, recipe, "{metric: accuracy, dataset: control, max_drop: 0.05}")
    last = [name for name in found["reverted"] if "/aten::linear/MatMul" in name and ".output.dense" in name]
    assert last, "a layer behind such a neuron is among those that went back to floats"
    assert all(found["bytes"][name] == 128 * 64 for name in last if ".attention." not in name), "8 bits a weight more"


def test_images_of_a_folder(ovrun: Ovrun, tmp_path: Path) -> None:
    import torch
    from PIL import Image
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        **{**SIZES, "num_hidden_layers": 2}, image_size=16, patch_size=4, num_labels=3, initializer_range=0.3
    )
    made = ViTForImageClassification(config)
    layers = made.vit.encoder.layer
    model = planted(made, [(one.intermediate.dense, one.output.dense) for one in layers])
    save(tmp_path / "model", model)
    processor(tmp_path / "model", "ViTImageProcessor", size={"height": 16, "width": 16})
    random = np.random.default_rng(0)
    for name in NAMES:
        values = random.integers(0, 256, (60, 16, 16, 3), np.uint8)
        with torch.no_grad():
            normal = torch.from_numpy(np.moveaxis(values / 127.5 - 1, -1, 1).astype(np.float32))
            labels = model(normal).logits.argmax(-1).tolist()
        for number, (one, label) in enumerate(zip(values, labels, strict=True)):
            folder = tmp_path / name / f"LABEL_{label}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(one).save(folder / f"{number}.png")
    data = [f"path: {name}, format: imagefolder" for name in NAMES]
    recipe = RECIPE % ("image-classification", *data)
    version, found = judged(ovrun, tmp_path, recipe, "{metric: top_k_accuracy, k: 1, dataset: control, max_drop: 0.05}")
    assert found["reverted"] and found["metric"] == "top_k_accuracy"
    assert f"| {markdown_cell(found['reverted'][0])} |" in (version / "README.md").read_text()
