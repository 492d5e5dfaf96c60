"""Every family on real OpenVINO models: a bigram table whose figures are known exactly, a small net, and decoders
with random weights that keep their cache in the state, as inputs, or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from filelock import FileLock
from openvino import opset13 as opset
from tokenizers import Tokenizer as Backend
from tokenizers import models as tokenizer_models
from tokenizers import pre_tokenizers, processors

from runner import stages
from runner.base import resources
from runner.data.calibration import calibration_items
from runner.data.tokens import Tokenizer, passage
from runner.errors import RecipeError, SourceError, StageError
from runner.metrics import measuring
from runner.metrics.coded import dither
from runner.metrics.intervals import proportion
from runner.metrics.items import items
from runner.metrics.kept import Kept
from runner.metrics.kld import Scores, log_probabilities
from runner.metrics.passes import scored_tokens
from runner.model.feed import ports
from runner.model.generation import generator
from runner.model.runtime import Compiled, compile_folder, effective, logits
from runner.recipe.accuracy import RUNTIME
from runner.recipe.types import Dataset, Preprocess
from runner.registry.metrics import FAMILIES, METRICS
from runner.registry.tasks import ARRAYS, TASKS, Used
from runner.stages import Task, evaluate
from tests.predictions import measured

VOCABULARY = 64
WRITES = "text-generation-with-past"
CACHES = ("stateful", "past", "none")

EXPORT = """
import sys, torch
from optimum.exporters.openvino import main_export
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
out, sizes = sys.argv[1], dict(vocab_size=64, bos_token_id=0, eos_token_id=1, pad_token_id=1)
torch.manual_seed(0)
llama = LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3, **sizes)
gpt2 = GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3, **sizes)
LlamaForCausalLM(llama).save_pretrained(out + "/hf/llama")
GPT2LMHeadModel(gpt2).save_pretrained(out + "/hf/gpt2")
for name, cache in (("gpt2", "stateful"), ("llama", "stateful"), ("llama", "past"), ("llama", "none")):
    task = "text-generation" if cache == "none" else "text-generation-with-past"
    main_export(f"{out}/hf/{name}", output=f"{out}/{name}-{cache}", task=task, stateful=cache == "stateful",
                convert_tokenizer=False)
"""


def silent(done: int, total: int) -> None:
    assert 0 <= done <= total


def tokenizer(folder: Path, *, start: bool = False) -> None:
    words = {"<s>": 0, "</s>": 1, **{f"w{i}": i for i in range(2, VOCABULARY)}}
    backend = Backend(tokenizer_models.WordLevel(words, unk_token="w2"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if start:
        backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    backend.save(str(folder / "tokenizer.json"))


def bigram(folder: Path, table: np.ndarray[Any, Any], **config: int) -> Path:
    """A language model whose logits for a token are a row of `table`; its only input is input_ids."""
    folder.mkdir()
    ids = opset.parameter([-1, -1], np.int64, name="input_ids")
    ids.output(0).set_names({"input_ids"})
    rows = opset.gather(opset.constant(table.astype(np.float32)), ids, opset.constant(0))
    rows.output(0).set_names({"logits"})
    ov.save_model(ov.Model([opset.result(rows)], [ids]), folder / "openvino_model.xml", compress_to_fp16=False)
    tokenizer(folder)
    (folder / "config.json").write_text(json.dumps({"eos_token_id": 1, "bos_token_id": 0, **config}))
    return folder


def words(path: Path, count: int, seed: int = 0) -> Dataset:
    ids = np.random.default_rng(seed).integers(2, VOCABULARY, count)
    path.write_text(" ".join(f"w{i}" for i in ids))
    return Dataset("words", "file", path, "txt")


def measure(
    family: str, base: Path, model: Path, dataset: Dataset, out: Path, params: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    module = measuring(FAMILIES[family])
    out.mkdir()
    module.reference(base, dataset, params or {}, RUNTIME, out, silent)
    result = module.evaluate(model, dataset, params or {}, RUNTIME, out, silent)
    json.dumps(result, allow_nan=False)
    assert set(result["values"]) == {name for name, info in METRICS.items() if info.family == family}
    return result


@pytest.fixture(scope="session")
def decoders(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """`<architecture>-<cache>` folders of two decoders with random weights, exported once a test run."""
    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == "master" else base.parent) / "decoders"
    with FileLock(f"{out}.lock"):
        if not out.exists():
            env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
            done = subprocess.run([sys.executable, "-c", EXPORT, str(out)], env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            for folder in out.glob("*-*"):
                tokenizer(folder, start=folder.name.startswith("llama"))
    return out


@pytest.fixture
def table() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(0, 2, (VOCABULARY, VOCABULARY))


def log_softmax(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    result: np.ndarray[Any, Any] = table - np.log(np.exp(table).sum(-1, keepdims=True))
    return result


def test_divergence_of_a_model_whose_probabilities_are_known(tmp_path: Path, table: np.ndarray[Any, Any]) -> None:
    other = table + np.random.default_rng(2).normal(0, 0.5, table.shape)
    base, model = bigram(tmp_path / "base", table), bigram(tmp_path / "model", other)
    dataset = words(tmp_path / "a.txt", 1000)
    result = measure("divergence", base, model, dataset, tmp_path / "ref", {"context_length": 100, "stride": 100})
    ids = np.array(Tokenizer(base).encode(dataset.path.read_text()))
    scored = np.arange(1000) % 100 != 0
    before, after = ids[:-1][scored[1:]], ids[1:][scored[1:]]
    log_p, log_q = log_softmax(table)[before], log_softmax(other)[before]
    divergence = (np.exp(log_p) * (log_p - log_q)).sum(-1)
    rows = np.arange(len(before))
    values = result["values"]
    assert values["kl_divergence"] == pytest.approx(divergence.mean(), rel=2e-3)
    assert values["kl_divergence_max"] == pytest.approx(divergence.max(), rel=2e-3)
    assert values["kl_divergence_p95"] == pytest.approx(np.percentile(divergence, 95), rel=2e-3)
    assert values["same_top_token"] == pytest.approx((log_p.argmax(-1) == log_q.argmax(-1)).mean())
    assert values["perplexity"] == pytest.approx(math.exp(-log_q[rows, after].mean()), rel=1e-5)
    assert result["reference_values"]["perplexity"] == pytest.approx(math.exp(-log_p[rows, after].mean()), rel=1e-5)
    change = log_p[rows, after] - log_q[rows, after]
    assert values["ln_ppl_ratio"] == pytest.approx(change.mean(), rel=1e-4)
    error = result["details"]["standard_errors"]["ln_ppl_ratio"]
    assert error == pytest.approx(change.std(ddof=1) / math.sqrt(len(change)), rel=1e-4)
    protocol = result["protocol"]
    assert (protocol["tokens"], protocol["tokens_scored"], protocol["windows"]) == (1000, 990, 10)
    assert protocol["runtime"]["INFERENCE_PRECISION_HINT"] == "f32"


def test_the_reference_belongs_to_its_text_and_vocabulary(tmp_path: Path, table: np.ndarray[Any, Any]) -> None:
    base = bigram(tmp_path / "base", table)
    family, out = measuring(FAMILIES["divergence"]), tmp_path / "ref"
    out.mkdir()
    family.reference(base, words(tmp_path / "a.txt", 50), {}, RUNTIME, out, silent)
    with pytest.raises(StageError, match=r"other tokens \(tokens_sha256 differ\)"):
        family.evaluate(base, words(tmp_path / "b.txt", 50, 1), {}, RUNTIME, out, silent)
    with pytest.raises(StageError, match="context_length, stride differ"):
        family.evaluate(base, words(tmp_path / "a.txt", 50), {"context_length": 9}, RUNTIME, out, silent)
    wide = bigram(tmp_path / "wide", np.pad(table, ((0, 0), (0, 3))))
    with pytest.raises(StageError, match="logits for 67 tokens, the reference for 64"):
        family.evaluate(wide, words(tmp_path / "a.txt", 50), {}, RUNTIME, out, silent)


def test_infinite_logits_give_nan_and_not_a_pass(tmp_path: Path, table: np.ndarray[Any, Any]) -> None:
    broken = bigram(tmp_path / "model", np.where(np.eye(VOCABULARY), np.nan, table))
    out, dataset = tmp_path / "ref", words(tmp_path / "a.txt", 50)
    out.mkdir()
    family = measuring(FAMILIES["divergence"])
    family.reference(bigram(tmp_path / "base", table), dataset, {}, RUNTIME, out, silent)
    values = family.evaluate(broken, dataset, {}, RUNTIME, out, silent)["values"]
    assert math.isnan(values["kl_divergence"])
    assert math.isnan(values["perplexity"])


def losses(folder: Path, dataset: Dataset, chunk: int | None, **params: int) -> np.ndarray[Any, Any]:
    found = passage(Tokenizer(folder), [dataset.path.read_text()], params, "words")
    compiled = compile_folder(folder)
    blocks = scored_tokens(compiled, found, silent, chunk)
    return Scores.join([log_probabilities(block.logits, block.targets, dither())[1] for block in blocks]).loss


@pytest.mark.parametrize("params", [{"context_length": 32}, {"context_length": 32, "stride": 11}])
def test_neither_the_cache_nor_the_chunk_changes_the_losses(
    decoders: Path, tmp_path: Path, params: dict[str, int]
) -> None:
    dataset = words(tmp_path / "a.txt", 80)
    whole = losses(decoders / "llama-none", dataset, None, **params)
    assert len(whole) == 80
    for cache, chunk in (("past", None), ("stateful", None), ("stateful", 1), ("stateful", 7), ("stateful", 32)):
        found = losses(decoders / f"llama-{cache}", dataset, chunk, **params)
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-4)
    gpt2 = [losses(decoders / "gpt2-stateful", dataset, chunk, **params) for chunk in (None, 5)]
    assert len(gpt2[0]) == (79 if "stride" in params else 77)
    np.testing.assert_allclose(gpt2[0], gpt2[1], rtol=1e-4, atol=1e-4)


def test_overlapping_windows_give_tokens_more_context(decoders: Path, tmp_path: Path) -> None:
    """The context of a window is really used: the same token's loss differs with it."""
    dataset, folder = words(tmp_path / "a.txt", 120), decoders / "gpt2-stateful"
    apart, overlapping = (
        losses(folder, dataset, None, context_length=20),
        losses(folder, dataset, None, context_length=20, stride=10),
    )
    assert len(overlapping) == 119
    assert not np.allclose(overlapping[20:29], apart[19:28], atol=1e-3)


@pytest.mark.parametrize("cache", CACHES)
def test_a_decoder_does_not_diverge_from_itself(decoders: Path, tmp_path: Path, cache: str) -> None:
    dataset, folder = words(tmp_path / "a.txt", 150), decoders / f"llama-{cache}"
    values = measure("divergence", decoders / "llama-stateful", folder, dataset, tmp_path / "ref")["values"]
    assert values["kl_divergence_max"] < 1e-5
    assert values["same_top_token"] == 1
    assert abs(values["ln_ppl_ratio"]) < 1e-5


def test_text_fills_every_input_of_a_decoder_for_calibration(decoders: Path, tmp_path: Path) -> None:
    dataset = words(tmp_path / "a.txt", 400)
    for name in ("gpt2-stateful", *(f"llama-{cache}" for cache in CACHES)):
        model = ov.Core().read_model(decoders / name / "openvino_model.xml")
        items = calibration_items(dataset, model, decoders / name, 5, 0, 32)
        assert len(items) == 5
        assert set(items[0]) == {port.name for port in ports(model)}
        assert items[0]["input_ids"].shape == (1, 32)
        if name in ("llama-stateful", "llama-past"):
            assert {int(item["input_ids"][0, 0]) for item in items} == {0}
        request = ov.Core().compile_model(model, "CPU").create_infer_request()
        request.infer(items[0])
        assert request.get_tensor("logits").shape == [1, 32, VOCABULARY]


def test_calibration_draws_the_same_items_for_the_same_seed(decoders: Path, tmp_path: Path) -> None:
    folder, dataset = decoders / "gpt2-stateful", words(tmp_path / "a.txt", 400)
    model = ov.Core().read_model(folder / "openvino_model.xml")

    def draw(subset: int, seed: int) -> list[Any]:
        return [item["input_ids"].tolist() for item in calibration_items(dataset, model, folder, subset, seed, 8)]

    assert draw(5, 0) == draw(5, 0) != draw(5, 1)
    assert len(draw(300, 0)) == 50
    assert draw(300, 0) == draw(300, 1)


def test_a_fixed_length_is_filled_up_with_padding(decoders: Path, tmp_path: Path) -> None:
    folder = decoders / "llama-none"
    model = ov.Core().read_model(folder / "openvino_model.xml")
    model.reshape({port.get_any_name(): [1, 40] for port in model.inputs})
    (item,) = calibration_items(words(tmp_path / "a.txt", 30), model, folder, 5, 0, 8)
    assert item["input_ids"].shape == (1, 40)
    assert item["attention_mask"][0].tolist() == [1] * 31 + [0] * 9


def net(folder: Path, weights: np.ndarray[Any, Any], batch: int = -1) -> Path:
    """Class scores of 2x2x3 pixels in NCHW; one .xml without openvino_model's name."""
    folder.mkdir()
    image = opset.parameter([batch, 3, 2, 2], np.float32, name="image")
    image.output(0).set_names({"image"})
    flat = opset.reshape(image, opset.constant(np.array([batch, 12])), False)
    scores = opset.matmul(flat, opset.constant(weights.astype(np.float32)), False, False)
    scores.output(0).set_names({"scores"})
    doubled = opset.multiply(scores, opset.constant(np.float32(2)))
    doubled.output(0).set_names({"doubled"})
    ov.save_model(ov.Model([scores, doubled], [image]), folder / "net.xml", compress_to_fp16=False)
    return folder


def pictures(path: Path, items: int, labels: np.ndarray[Any, Any] | None = None) -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (items, 2, 2, 3), np.uint8)
    stored = {"images": images} if labels is None else {"images": images, "labels": labels}
    np.savez(path, **stored)
    steps = Preprocess(1 / 255, (0.5,), (0.25,), ("NHWC", "NCHW"))
    return Dataset(
        "pictures", "file", path, "npz", inputs={"": "images"}, columns={} if labels is None else {"label": "labels"},
        preprocess=steps,
    )  # fmt: skip


@pytest.fixture
def weights() -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).normal(0, 1, (12, 5))


def scores(dataset: Dataset, weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    images = np.load(dataset.path)["images"].transpose(0, 3, 1, 2).reshape(-1, 12)
    result: np.ndarray[Any, Any] = ((images / 255 - 0.5) / 0.25) @ weights
    return result


@pytest.mark.parametrize("batch", [-1, 1, 4])
def test_accuracy_is_the_share_of_right_labels(tmp_path: Path, weights: np.ndarray[Any, Any], batch: int) -> None:
    dataset = pictures(tmp_path / "a.npz", 70, np.zeros(70, int))
    labels = scores(dataset, weights).argmax(-1)
    labels[:7] = (labels[:7] + 1) % 5
    dataset = pictures(tmp_path / "b.npz", 70, labels)
    folder = net(tmp_path / "net", weights, batch)
    result = measured("accuracy", ARRAYS, folder, dataset, tmp_path / "out")
    assert result["values"] == result["reference_values"] == {"accuracy": 0.9}
    assert result["intervals"] == {"accuracy": proportion(63, 70).interval}
    assert result["protocol"]["items"] == result["rows"] == 70


def test_accuracy_tells_the_rows_that_flipped(tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    dataset = pictures(tmp_path / "a.npz", 60, np.zeros(60, int))
    other = weights + np.random.default_rng(5).normal(0, 0.3, weights.shape)
    labels, given = scores(dataset, weights).argmax(-1), scores(dataset, other).argmax(-1)
    dataset = pictures(tmp_path / "b.npz", 60, labels)
    base, model = net(tmp_path / "base", weights, -1), net(tmp_path / "model", other, -1)
    result = measured("accuracy", ARRAYS, model, dataset, tmp_path / "out", base)
    wrong = np.flatnonzero(labels != given)
    assert 0 < len(wrong) < 60
    assert result["reference_values"] == {"accuracy": 1.0}
    assert result["flipped"]["worse"] == len(wrong) and result["flipped"]["better"] == 0
    assert [row["row"] for row in result["flipped"]["rows"]] == [number + 1 for number in wrong]
    kept = np.load(tmp_path / "out" / "evaluated" / evaluate.ROWS)
    assert kept["model"].shape == (60, 1) and (kept["numbers"] == np.arange(60)).all()


def test_labels_fit_the_classes(tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    folder = net(tmp_path / "net", weights)
    with pytest.raises(SourceError, match="row 6: the label 5 is none of the model's 5 classes, 0 to 4"):
        measured("accuracy", ARRAYS, folder, pictures(tmp_path / "a.npz", 6, np.arange(6)), tmp_path / "a")
    with pytest.raises(SourceError, match="has no column for label"):
        measured("accuracy", ARRAYS, folder, pictures(tmp_path / "b.npz", 6), tmp_path / "b")


@pytest.mark.parametrize("batch", [-1, 3])
def test_output_error_of_arrays(tmp_path: Path, weights: np.ndarray[Any, Any], batch: int) -> None:
    other = weights + 0.1
    dataset = pictures(tmp_path / "a.npz", 40)
    base, model = net(tmp_path / "base", weights, batch), net(tmp_path / "model", other, batch)
    result = measure("output_error", base, model, dataset, tmp_path / "ref")
    r, y = scores(dataset, weights), scores(dataset, other)
    error = np.linalg.norm(y - r) / np.linalg.norm(r)
    assert result["values"]["relative_l2"] == pytest.approx(error, rel=1e-4)
    assert result["values"]["sqnr"] == pytest.approx(-20 * math.log10(error), rel=1e-4)
    cosines = (y * r).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(r, axis=-1)
    assert result["values"]["cosine_similarity"] == pytest.approx(cosines.mean(), rel=1e-4)
    outputs = result["details"]["outputs"]
    assert set(outputs) == {"scores", "doubled"}
    assert outputs["doubled"]["rows"] == 40
    assert outputs["scores"]["worst_row"] == cosines.argmin()


def test_output_error_of_text(decoders: Path, tmp_path: Path) -> None:
    dataset = words(tmp_path / "a.txt", 150)
    for number, cache in enumerate(CACHES):
        folder = decoders / f"llama-{cache}"
        same = measure("output_error", folder, folder, dataset, tmp_path / f"same{number}", {"context_length": 50})
        assert same["values"]["relative_l2"] < 1e-6
        rows = same["details"]["outputs"]["logits"]["rows"]
        assert same["protocol"]["tokens"] == rows == (151 if cache == "none" else 150)


def test_a_dataset_that_can_not_feed_the_model(
    tmp_path: Path, weights: np.ndarray[Any, Any], table: np.ndarray[Any, Any], decoders: Path
) -> None:
    image_net, text, images = net(tmp_path / "net", weights), words(tmp_path / "a.txt", 50), tmp_path / "a.npz"
    model = ov.Core().read_model(image_net / "net.xml")
    with pytest.raises(SourceError, match=r"inputs are image \[\?, 3, 2, 2\]; the dataset has text"):
        calibration_items(text, model, image_net, 5, 0, None)
    pictured = pictures(images, 4)
    gpt2 = ov.Core().read_model(decoders / "gpt2-stateful" / "openvino_model.xml")
    with pytest.raises(SourceError, match=r"inputs are input_ids \[\?, \?\], .*the dataset has one array"):
        calibration_items(pictured, gpt2, decoders, 5, 0, None)
    bare = Dataset("pictures", "file", images, "npz", inputs={"image": "images"})
    with pytest.raises(SourceError, match=r"image \[\?, 3, 2, 2\]: its items have shape \[2, 2, 3\]"):
        calibration_items(bare, model, image_net, 5, 0, None)
    floats = Dataset("pictures", "file", images, "npz", inputs={"": "images"}, preprocess=Preprocess())
    ids = ov.Core().read_model(bigram(tmp_path / "lm", table) / "openvino_model.xml")
    with pytest.raises(SourceError, match="can't feed the model's input"):
        calibration_items(floats, ids, tmp_path, 5, 0, None)
    odd = opset.parameter([-1, -1], np.int64, name="input_ids")
    extra = opset.parameter([-1, -1], np.float32, name="pixels")
    odd.output(0).set_names({"input_ids"})
    extra.output(0).set_names({"pixels"})
    with pytest.raises(SourceError, match=r"a text can't fill the model's input pixels \[\?, \?\]"):
        calibration_items(text, ov.Model([odd, extra], [odd, extra]), decoders / "llama-none", 5, 0, None)


def test_calibration_with_arrays(tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    for batch, shape in ((-1, (1, 3, 2, 2)), (4, (4, 3, 2, 2))):
        model = ov.Core().read_model(net(tmp_path / f"net{batch}", weights, batch) / "net.xml")
        items = calibration_items(pictures(tmp_path / "a.npz", 30), model, tmp_path, 6, 0, None)
        assert len(items) == 6
        assert {item["image"].shape for item in items} == {shape}
        assert items[0]["image"].dtype == np.float32


def test_a_property_that_the_runtime_refuses(tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    folder = net(tmp_path / "net", weights)
    for attempt in (lambda runtime: compile_folder(folder, runtime), effective):
        with pytest.raises(
            RecipeError, match=r"accuracy.runtime.KV_CACHE_PRECISON: no OpenVINO property.*mean KV_CACHE"
        ):
            attempt({"KV_CACHE_PRECISON": "f32"})
        with pytest.raises(
            RecipeError, match=r"accuracy.runtime.KV_CACHE_PRECISION: Wrong value f99.*Supported values"
        ):
            attempt({"KV_CACHE_PRECISION": "f99"})


def test_the_runtime_tells_what_it_made_of_the_properties(tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    found = compile_folder(net(tmp_path / "net", weights), {"NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    assert found.runtime["NUM_STREAMS"] == 1
    assert found.runtime["INFERENCE_PRECISION_HINT"] == "f32"
    assert found.runtime["openvino"] == ov.__version__
    assert effective({"INFERENCE_NUM_THREADS": 100_000})["INFERENCE_NUM_THREADS"] < 100_000


use = TASKS["arrays"].use


def test_a_finished_folder_is_used_once(decoders: Path, tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    for name in ("gpt2-stateful", "llama-past"):
        assert use(decoders / name) == Used(("openvino",), "predicted one token")
    assert use(net(tmp_path / "net", weights)).ran == "inferred once on zeros of shape [1, 3, 2, 2]"
    with pytest.raises(StageError, match="output scores has values that aren't finite"):
        use(net(tmp_path / "broken", np.full((12, 5), np.nan)))


def test_a_folder_that_can_not_be_loaded(tmp_path: Path, weights: np.ndarray[Any, Any]) -> None:
    with pytest.raises(SourceError, match="no OpenVINO models"):
        compile_folder(tmp_path)
    folder = net(tmp_path / "net", weights)
    shutil.copy(folder / "net.xml", folder / "second.xml")
    with pytest.raises(SourceError, match="2 OpenVINO models"):
        use(folder)
    (folder / "second.xml").unlink()
    (folder / "net.xml").write_text("<net")
    with pytest.raises(SourceError, match="can't read the model"):
        use(folder)


def test_logits_of_a_window_come_in_chunks(decoders: Path) -> None:
    compiled = compile_folder(decoders / "gpt2-stateful")
    ids = np.arange(2, 32)
    assert [len(block) for block in logits(compiled, ids, 8)] == [8, 8, 8, 6]
    assert [len(block) for block in logits(compiled, ids)] == [30]


@pytest.fixture(scope="session")
def talker(decoders: Path, worker_id: str) -> Iterator[Path]:
    """The stateful GPT-2 as a folder that OpenVINO GenAI loads."""
    pytest.importorskip("openvino_genai")
    out = decoders / f"talker {worker_id}"
    shutil.copytree(decoders / "gpt2-stateful", out)
    code = (
        "import sys, openvino as ov; from openvino_tokenizers import convert_tokenizer\n"
        "from transformers import PreTrainedTokenizerFast\n"
        "folder = sys.argv[1]\n"
        "fast = PreTrainedTokenizerFast(tokenizer_file=folder + '/tokenizer.json', eos_token='</s>', bos_token='<s>')\n"
        "both = convert_tokenizer(fast, with_detokenizer=True)\n"
        "for name, model in zip(('tokenizer', 'detokenizer'), both):\n"
        "    ov.save_model(model, f'{folder}/openvino_{name}.xml')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    yield out
    shutil.rmtree(out)


def greedy(compiled: Compiled, prompt: str, count: int, stops: tuple[int, ...] = (1,)) -> list[int]:
    """The reply by the plain runtime, token by token."""
    ids = Tokenizer(compiled.folder).encode(prompt)
    start = len(ids)
    while len(ids) < start + count and (len(ids) == start or ids[-1] not in stops):
        ids.append(int([block[-1] for block in logits(compiled, np.array(ids))][-1].argmax()))
    return [token for token in ids[start:] if token > 1]


def test_exact_match(talker: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prompts = [" ".join(f"w{i}" for i in rng.integers(2, VOCABULARY, rng.integers(1, 9))) for _ in range(40)]
    compiled = compile_folder(talker)
    replies = [" ".join(f"w{i}" for i in greedy(compiled, prompt, 6)) for prompt in prompts]
    rows = [{"q": prompt, "a": f" {reply}\n"} for prompt, reply in zip(prompts, replies, strict=True)]
    rows[3]["a"] = "something else"
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = Dataset("qa", "file", path, "jsonl", columns={"prompt": "q", "reply": "a"})
    given: Any = (talker, dataset)
    results = [measured("exact_match", WRITES, *given, tmp_path / name, max_new_tokens=6) for name in "ab"]
    assert results[0] == results[1]
    assert results[0]["values"] == results[0]["reference_values"] == {"exact_match": 39 / 40}
    assert results[0]["flipped"] == {"worse": 0, "better": 0, "rows": []}
    assert list(Kept.read(tmp_path / "a" / "model").values)[3].strip() == replies[3]  # type: ignore[union-attr]
    assert results[0]["protocol"]["runtime"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert use(talker).by == ("openvino", "openvino_genai")
    with pytest.raises(RecipeError, match="no OpenVINO property"):
        generator(talker, {"NO_SUCH": 1})


def test_without_genai_the_extra_is_named(tmp_path: Path) -> None:
    code: Callable[[str], str] = (
        "import sys; sys.modules['openvino_genai'] = None\n"
        "from pathlib import Path; from runner.errors import SourceError\n"
        "from runner.model.generation import generator\n"
        "try: generator(Path({!r}))\n"
        "except SourceError as error: assert 'ovrun[genai]' in error.hint; print('named')"
    ).format
    done = subprocess.run([sys.executable, "-c", code(str(tmp_path))], capture_output=True, text=True, timeout=60)
    assert done.stdout == "named\n", done.stderr


def test_every_property_that_a_recipe_may_state_is_one_of_the_cpu() -> None:
    known = json.loads((resources.schemas_dir() / "accuracy.schema.json").read_text())["properties"]["runtime"]
    supported = ov.Core().get_property("CPU", "SUPPORTED_PROPERTIES")
    assert {name: supported.get(name) for name in known["properties"]} == dict.fromkeys(known["properties"], "RW")
    assert known["default"] == RUNTIME == {name: known["properties"][name]["default"] for name in RUNTIME}


def test_a_reference_of_another_precision_is_not_compared_with(
    tmp_path: Path, table: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]
) -> None:
    text, images = words(tmp_path / "a.txt", 50), pictures(tmp_path / "a.npz", 4)
    other = {**RUNTIME, "EXECUTION_MODE_HINT": "ACCURACY"}
    for family, base, dataset in (
        ("divergence", bigram(tmp_path / "lm", table), text),
        ("output_error", net(tmp_path / "net", weights), images),
    ):
        (out := tmp_path / family).mkdir()
        measuring(FAMILIES[family]).reference(base, dataset, {}, RUNTIME, out, silent)
        with pytest.raises(StageError, match="EXECUTION_MODE_HINT PERFORMANCE there and ACCURACY here"):
            measuring(FAMILIES[family]).evaluate(base, dataset, {}, other, out, silent)


@pytest.mark.parametrize("stage", ["reference", "evaluate"])
def test_a_processor_that_computes_otherwise_measures_nothing_under_the_plans_key(tmp_path: Path, stage: str) -> None:
    params = evaluate.Params("output_error", 2, {}, dict(RUNTIME), ("x86_64", "avx2"))
    task = Task(stage, params, tmp_path, {"model": tmp_path}, {"data": Dataset("a", "file", tmp_path / "a.npz", "npz")})
    with pytest.raises(StageError, match="planned on a processor with x86_64 avx2; this one has"):
        stages.module(stage).run(task, silent)


OWN_CONFIG = {
    "max_length": 3,
    "min_new_tokens": 6,
    "repetition_penalty": 9.0,
    "no_repeat_ngram_size": 1,
    "do_sample": True,
    "temperature": 9.0,
    "num_beams": 4,
    "suppress_tokens": list(range(2, 40)),
    "forced_eos_token_id": 1,
}


def test_exact_match_takes_only_the_stop_tokens_of_a_models_own_generation_config(talker: Path, tmp_path: Path) -> None:
    """Replies are those of the plain runtime's most probable tokens, computed here."""
    compiled, rng = compile_folder(talker), np.random.default_rng(1)
    prompts = [" ".join(f"w{i}" for i in rng.integers(2, VOCABULARY, 5)) for _ in range(12)]
    free = [greedy(compiled, prompt, 8) for prompt in prompts]
    stops = (1, next(token for reply in free for token in reply[2:5]))
    replies = [greedy(compiled, prompt, 8, stops) for prompt in prompts]
    assert replies != free
    rows = [
        {"q": prompt, "a": " ".join(f"w{i}" for i in reply)} for prompt, reply in zip(prompts, replies, strict=True)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = Dataset("qa", "file", tmp_path / "a.jsonl", "jsonl", columns={"prompt": "q", "reply": "a"})
    folder = tmp_path / "own"
    shutil.copytree(talker, folder)
    (folder / "generation_config.json").write_text(json.dumps({**OWN_CONFIG, "eos_token_id": list(stops)}))
    found = measured("exact_match", WRITES, folder, dataset, tmp_path / "out", max_new_tokens=8)
    assert found["values"] == {"exact_match": 1.0}, found["details"]
    config = found["protocol"]["generation_config"]
    assert (config["stop_token_ids"], config["repetition_penalty"], config["min_new_tokens"]) == (sorted(stops), 1.0, 0)
    assert (config["max_new_tokens"], config["do_sample"], config["num_beams"]) == (8, False, 1)


def spoil(source: Path, target: Path, value: float) -> Path:
    """A copy of a model's folder whose first output is not a number."""
    shutil.copytree(source, target)
    (path,) = source.glob("openvino_model.xml")
    model = ov.Core().read_model(path)
    output = model.outputs[0].get_node().input(0).get_source_output()
    names = output.get_names()
    broken = opset.add(output, opset.constant(np.float32(value)))
    output.set_names(set())
    broken.output(0).set_names(names)
    model.outputs[0].get_node().input(0).replace_source_output(broken.output(0))
    for old in target.glob("openvino_model.*"):
        old.unlink()
    ov.save_model(model, target / "openvino_model.xml", compress_to_fp16=False)
    return target


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_generator_whose_logits_are_no_numbers_is_found(talker: Path, tmp_path: Path, value: float) -> None:
    """GenAI generates a token from them without a word."""
    broken = spoil(talker, tmp_path / "broken", value)
    with pytest.raises(StageError, match="logits has values that aren't finite"):
        use(broken)
    (tmp_path / "a.jsonl").write_text(json.dumps({"q": "w5 w6", "a": "w7"}) + "\n")
    dataset = Dataset("qa", "file", tmp_path / "a.jsonl", "jsonl", columns={"prompt": "q", "reply": "a"})
    with pytest.raises(StageError, match="logits has values that aren't finite"):
        measured("exact_match", WRITES, broken, dataset, tmp_path / "out", max_new_tokens=8)


def test_an_uncompressed_model_without_numbers_is_no_reference(
    tmp_path: Path, table: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]
) -> None:
    broken = bigram(tmp_path / "model", np.where(np.eye(VOCABULARY), np.nan, table))
    (out := tmp_path / "out").mkdir()
    text = words(tmp_path / "a.txt", 5000)
    for family in ("divergence", "output_error"):
        with pytest.raises(SourceError, match=r"uncompressed model's .*logits aren't finite numbers"):
            measuring(FAMILIES[family]).reference(broken, text, {}, RUNTIME, out, silent)
    blank = net(tmp_path / "net", np.full_like(weights, np.nan))
    labelled = pictures(tmp_path / "b.npz", 4, np.zeros(4, np.int64))
    found = measured("accuracy", ARRAYS, blank, labelled, tmp_path / "classes")
    assert math.isnan(found["values"]["accuracy"])
    assert found["details"]["rows_without_numbers"] == 4
    assert found["details"]["not_finite"] == "output scores isn't finite in 4 rows, first in row 1"


def encoder(folder: Path, length: int, *, ahead: bool = True) -> Path:
    """A model whose outputs for a token follow from its row of a table and, with `ahead`, from the mean of all rows.

    Outputs: [1, tokens, 6], pooled [1, length] over what the mask keeps, [1, tokens] as `start_logits`. At padded
    positions the outputs are large.
    """
    folder.mkdir()
    rows = np.random.default_rng(3).normal(0, 1, (VOCABULARY, 6)).astype(np.float32)
    rows[1] = 50
    ids, mask = (opset.parameter([1, length], np.int64, name=name) for name in ("input_ids", "attention_mask"))
    for port, name in ((ids, "input_ids"), (mask, "attention_mask")):
        port.output(0).set_names({name})
    table = opset.gather(opset.constant(rows), ids, opset.constant(0))
    kept = opset.multiply(table, opset.unsqueeze(opset.convert(mask, "f32"), opset.constant(2)))
    mean = opset.reduce_mean(kept, opset.constant([1]), True)
    states = opset.add(table, mean) if ahead else opset.multiply(table, opset.constant(np.float32(1)))
    wide = np.random.default_rng(4).normal(0, 1, (6, max(length, 6))).astype(np.float32)
    pooled = opset.matmul(opset.squeeze(mean, opset.constant([1])), opset.constant(wide), False, False)
    start = opset.reduce_sum(states, opset.constant([2]), False)
    results = []
    for node, name in ((states, "last_hidden_state"), (pooled, "pooled"), (start, "start_logits")):
        node.output(0).set_names({name})
        results.append(opset.result(node))
    ov.save_model(ov.Model(results, [ids, mask]), folder / "openvino_model.xml", compress_to_fp16=False)
    tokenizer(folder)
    (folder / "config.json").write_text(json.dumps({"eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}))
    return folder


def nudged(source: Path, target: Path) -> Path:
    """The encoder with all but the padding token's row of its table changed."""
    shutil.copytree(source, target)
    model = ov.Core().read_model(source / "openvino_model.xml")
    (constant,) = (op for op in model.get_ops() if op.get_type_name() == "Constant" and [*op.shape] == [VOCABULARY, 6])
    rows = constant.get_data().copy()
    rows[2:] += np.random.default_rng(5).normal(0, 0.2, rows[2:].shape)
    other = opset.constant(rows)
    for port in constant.output(0).get_target_inputs():
        port.replace_source_output(other.output(0))
    for old in target.glob("openvino_model.*"):
        old.unlink()
    ov.save_model(model, target / "openvino_model.xml", compress_to_fp16=False)
    return target


def hidden(folder: Path, ids: list[int], length: int) -> list[np.ndarray[Any, Any]]:
    """The encoder's outputs for one text, without padding, by the plain runtime."""
    compiled = compile_folder(folder).model
    padded = np.array([ids + [1] * (length - len(ids))])
    mask = np.array([[1] * len(ids) + [0] * (length - len(ids))])
    states, pooled, start = (compiled([padded, mask])[index] for index in range(3))
    return [states[0, : len(ids)], pooled, start[:, : len(ids)]]


@pytest.mark.parametrize("kind", ["text", "arrays"])
def test_output_errors_leave_padding_out(tmp_path: Path, kind: str) -> None:
    length, texts = 24, [[5, 6, 7], [8, 9, 10, 11, 12], [20]]
    base = encoder(tmp_path / "base", length)
    other = nudged(base, tmp_path / "other")
    both = [(hidden(base, ids, length), hidden(other, ids, length)) for ids in texts]
    if kind == "text":
        (tmp_path / "a.jsonl").write_text(
            "".join(json.dumps({"t": " ".join(f"w{i}" for i in ids)}) + "\n" for ids in texts)
        )
        dataset = Dataset("texts", "file", tmp_path / "a.jsonl", "jsonl", columns={"text": "t"})
    else:
        ids = np.array([one + [1] * (length - len(one)) for one in texts])
        mask = np.array([[1] * len(one) + [0] * (length - len(one)) for one in texts])
        np.savez(tmp_path / "a.npz", ids=ids, mask=mask)
        inputs = {"input_ids": "ids", "attention_mask": "mask"}
        dataset = Dataset("texts", "file", tmp_path / "a.npz", "npz", inputs=inputs)
    found = measure("output_error", base, other, dataset, tmp_path / "ref")
    for number, name in enumerate(("last_hidden_state", "pooled", "start_logits")):
        noise = sum(((y[number] - r[number]) ** 2).sum(dtype=np.float64) for r, y in both)
        signal = sum((r[number] ** 2).sum(dtype=np.float64) for r, _ in both)
        assert found["details"]["outputs"][name]["relative_l2"] == pytest.approx(math.sqrt(noise / signal), rel=1e-4), (
            name
        )
    assert found["values"]["relative_l2"] > 0.05
    original = compile_folder(base)
    (kept := tmp_path / "kept").mkdir()
    controlled = items("cosine_similarity", original, dataset, {}, kept)
    value, _ = controlled.measure(compile_folder(other), range(controlled.count))
    assert value == pytest.approx(found["values"]["cosine_similarity"], rel=1e-5)


def test_divergence_is_of_causal_models(tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    text = words(tmp_path / "a.txt", 50)
    reference = measuring(FAMILIES["divergence"]).reference
    with pytest.raises(SourceError, match="isn't causal"):
        reference(encoder(tmp_path / "open", -1), text, {}, RUNTIME, out, silent)
    with pytest.raises(SourceError, match="takes 24 tokens, and windows"):
        reference(encoder(tmp_path / "fixed", 24), text, {}, RUNTIME, out, silent)
    with pytest.raises(SourceError, match="logits for 6 tokens; the text has"):
        reference(encoder(tmp_path / "narrow", -1, ahead=False), text, {}, RUNTIME, out, silent)
