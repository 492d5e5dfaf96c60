"""Model files of other frameworks: each kind becomes a version that computes what the file's net computes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import SourceError
from runner.recipe.types import ModelSource
from runner.registry.sources import SOURCES
from runner.sources import locate
from runner.sources.onnx_data import external_files
from runner.stages import Task, convert
from tests import foreign
from tests.conftest import Ovrun
from tests.foreign.nets import Dense, Floats
from tests.foreign.protobuf import wire

FP16, INT8 = 2e-3, 2e-2
COMPRESSED = "compression: {algorithm: weight_compression, mode: int8_asym}\n"
SHAPED = "input_info: {sample_size: [1, 16], type: float, keyword: 'x:0'}\n"
X = np.random.default_rng(1).standard_normal((1, 16), np.float32)

Writer = Callable[[Path, Dense], Path]

# Kind -> the source, what writes a net into an empty folder and gives the path that a recipe states.
KINDS: dict[str, tuple[str, Writer]] = {
    "onnx": ("onnx", lambda folder, net: foreign.onnx_file(folder / "net.onnx", net)),
    "onnx-external": ("onnx", lambda folder, net: foreign.onnx_file(folder / "net.onnx", net, "weights/first")),
    "tflite": ("tflite", lambda folder, net: foreign.tflite_file(folder / "net.tflite", net)),
    "frozen": ("tensorflow", lambda folder, net: foreign.tensorflow_frozen(folder / "net.pb", net)),
    "pbtxt": ("tensorflow", lambda folder, net: foreign.tensorflow_pbtxt(folder / "net.pbtxt", net)),
    "meta": ("tensorflow", lambda folder, net: foreign.tensorflow_meta_graph(folder / "net.meta", net)),
    "saved-model": ("tensorflow", foreign.tensorflow_saved_model),
    "paddle": ("paddle", foreign.paddle_files),
    "openvino": ("openvino", foreign.openvino_ir),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def test_every_source_of_files_is_tried() -> None:
    of_files = {name for name, one in SOURCES.items() if one.takes == "path" and not one.task and not one.code}
    assert {source for source, _ in KINDS.values()} == of_files


def write(kind: str, folder: Path, seed: int = 0) -> tuple[str, Path, Dense]:
    """The source, the path and the net of a model of `kind` that is written into `folder`."""
    source, writer = KINDS[kind]
    net = foreign.dense(seed)
    folder.mkdir(exist_ok=True)
    return source, writer(folder, net), net


def recipe(tmp_path: Path, source: str, path: Path, more: str = "") -> Path:
    """A recipe that states the model's path relative to itself."""
    file = tmp_path / "mine.yaml"
    file.write_text(f"model: {{source: {source}, path: {path.relative_to(tmp_path)}}}\n{more}")
    return file


def optimize(ovrun: Ovrun, tmp_path: Path, file: Path) -> tuple[dict[str, Any], Path]:
    """What `ovrun optimize --json` says, and the version's folder."""
    told = json.loads(ovrun("optimize", file, "--json").stdout)
    return told, tmp_path / told["path"]


def read(version: Path) -> Any:
    """The one model at the top of a version's folder."""
    import openvino as ov

    (xml,), (_,) = version.glob("*.xml"), version.glob("*.bin")
    return ov.Core().read_model(xml)


def infer(model: Any, x: Floats) -> Floats:
    """The model's output."""
    import openvino as ov

    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result: Floats = compiled(x)[0]
    return result


def error(got: Floats, right: Floats) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(got - right) / np.linalg.norm(right))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("onnx", COMPRESSED),
        ("tflite", COMPRESSED),
        ("frozen", SHAPED),
        ("pbtxt", ""),
        ("meta", ""),
        ("saved-model", ""),
        ("paddle", ""),
        ("openvino", ""),
    ],
    ids=lambda value: value.partition(":")[0] or "only",
)
def test_every_kind_becomes_a_version(ovrun: Ovrun, tmp_path: Path, kind: str, more: str) -> None:
    source, path, net = write(kind, tmp_path / "model")
    told, version = optimize(ovrun, tmp_path, recipe(tmp_path, source, path, more))
    assert (told["status"], told["version"]) == ("published", 1)
    model = read(version)
    assert model.input(0).partial_shape.is_static == (kind == "tflite" or more == SHAPED)
    assert error(infer(model, X), net(X)) < (INT8 if more == COMPRESSED else FP16)


def test_a_changed_file_is_a_new_version_and_an_unchanged_one_is_not(ovrun: Ovrun, tmp_path: Path) -> None:
    source, path, _ = write("onnx-external", tmp_path / "model")
    file = recipe(tmp_path, source, path)
    first, _ = optimize(ovrun, tmp_path, file)
    again, _ = optimize(ovrun, tmp_path, file)
    assert (again["status"], again["version"], again["ran"]) == ("up to date", 1, [])
    graph = path.read_bytes()
    _, _, net = write("onnx-external", tmp_path / "model", seed=1)
    assert path.read_bytes() == graph, "only the weights outside of the model have changed"
    assert "changed: content" in ovrun("plan", file).stdout
    second, version = optimize(ovrun, tmp_path, file)
    assert (first["version"], second["version"]) == (1, 2)
    assert error(infer(read(version), X), net(X)) < FP16


IMAGES = """\
datasets:
  images:
    source: file
    path: images.npz
    inputs: pixels
    preprocess: {scale: 1/255, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.25], layout: NHWC->NCHW}
compression: {algorithm: quantization, dataset: images, preset: mixed}
"""


def test_images_calibrate_a_convolutional_net(ovrun: Ovrun, tmp_path: Path) -> None:
    """The stored images are bytes in NHWC; only with all of `preprocess` do the ranges fit the net's real input."""
    pixels = np.random.default_rng(2).integers(0, 256, (32, 8, 6, 3), np.uint8)
    np.savez(tmp_path / "images.npz", pixels=pixels)
    net = foreign.conv()
    file = recipe(tmp_path, "onnx", foreign.onnx_file(tmp_path / "net.onnx", net), IMAGES)
    told = ovrun("optimize", file, "datasets.images.preprocess.layout='NHWC->NCWH'", code=4).stderr
    assert "x [?, 3, 8, 6]" in told and "[3, 6, 8]" in told and "layout" in told
    _, version = optimize(ovrun, tmp_path, file)
    model = read(version)
    assert "FakeQuantize" in {node.get_type_name() for node in model.get_ops()}
    x = (pixels.astype(np.float32) / 255 - (0.4, 0.5, 0.6)) / (0.2, 0.3, 0.25)
    x = x.transpose(0, 3, 1, 2).astype(np.float32)
    assert error(infer(model, x), net(x)) < 0.06, "0.035 is NNCF's clipping; without mean and std it is 0.65"


def digest(source: str, path: Path, memory: Path) -> str:
    """The digest of a model that goes into keys."""
    found = locate(ModelSource(source=source, path=path), lambda name: memory).digest
    assert found is not None
    return found


@kinds
def test_the_digest_covers_the_weights_and_nothing_beside_them(tmp_path: Path, kind: str) -> None:
    source, path, _ = write(kind, tmp_path / "model")
    before = digest(source, path, tmp_path / "memory")
    if path.is_file():
        for name in (f"{path.stem}.yaml", f"{path.stem}.txt", "other.bin"):
            (path.parent / name).write_text("of no concern")
    assert digest(source, path, tmp_path / "memory") == before
    write(kind, tmp_path / "model", seed=1)
    assert digest(source, path, tmp_path / "memory") != before


def test_models_side_by_side_have_digests_of_their_own(tmp_path: Path) -> None:
    """One folder, mostly one stem: every file is still a model by itself."""
    written = [write(kind, tmp_path / "models") for kind in KINDS if kind != "saved-model"]
    digests = [digest(source, path, tmp_path / path.name) for source, path, _ in written]
    assert len(set(digests)) == len(digests) - 1, "net.onnx was written twice, the others once"


def test_a_missing_file_of_weights_is_told_before_any_work(tmp_path: Path) -> None:
    source, path, _ = write("onnx-external", tmp_path / "model")
    (path.parent / "weights" / "first").unlink()
    with pytest.raises(SourceError, match=r"net\.onnx keeps weights in weights/first, and there is no such file"):
        digest(source, path, tmp_path / "memory")


def test_weights_outside_are_found_wherever_an_onnx_model_names_them(tmp_path: Path) -> None:
    """A constant in a branch of a node; of a truncated model what is still there, and no exception."""
    place = {"external_data 13": [{"key 1": "offset", "value 2": "0"}, {"key 1": "location", "value 2": "inner"}]}
    branch = {"node 1": {"op_type 4": "Constant", "attribute 5": {"name 1": "value", "t 5": place}}}
    model = wire({"ir_version 1": 8, "graph 7": {"node 1": {"attribute 5": {"name 1": "then_branch", "g 6": branch}}}})
    path = tmp_path / "net.onnx"
    path.write_bytes(model)
    assert external_files(path) == ["inner"]
    for length in range(1, len(model)):
        path.write_bytes(model[:length])
        assert external_files(path) in ([], ["inner"])


def test_a_saved_model_may_be_stated_by_its_graph(tmp_path: Path) -> None:
    source, folder, _ = write("saved-model", tmp_path / "model")
    assert digest(source, folder / "saved_model.pb", tmp_path / "a") == digest(source, folder, tmp_path / "b")


def converted(source: Path, out: Path, shapes: tuple[Any, ...] = ()) -> list[str]:
    """The names of what the stage makes of a model file, in this process."""
    out.mkdir(parents=True)
    params = convert.Params("openvino", 1, "fp32", shapes=shapes)
    convert.run(Task("convert", params, out, {"source": source}), lambda done, total: None)
    assert [path.name for path in out.parent.iterdir()] == [out.name], "nothing is left beside it"
    return sorted(path.name for path in out.iterdir())


def test_what_goes_with_an_ir_is_a_copy(tmp_path: Path) -> None:
    """An edit of the source shows in no version, and the source's mode stays what it was."""
    path = foreign.openvino_ir(tmp_path / "ir")
    for part in (path, path.with_suffix(".bin")):
        part.rename(part.with_stem("openvino_model"))
    beside = {"config.json": "{}", "vocab.txt": "a", "chat_template.jinja": "b", "openvino_tokenizer.xml": "c"}
    for name, text in beside.items():
        (path.parent / name).write_text(text)
        (path.parent / name).chmod(0o640)
    (path.parent / "manifest.json").write_text("{}")
    made = converted(path.with_stem("openvino_model"), tmp_path / "out" / "files")
    assert made == sorted([*beside, "openvino_model.bin", "openvino_model.xml"])
    for name in beside:
        assert not (tmp_path / "out" / "files" / name).samefile(path.parent / name)
        assert (path.parent / name).stat().st_mode & 0o777 == 0o640
        assert (path.parent / name).stat().st_nlink == 1


DAMAGED = {
    "openvino": b"<net><layers><layer id='0' type='Nothing'/></layers></net>",
    "onnx": b"\xff" * 1000,
    "tflite": b"\x00" * 1000,
    "frozen": b"\x0a\xff\xff\xff\x7f" * 100,
    "pbtxt": b"node {",
    "saved-model": b"\xff" * 1000,
    "paddle": b"\xff" * 1000,
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_the_models_fault(kind: str, tmp_path: Path) -> None:
    _, path, _ = write(kind, tmp_path / "model")
    (path / "saved_model.pb" if path.is_dir() else path).write_bytes(DAMAGED[kind])
    with pytest.raises(SourceError) as caught:
        converted(path, tmp_path / "out" / "files")
    assert str(path) in caught.value.message
    assert "source." not in caught.value.message, "the folder of links is nobody's business"


def test_weights_that_are_not_numbers_are_the_models_fault(tmp_path: Path) -> None:
    net = foreign.dense(0)
    net.w1[0, 0] = float("nan")
    with pytest.raises(SourceError, match="not numbers"):
        converted(foreign.openvino_ir(tmp_path / "ir", net), tmp_path / "out" / "files")


def test_truncated_weights_of_an_ir_are_the_models_fault(tmp_path: Path) -> None:
    path = foreign.openvino_ir(tmp_path / "ir")
    path.with_suffix(".bin").write_bytes(path.with_suffix(".bin").read_bytes()[:100])
    with pytest.raises(SourceError, match=re.escape(str(path))):
        converted(path, tmp_path / "out" / "files")


def test_an_input_that_nobody_could_fill_is_refused(tmp_path: Path) -> None:
    path = foreign.openvino_ir(tmp_path / "ir")
    text = path.read_text()
    path.write_text(text.replace("<dim>-1</dim>", "<dim>100000000</dim>").replace('"?,16"', '"100000000,16"'))
    with pytest.raises(SourceError, match=r"its input x has the shape \[100000000,16\]"):
        converted(path, tmp_path / "out" / "files")


def damaged_copy(folder: Path, to: Path, name: str, content: Callable[[bytes], bytes]) -> ModelSource:
    """A published version as the source of another, one of its files changed."""
    to.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (to / path.name).write_bytes(path.read_bytes())
    (to / name).write_bytes(content((to / name).read_bytes()))
    return ModelSource("openvino", path=to / "openvino_model.xml")


@pytest.mark.parametrize("name", ["openvino_tokenizer.bin", "openvino_tokenizer.xml", "openvino_detokenizer.xml"])
def test_a_damaged_tokenizer_is_the_models_fault(name: str, published: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("openvino_genai")
    folder = published("dialogpt-mini-int8")
    broken = damaged_copy(folder, tmp_path / "broken", name, lambda content: b"\xff" * len(content))
    with pytest.raises(SourceError, match=r"tokenizer beside the model .* can't be used"):
        converted(Path(str(broken.path)), tmp_path / "out" / "files")
    whole = damaged_copy(folder, tmp_path / "whole", name, lambda content: content)
    assert name in converted(Path(str(whole.path)), tmp_path / "again" / "files")


@pytest.mark.parametrize("content", [b"\x80{}", b'{"a": ', b""])
def test_damaged_settings_beside_an_ir_are_found_at_once(
    content: bytes, published: Callable[..., Path], tmp_path: Path
) -> None:
    folder = published("dialogpt-mini-int8")
    model = damaged_copy(folder, tmp_path / "model", "tokenizer_config.json", lambda _: content)
    with pytest.raises(SourceError, match=r"tokenizer_config\.json"):
        locate(model, lambda name: tmp_path / "memory")
