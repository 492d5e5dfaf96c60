"""Noise floors, held against plain NumPy and OpenVINO; and where they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray

from runner import api
from runner.base import resources
from runner.data.tokens import Passage
from runner.recipe.accuracy import RUNTIME
from runner.report.columns import Table
from runner.report.page import as_html
from runner.report.rows import collect
from runner.run.noise import Floors
from tests.conftest import Ovrun
from tests.outputs import manifest_of

DIGITS = """
defaults: [model: digits-cnn, data: digits, _self_]
name: quiet
conversion: {check: false}
compression: {algorithm: weight_compression, mode: int8_asym}
accuracy:
  checks:
    - {metric: relative_l2, dataset: digits_evaluation, max: 0.1}
    - {metric: sqnr, dataset: digits_evaluation, min: 20}
    - {metric: decision_agreement, dataset: digits_evaluation, min: 0.9}
    - {metric: accuracy, dataset: digits_evaluation, max_drop: 0.1}
"""
DIALOGUE = """
defaults: [model: dialogpt-mini, data: dialogue, _self_]
name: noise-dialogue
datasets: {dialogue_eval: {limit: 60}}
conversion: {precision: fp16, stateful: true, tokenizer: true}
compression: {algorithm: weight_compression, mode: int8_sym}
accuracy:
  checks: [{metric: kl_divergence, dataset: dialogue_eval, max: 0.01, context_length: 128}]
"""
WAYS = {"threads", "batch", "defaults"}
Logits = NDArray[np.float64]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A recipe, its outputs, and a version that was published before anything was known of its noise."""
    folder = tmp_path_factory.mktemp("digits")
    recipe, outputs = folder / "quiet.yaml", folder / "outputs"
    recipe.write_text(DIGITS, encoding="utf-8")
    version = api.optimize(recipe, outputs=outputs)
    assert not any("noise" in check and check["noise"] for check in version.checks)
    return recipe, outputs, version.path


@pytest.fixture(scope="module")
def floors(digits: tuple[Path, Path, Path]) -> Floors:
    """The noise floors of its checks."""
    return api.noise(digits[0], outputs=digits[1])


def ways_of(floors: Floors) -> dict[str, Mapping[str, Any]]:
    """Metric -> its ways."""
    found = {}
    for one in floors.checks:
        assert one.noise
        found[one.metric] = one.noise["ways"]
    return found


def folder_of(outputs: Path, stage: str) -> Path:
    """The files of the one entry of a stage's name in a store."""
    records = [json.loads(path.read_text()) for path in outputs.glob(".store/entries/*/*/entry.json")]
    keys = {record["key"] for record in records if record["document"]["stage"] == stage}
    (key,) = keys
    return outputs / ".store" / "entries" / key[:2] / key / "files"


def test_floors_are_what_openvino_and_numpy_find(digits: tuple[Path, Path, Path], floors: Floors) -> None:
    """All images by plain OpenVINO: at once, one by one, by one thread, and as it computes by itself."""
    model = ov.Core().read_model(folder_of(digits[1], "convert") / "openvino_model.xml")
    stored = np.load(Path(api.__file__).parent / "embedded" / "data" / "digits-evaluation.npz")
    images = np.moveaxis(stored["images"].astype(np.float32) / 16, -1, 1)

    def outputs(batch: int, **properties: object) -> Logits:
        compiled = ov.Core().compile_model(model, "CPU", properties)
        parts = [images[start : start + batch] for start in range(0, len(images), batch)]
        return np.concatenate([np.array(compiled(part)[0], np.float64) for part in parts])

    base = outputs(32, **RUNTIME)
    others = {
        "threads": outputs(32, **RUNTIME, INFERENCE_NUM_THREADS=1),
        "batch": outputs(1, **RUNTIME),
        "defaults": outputs(32),
    }
    found = ways_of(floors)
    for way, other in others.items():
        error = np.linalg.norm(other - base) / np.linalg.norm(base)
        same = (other.argmax(-1) == base.argmax(-1)).mean()
        right = [(scores.argmax(-1) == stored["labels"]).mean() for scores in (other, base)]
        assert found["relative_l2"][way]["noise"] == pytest.approx(error, rel=1e-6, abs=1e-12)
        assert found["decision_agreement"][way]["value"] == same
        assert found["accuracy"][way]["noise"] == pytest.approx(abs(right[0] - right[1]), abs=1e-12)


def test_the_floor_is_the_worst_of_what_should_change_nothing(floors: Floors) -> None:
    for one in floors.checks:
        assert one.noise and set(one.noise["ways"]) == WAYS
        quiet = [one.noise["ways"][way]["noise"] for way in ("threads", "batch")]
        worst = min if one.metric in ("sqnr", "decision_agreement") else max
        assert one.noise["floor"] == worst(number for number in quiet if number is not None)
        assert one.noise["kind"] == ("difference" if one.metric == "accuracy" else "value")
    found = {one.metric: one.noise for one in floors.checks if one.noise}
    assert 0 <= (found["relative_l2"]["floor"] or 0) < 1e-5
    assert (found["sqnr"]["floor"] or 0) > 100
    assert not found["relative_l2"]["within"] and not found["sqnr"]["within"]


def test_nothing_is_measured_twice_and_a_stated_count_of_threads_is_varied(
    digits: tuple[Path, Path, Path], floors: Floors
) -> None:
    recipe, outputs, _ = digits
    assert floors.end.ran
    assert not api.noise(recipe, outputs=outputs).end.ran
    one = api.noise(recipe, ["accuracy.runtime.INFERENCE_NUM_THREADS=1"], outputs=outputs)
    threads = [floors.checks[0].noise, one.checks[0].noise]
    keys = [noise["ways"]["threads"]["key"] for noise in threads if noise]
    counts = []
    for key in keys:
        entry = json.loads((outputs / ".store" / "entries" / key[:2] / key / "entry.json").read_text())
        counts.append(entry["document"]["params"]["runtime"]["INFERENCE_NUM_THREADS"])
    assert counts == [1, 2] and len(set(keys)) == 2


def test_a_version_that_was_there_before_is_shown_with_its_floors(
    digits: tuple[Path, Path, Path], floors: Floors, ovrun: Ovrun
) -> None:
    """The version stays as it is; show, report and page look in the store."""
    _, outputs, version = digits
    assert not any(check.get("noise") for check in manifest_of(version)["checks"])
    told = ovrun("show", "quiet/1", "--outputs", outputs).stdout
    assert "noise " in told and "noise ± 0" in told
    found = collect(outputs)
    table = Table(found.rows)
    checks = {check["metric"]: check for check in table.rows[0].checks}
    noise = checks["relative_l2"].get("noise")
    assert noise and floors.checks[0].noise and noise["ways"] == floors.checks[0].noise["ways"]
    assert "OpenVINO's defaults" in as_html(table, table.rows, (), outputs, outputs / "report.html").replace(
        "\\u0027", "'"
    )
    csv = ovrun("report", "quiet/1", "--format", "csv", "--outputs", outputs).stdout.splitlines()
    cells = dict(zip(csv[0].split(","), csv[1].split(","), strict=False))
    assert float(cells["relative_l2 noise"]) == noise["floor"]


def test_asked_for_by_the_recipe_it_is_in_manifest_and_card(
    digits: tuple[Path, Path, Path], floors: Floors, ovrun: Ovrun
) -> None:
    recipe, outputs, _ = digits
    done = ovrun("optimize", recipe, "accuracy.noise=true", "--outputs", outputs)
    version = outputs / "quiet" / "2"
    manifest = manifest_of(version)
    jsonschema.validate(manifest, json.loads((resources.schemas_dir() / "manifest.schema.json").read_text()))
    for check, one in zip(manifest["checks"], floors.checks, strict=True):
        assert one.noise and check["noise"]["ways"] == one.noise["ways"]
    keys = {stage["key"] for stage in manifest["stages"]}
    assert {way["key"] for check in manifest["checks"] for way in check["noise"]["ways"].values()} <= keys
    card = (version / "README.md").read_text(encoding="utf-8")
    rows = [line for line in card.splitlines() if line.startswith("|") and "digits_evaluation" in line][-4:]
    assert all(row.count("|") == 8 for row in rows)
    assert "noise floor |\n|---" in card and "With OpenVINO's own precision" in card
    same = manifest["checks"][3]["value"] == manifest["checks"][3]["reference_value"]
    assert ("± 0, within noise |" in rows[3]) == same
    assert "noise " in done.stdout


def test_the_divergence_of_the_defaults_is_that_of_the_distributions(
    converted: Callable[[str], Path], tmp_path: Path, ovrun: Ovrun
) -> None:
    outputs = converted("dialogpt-mini-int4")
    (tmp_path / "noise-dialogue.yaml").write_text(DIALOGUE, encoding="utf-8")
    told = json.loads(ovrun("noise", "noise-dialogue.yaml", "--json").stdout)
    assert not any("convert" in label for label in told["ran"]) and told["log"]
    noise = told["checks"][0]["noise"]
    assert 0 <= noise["floor"] < 1e-6 and told["checks"][0]["value"] is None

    model = ov.Core().read_model(folder_of(outputs, "convert") / "openvino_model.xml")
    text = Passage.load(folder_of(outputs, "reference") / "passage.npz")
    pairs = zip(log_probabilities(model, text, RUNTIME), log_probabilities(model, text, {}), strict=True)
    divergences = np.concatenate([(np.exp(base) * (base - own)).sum(-1) for base, own in pairs])
    assert noise["ways"]["defaults"]["noise"] == pytest.approx(divergences.mean(), rel=0.01, abs=1e-9)
    quiet = ovrun("noise", "noise-dialogue.yaml", "--quiet").stdout
    assert quiet == f"kl_divergence dialogue_eval {noise['floor']:.4g}\n"
    told = ovrun("noise", "noise-dialogue.yaml", "accuracy.checks.0.max=1e-12").stdout
    assert "not measured yet" in told
    assert ("kl_divergence on dialogue_eval: max asks for less" in told) == (noise["floor"] > 1e-12)


def log_probabilities(model: ov.Model, text: Passage, properties: Mapping[str, object]) -> Iterator[Logits]:
    """Of the tokens of each window that are scored."""
    request = ov.Core().compile_model(model, "CPU", dict(properties)).create_infer_request()
    for window in text.windows:
        ids = text.window_ids(window)[:-1][None]
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "beam_idx": np.zeros(1, np.int32)}
        feed["position_ids"] = np.arange(ids.shape[1], dtype=np.int64)[None]
        request.reset_state()
        request.infer({name: feed[name] for name in feed if any(name in port.names for port in model.inputs)})
        scores = np.array(request.get_output_tensor(0).data[0], np.float64)[-window.scored :]
        yield scores - np.logaddexp.reduce(scores, -1, keepdims=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "compression: {algorithm: weight_compression, mode: int8_asym}",
            "bare.yaml:1:1: accuracy: there are no",
        ),
        (
            "datasets: {d: {source: embedded, id: digits-evaluation, inputs: images, preprocess: {scale: 1/16, "
            "layout: NHWC->NCHW, dtype: float32}}}\naccuracy: {checks: []}",
            "accuracy.checks",
        ),
    ],
)
def test_a_recipe_without_checks_is_refused(text: str, told: str, tmp_path: Path, ovrun: Ovrun) -> None:
    (tmp_path / "bare.yaml").write_text(f"model: {{source: embedded, id: digits-cnn}}\n{text}\n", encoding="utf-8")
    assert told in ovrun("noise", "bare.yaml", code=2).stderr
    assert not (tmp_path / "outputs" / "bare").exists()


def test_a_name_that_is_none_is_refused(ovrun: Ovrun) -> None:
    assert "nosuch" in ovrun("noise", "nosuch", code=2).stderr
    assert "no recipe is named" in ovrun("noise", code=2).stderr


def test_the_points_of_a_sweep_share_a_floor(digits: tuple[Path, Path, Path], floors: Floors, ovrun: Ovrun) -> None:
    recipe, outputs, _ = digits
    ovrun("sweep", recipe, "compression.mode=int8_asym,int8_sym", "accuracy.noise=true", "--outputs", outputs)
    points = json.loads((outputs / ".sweeps" / "quiet.json").read_text())["points"]
    assert len(points) == 2
    for point in points:
        found = [check["noise"]["ways"] for check in point["checks"]]
        assert found == [one.noise["ways"] for one in floors.checks if one.noise]
