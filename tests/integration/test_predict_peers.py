"""What tiny models of other tasks give for rows, held against the pipelines and classes that their users have."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runner.errors import StageError
from runner.metrics.kept import Kept
from tests.conftest import Ovrun
from tests.predictions import kept, rows
from tests.tiny_models import MODELS

pytestmark = [pytest.mark.libraries, pytest.mark.newest]
TEXTS = ["ab c de", "a b c, d! efg", "w x"]
NAMES = ("bert-choices", "t5", "segformer", "yolos", "glpn", "clip", "whisper", "llava")
Made = Callable[..., tuple[Path, Kept]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-m", "tests.tiny_models", folder, *NAMES], check=True, capture_output=True)
    tokenizer = folder / "clip" / "tokenizer_config.json"
    tokenizer.write_text(json.dumps({**json.loads(tokenizer.read_text()), "pad_token": "!"}))
    return folder


@pytest.fixture
def made(models: Path, ovrun: Ovrun, tmp_path: Path) -> Made:
    """Publishes a model without compression, and gives its folder and what it gives for rows."""

    def make(name: str, gives: str, lines: list[dict[str, Any]], **settings: object) -> tuple[Path, Kept]:
        source = f"model: {{source: local, path: {models / name}, task: {MODELS[name][0]}}}"
        (tmp_path / "mine.yaml").write_text(f"{source}\nconversion: {{precision: fp32, check: false}}\n")
        ovrun("optimize", "mine.yaml")
        version = tmp_path / "outputs" / "mine" / "1"
        data = rows(tmp_path / "a.jsonl", lines, lines[0])
        return version, kept(version, MODELS[name][0], gives, data, tmp_path / "out", **settings)

    return make


def images(folder: Path) -> list[Path]:
    random = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(2)]
    for path, height in zip(paths, (40, 70), strict=True):
        Image.fromarray(random.integers(0, 256, (height, 50, 3), dtype=np.uint8)).save(path)
    return paths


def loaded(version: Path, name: str) -> Any:
    import optimum.intel

    return getattr(optimum.intel, name).from_pretrained(version, ov_config={"INFERENCE_PRECISION_HINT": "f32"})


def test_choices(made: Made, models: Path) -> None:
    from transformers import AutoModelForMultipleChoice, AutoTokenizer

    lines = [
        {"prompt": "ab c", "choices": ["d e", "f", "g h i j"]},
        {"prompt": "x", "choices": ["d e k l m n", "f", "g"]},
    ]
    version, found = made("bert-choices", "class scores", lines)
    own = AutoTokenizer.from_pretrained(version)
    model = AutoModelForMultipleChoice.from_pretrained(models / "bert-choices").eval()
    for scores, line in zip(found.values, lines, strict=True):
        fed = own([line["prompt"]] * 3, line["choices"], padding=True, return_tensors="pt")
        expected = model(**{name: tensor[None] for name, tensor in fed.items()}).logits[0].detach().numpy()
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-6)


def test_texts_about_texts(made: Made) -> None:
    from transformers import AutoTokenizer

    version, found = made("t5", "texts", [{"text": text} for text in TEXTS], max_new_tokens=8)
    model, own = loaded(version, "OVModelForSeq2SeqLM"), AutoTokenizer.from_pretrained(version)
    expected, cut = [], 0
    for text in TEXTS:
        fed = own(text, return_tensors="pt", return_token_type_ids=False)
        tokens = model.generate(**fed, max_new_tokens=8)[0].tolist()
        expected.append(own.decode(tokens, skip_special_tokens=True))
        cut += len(tokens) == 1 + 8 and tokens[-1] != model.generation_config.eos_token_id
    assert found.values == expected
    assert found.protocol["replies_cut"] == cut > 0


def test_replies_by_what_is_no_number_are_an_error_with_the_first_row(made: Made, tmp_path: Path) -> None:
    import openvino as ov
    from openvino import opset13 as opset

    version, _ = made("t5", "texts", [{"text": text} for text in TEXTS], max_new_tokens=2)
    broken = tmp_path / "broken"
    shutil.copytree(version, broken, ignore=lambda *_: ["openvino_decoder_model.bin"])
    model = ov.Core().read_model(version / "openvino_decoder_model.xml")
    logits = model.output("logits").get_node().input(0)
    found = opset.multiply(logits.get_source_output(), opset.constant(np.float32("nan")))
    found.output(0).set_names({"logits"})
    logits.replace_source_output(found.output(0))
    ov.save_model(model, broken / "openvino_decoder_model.xml")
    data = rows(tmp_path / "b.jsonl", [{"text": "ab"}], ["text"])
    with pytest.raises(StageError, match=r"output logits has values that aren't finite numbers, first for .*b.jsonl:1"):
        kept(broken, "text2text-generation-with-past", "texts", data, tmp_path / "broken-out")


@pytest.mark.parametrize(
    ("name", "gives", "kind"),
    [
        ("segformer", "class maps", "SegformerForSemanticSegmentation"),
        ("yolos", "boxes", "YolosForObjectDetection"),
        ("glpn", "depth maps", "GLPNForDepthEstimation"),
    ],
)
def test_what_is_seen_has_the_size_of_the_image(
    name: str, gives: str, kind: str, made: Made, models: Path, tmp_path: Path
) -> None:
    import importlib

    import transformers

    paths = images(tmp_path)
    version, found = made(name, gives, [{"image": path.name} for path in paths])
    module = importlib.import_module(f"transformers.models.{name}.image_processing_pil_{name}")
    own = getattr(module, f"{kind.partition('For')[0]}ImageProcessorPil").from_pretrained(version)
    model = getattr(transformers, kind).from_pretrained(models / name).eval()
    for given, path in zip(found.values, paths, strict=True):
        image = Image.open(path)
        size = (image.height, image.width)
        outputs = model(own(images=image, return_tensors="pt")["pixel_values"])
        if gives == "class maps":
            expected = own.post_process_semantic_segmentation(outputs, [size])[0].numpy()
            assert given.shape == size
            assert (given == expected).mean() > 0.999
        elif gives == "depth maps":
            expected = own.post_process_depth_estimation(outputs, [size])[0]["predicted_depth"].detach().numpy()
            assert given.shape == size
            np.testing.assert_allclose(given, expected, rtol=1e-4)
        else:
            expected = own.post_process_object_detection(outputs, 0.0, [size])[0]
            order = np.argsort(-expected["scores"].detach().numpy(), kind="stable")
            np.testing.assert_allclose(given["boxes"], expected["boxes"].detach().numpy()[order], rtol=1e-3)
            np.testing.assert_allclose(given["scores"], expected["scores"].detach().numpy()[order], rtol=1e-3)


def test_classes_that_texts_name(made: Made, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, pipeline
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    paths = images(tmp_path)
    lines = [{"image": path.name, "label": label} for path, label in zip(paths, ("dog ab", "cat"), strict=True)]
    version, found = made("clip", "class scores", lines)
    pipe = pipeline(
        "zero-shot-image-classification",
        model=loaded(version, "OVModelForZeroShotImageClassification"),
        tokenizer=AutoTokenizer.from_pretrained(version),
        image_processor=AutoImageProcessor.from_pretrained(version),
    )
    assert found.classes == ("cat", "dog ab")
    for scores, path in zip(found.values, paths, strict=True):
        told = {one["label"]: one["score"] for one in pipe(str(path), candidate_labels=list(found.classes))}
        expected = [told[name] for name in found.classes]
        np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), expected, rtol=1e-4)


def test_what_is_spoken_is_written_down(made: Made, tmp_path: Path) -> None:
    import soundfile
    from transformers import AutoFeatureExtractor, AutoTokenizer

    random, sounds = np.random.default_rng(0), []
    for number in (1, 2):
        sounds.append((0.1 * random.standard_normal(16000 * number)).astype(np.float32))
        soundfile.write(tmp_path / f"{number}.wav", sounds[-1], 16000, subtype="FLOAT")
    version, found = made("whisper", "texts", [{"audio": "1.wav"}, {"audio": "2.wav"}], max_new_tokens=8)
    model, own = loaded(version, "OVModelForSpeechSeq2Seq"), AutoTokenizer.from_pretrained(version)
    extractor, expected = AutoFeatureExtractor.from_pretrained(version), []
    for samples in sounds:
        fed = extractor(samples, sampling_rate=16000, return_tensors="pt").input_features
        expected.append(own.decode(model.generate(fed, max_new_tokens=8)[0], skip_special_tokens=True).strip())
    assert found.values == expected


def test_texts_about_images(made: Made, tmp_path: Path) -> None:
    import openvino as ov
    import openvino_genai as genai

    paths = images(tmp_path)
    version, found = made("llava", "texts", [{"image": path.name, "prompt": "ab"} for path in paths], max_new_tokens=6)
    pipe = genai.VLMPipeline(str(version), "CPU", INFERENCE_PRECISION_HINT="f32", KV_CACHE_PRECISION="f32")
    expected = [
        pipe.generate("ab", images=[ov.Tensor(np.asarray(Image.open(path))[None])], max_new_tokens=6).texts[0]
        for path in paths
    ]
    assert found.values == expected
