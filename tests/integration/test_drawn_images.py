"""Images that a pipeline draws of the rows' texts: they are its users', and the figures of them are computed anew."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter

from runner.base import hardware
from runner.metrics.keeping import Keeping
from runner.stages import Task, encode, evaluate
from tests.conftest import Ovrun
from tests.drawings import SIDE, STEPS

pytestmark = [pytest.mark.libraries, pytest.mark.newest]
TEXTS, SEED = ["a boat", "a light in a storm", "a tree"], 7
LOW = "{algorithm: weight_compression, mode: int4_sym, group_size: 16}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines")
    words = [sys.executable, "-m", "tests.tiny_pipelines", folder, "stable-diffusion"]
    subprocess.run(words, check=True, capture_output=True)
    return folder / "stable-diffusion"


def recipe(folder: Path, model: Path, *metrics: str, **more: object) -> None:
    lines = "".join(json.dumps({"asked": text}) + "\n" for text in TEXTS)
    (folder / "a.jsonl").write_text(lines)
    drawing = {"num_inference_steps": STEPS, "height": SIDE, "width": SIDE, "guidance_scale": 5.0}
    checks = [{"metric": name, "dataset": "texts", "min": 0, **drawing, **more} for name in metrics]
    (folder / "mine.yaml").write_text(
        f"model: {{source: local, path: {model}, task: text-to-image}}\n"
        f"conversion: {{precision: fp32, check: false}}\nseed: {SEED}\n"
        "datasets: {texts: {source: file, path: a.jsonl, columns: {prompt: asked}}}\n"
        f"accuracy: {{checks: {json.dumps(checks)}}}\n"
    )


def drawn(kind: str, model: Path, out: Path) -> Any:
    words = [sys.executable, "-m", "tests.drawings", kind, model, out, json.dumps(TEXTS), str(SEED)]
    subprocess.run(words, check=True, capture_output=True)
    return np.load(out)


def values(folder: Path, version: int) -> dict[str, float]:
    told = json.loads((folder / "outputs" / "mine" / str(version) / "manifest.json").read_text())
    return {check["metric"]: check["value"] for check in told["checks"]}


def similarity(one: Any, other: Any) -> float:
    """SSIM by SciPy's filter, of windows that lie inside."""

    def blurred(image: Any) -> Any:
        return gaussian_filter(image, (1.5, 1.5, 0), truncate=3.5)[5:-5, 5:-5]

    one, other = one.astype(float), other.astype(float)
    first, second = blurred(one), blurred(other)
    variances = blurred(one**2) - first**2 + blurred(other**2) - second**2
    both = blurred(one * other) - first * second
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * first * second + c1) * (2 * both + c2) / ((first**2 + second**2 + c1) * (variances + c2))
    return float(found.mean())


STAGE = """
import sys
from pathlib import Path
from tests.predictions import kept, rows
folder = Path(sys.argv[1])
data = rows(folder / "a.jsonl", [{"prompt": "a boat"}], ["prompt"])
settings = {"num_inference_steps": 1, "height": 64, "width": 64}
kept(folder / "model", "text-to-image", "images", data, folder / "out", **settings)
"""


def told_of(version: Path, byte: bytes, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the stage says of a version whose decoder of latents has weights of these bytes."""
    shutil.copytree(version, folder / "model")
    weights = folder / "model" / "vae_decoder" / "openvino_model.bin"
    found = bytearray(weights.read_bytes())
    for one in ElementTree.parse(weights.with_suffix(".xml")).iterfind("layers/layer[@type='Const']/data"):
        offset, size = int(one.attrib["offset"]), int(one.attrib["size"])
        if one.attrib["element_type"] == "f32" and size > 1000:
            found[offset : offset + size] = byte * size
    weights.unlink()
    weights.write_bytes(found)
    return subprocess.run([sys.executable, "-c", STAGE, folder], capture_output=True, text=True, check=False)


def test_figures_are_those_of_the_images_that_users_draw(model: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    recipe(tmp_path, model, "image_psnr", "image_ssim")
    ovrun("optimize", "mine.yaml")
    assert values(tmp_path, 1) == {"image_psnr": 100.0, "image_ssim": pytest.approx(1)}
    ovrun("optimize", "mine.yaml", f"+compression={LOW}")
    versions = tmp_path / "outputs" / "mine"
    base, low = (drawn("openvino", versions / str(one), tmp_path / f"{one}.npy") for one in (1, 2))
    original = drawn("diffusers", model, tmp_path / "original.npy")
    assert np.abs(original.astype(int) - base).max() <= 1 and (base != low).any(axis=(1, 2, 3)).all()
    errors = [((a.astype(float) - b) ** 2).mean() for a, b in zip(base, low, strict=True)]
    found = values(tmp_path, 2)
    assert found["image_psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / np.array(errors))), abs=1e-9)
    wanted = np.mean([similarity(a, b) for a, b in zip(base, low, strict=True)])
    assert found["image_ssim"] == pytest.approx(wanted, abs=1e-9) and wanted < 1
    assert not told_of(versions / "1", b"\0", tmp_path / "flat").returncode
    kept = json.loads((tmp_path / "flat" / "out" / "kept.json").read_text())
    assert kept["protocol"]["images_of_one_colour"] == kept["count"] == 1
    failed = told_of(versions / "1", b"\xff", tmp_path / "broken").stderr
    assert "the image has values that aren't finite numbers, first for" in failed and "a.jsonl" in failed
    told = json.loads(ovrun("plan", "mine.yaml", "seed=8", "--json").stdout)
    states = {stage["label"]: stage["state"] for stage in told["stages"]}
    assert states["predict images on texts"] != "cached" == states["convert to fp32"]


def by_clip(folder: Path, images: Any, texts: list[str]) -> Any:
    """The cosine of each image with its text by transformers' CLIPModel, of pixels that Pillow and NumPy prepare."""
    import torch
    from transformers import AutoTokenizer, CLIPModel

    tokenizer, model = AutoTokenizer.from_pretrained(folder), CLIPModel.from_pretrained(folder).eval()
    mean, deviation = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    found = []
    for image, text in zip(images, texts, strict=True):
        pixels = np.asarray(Image.fromarray(image).resize((40, 40), Image.Resampling.BICUBIC))[4:36, 4:36] / 255
        prepared = torch.tensor(((pixels - mean) / deviation).transpose(2, 0, 1)[None], dtype=torch.float32)
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=32)
        with torch.no_grad():
            out = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], pixel_values=prepared)
        found.append(float(out.logits_per_image) / float(model.logit_scale.detach().exp()))
    return np.array(found)


def test_a_clip_score_is_that_of_transformers(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.tiny_models", tmp_path, "clip"], check=True, capture_output=True)
    weights = load_file(tmp_path / "clip" / "model.safetensors")
    weights["visual_projection.weight"] *= -1  # so that the random halves agree: no cosine is below 0
    save_file(weights, tmp_path / "clip" / "model.safetensors", {"format": "pt"})
    images = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    images[1:, :, :, :2] //= 3
    texts = ["ab c de", "w x", "b " * 90, "g h, i!"]
    for name in ("kept", "encoded", "evaluated"):
        (tmp_path / name).mkdir()
    with Keeping(tmp_path / "kept", "images", extra={"prompts": "lines"}) as keeping:
        keeping.add(images, prompts=texts)
        keeping.finish(len(images), {})
    params = encode.Params("images", "local", tuple(hardware.arithmetic()))
    inputs = {"kept": tmp_path / "kept", "encoder": tmp_path / "clip"}
    encode.run(Task("encode", params, tmp_path / "encoded", inputs), lambda done, total: None)
    given = {"model": tmp_path / "encoded", "reference": tmp_path / "encoded"}
    asked = evaluate.Params("clip_score", 1, {}, {}, ())
    evaluate.run(Task("evaluate", asked, tmp_path / "evaluated", given), lambda done, total: None)
    found = np.load(tmp_path / "evaluated" / evaluate.ROWS)["model"][:, 0]
    wanted = by_clip(tmp_path / "clip", images, texts)
    assert wanted.min() > 0 and np.ptp(wanted) > 0.1
    np.testing.assert_allclose(found, 100 * wanted, atol=1e-3)
