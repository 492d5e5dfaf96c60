"""PyTorch models as users bring them become versions that compute what PyTorch computes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.errors import OvrunError, RecipeError, SourceError, StageError
from runner.registry.exporters import Code, Example, Shape
from runner.stages import Task, compare, convert
from tests.conftest import Ovrun
from tests.outputs import manifest_of
from tests.tiny_modules import FILE, RECIPE, program, weights

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.trace"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]
DATA = np.random.default_rng(1).standard_normal((40, 3, 8, 8), np.float32)


def conversion(version: Path) -> dict[str, Any]:
    """What a version's manifest says of the check."""
    (stage,) = [stage for stage in manifest_of(version)["stages"] if stage["stage"] == "convert"]
    found: dict[str, Any] = stage["result"]["conversion"]
    return found


def given(version: Path, x: np.ndarray[Any, Any]) -> dict[str, Any]:
    """What a published model gives, by the names of its outputs."""
    import openvino as ov

    model = ov.compile_model(version / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return {port.get_any_name(): value for port, value in model({"x": x}).items()}


def distance(wanted: Any, got: Any) -> float:
    wanted = wanted.detach().numpy()
    return float(np.linalg.norm(wanted - got) / np.linalg.norm(wanted))


@pytest.mark.libraries
def test_a_module_of_a_file_goes_the_whole_way(ovrun: Ovrun, tmp_path: Path) -> None:
    import torch

    made = weights(tmp_path / "net.safetensors", seed=3)
    (tmp_path / "net.py").write_text(FILE)
    (tmp_path / "more.txt").write_text("not read")
    np.savez(tmp_path / "data.npz", x=DATA)
    recipe = RECIPE.replace("object", "weights: net.safetensors, object") + (
        "datasets: {data: {source: file, path: data.npz, inputs: {x: x}, limit: 32}}\n"
        "conversion: {precision: fp32}\n"
        "compression: {algorithm: quantization, dataset: data, subset_size: 32}\n"
        "accuracy: {checks: [{metric: relative_l2, dataset: data, max: 0.2}]}\n"
    )
    (tmp_path / "mine.yaml").write_text(recipe)
    ovrun("optimize", "mine.yaml", "--allow-code")
    version = tmp_path / "outputs" / "mine" / "1"
    found = conversion(version)
    assert found["original"].startswith("PyTorch") and not found["faults"] and not found["unchecked"]
    assert found["inputs"] == ["x [2, 3, 8, 8]", "x [3, 3, 8, 8]"]
    assert found["outputs"].keys() == {"logits", "more_0"} and max(found["outputs"].values()) < 1e-5
    outputs = given(version, DATA[:5])
    assert 0 < distance(made(torch.from_numpy(DATA[:5]))["logits"], outputs["logits"]) < 0.2
    assert manifest_of(version)["model"]["weights"] == "../../../net.safetensors"
    assert "ovrun optimize recipe.yaml --allow-code" in (version / "README.md").read_text()

    ovrun("verify", "mine/1")
    assert "the same" in ovrun("reproduce", "mine/1", "--allow-code").stdout
    told = ovrun("reproduce", "mine/1", code=2).stderr
    assert "--allow-code on the command line" in told
    weights(tmp_path / "net.safetensors", seed=4)
    plan = json.loads(ovrun("plan", "mine.yaml", "--allow-code", "--json").stdout)
    assert plan["stages"][0]["state"] == "to do"


@pytest.mark.libraries
def test_a_program_of_torch_export_goes_the_whole_way(ovrun: Ovrun, tmp_path: Path) -> None:
    import torch

    made = program(tmp_path / "net.pt2")
    compressed = "compression: {algorithm: weight_compression, mode: int8_asym}\n"
    (tmp_path / "mine.yaml").write_text(f"model: {{source: pytorch, path: net.pt2}}\n{compressed}")
    ovrun("optimize", "mine.yaml", "--allow-code")
    version = tmp_path / "outputs" / "mine" / "1"
    found = conversion(version)
    assert found["inputs"] == ["x [2, 3, 8, 8]", "x [3, 3, 8, 8]"] and not found["faults"] and not found["unchecked"]
    outputs = given(version, DATA[:5])
    assert distance(made(torch.from_numpy(DATA[:5]))["logits"], outputs["logits"]) < 0.02


@pytest.mark.libraries
def test_a_program_takes_other_shapes_where_it_is_open(tmp_path: Path) -> None:
    program(tmp_path / "net.pt2")
    params = convert.Params("pytorch", 1, "fp32", check="small", shapes=(Shape((1, 3, 8, 8), "x"),))
    for name, shape in (("a", (1, 3, 8, 8)), ("b", (1, 3, 8, 9))):
        (tmp_path / name / "out").mkdir(parents=True)
        wanted = replace(params, shapes=(Shape(shape, "x"),))
        task = Task("convert", wanted, tmp_path / name / "out", {"source": tmp_path / "net.pt2"})
        if name == "a":
            convert.run(task, lambda done, total: None)
            found = compare.run(task, lambda done, total: None)["conversion"]
            assert isinstance(found, dict) and found["inputs"] == ["x [1, 3, 8, 8]"] and not found["unchecked"]
        else:
            with pytest.raises(RecipeError, match=r"input_info: the module doesn't take x \[1, 3, 8, 9\]"):
                convert.run(task, lambda done, total: None)


@pytest.mark.libraries
def test_a_broken_program_is_told(tmp_path: Path) -> None:
    program(tmp_path / "net.pt2")
    whole = (tmp_path / "net.pt2").read_bytes()
    at = whole.index(b'"graph_module"')
    (tmp_path / "net.pt2").write_bytes(whole[:at] + b"!" * 14 + whole[at + 14 :])
    (tmp_path / "stage" / "out").mkdir(parents=True)
    params = convert.Params("pytorch", 1, "fp32", check="small", shapes=())
    task = Task("convert", params, tmp_path / "stage" / "out", {"source": tmp_path / "net.pt2"})
    with pytest.raises(SourceError, match=r"net.pt2: torch.export.load can't read it"):
        convert.run(task, lambda done, total: None)


@pytest.mark.libraries
def test_a_trace_that_froze_a_size_is_found(ovrun: Ovrun, tmp_path: Path) -> None:
    """Weights are the code's own here, drawn from a fixed seed: the second run has nothing to do."""
    (tmp_path / "net.py").write_text(FILE.replace("logits = self.head(found)", "logits = self.head(found) * len(x)"))
    (tmp_path / "mine.yaml").write_text(RECIPE)
    told = ovrun("optimize", "mine.yaml", "--allow-code", code=3).stderr
    assert "mine: the conversion changes the model: its output logits has a relative L2 distance of" in told
    fixed = ("mine.yaml", "--allow-code", "model.example.x.shape=[1, 3, 8, 8]")
    ovrun("optimize", *fixed)
    assert "Up to date" in ovrun("optimize", *fixed).stdout


def converted(folder: Path, text: str, code: Code, *, state: Path | None = None) -> dict[str, Any]:
    """What the convert stage says of a file."""
    source, out = folder / "net.py", folder / "stage" / "out"
    source.write_text(text)
    out.mkdir(parents=True)
    params = convert.Params("pytorch", 1, "fp32", check="small", shapes=(), code=code, imports=("torch",))
    inputs = {"source": source} | ({"weights": state} if state else {})
    task = Task("convert", params, out, inputs)
    told = convert.run(task, lambda done, total: None)
    return told | (compare.run(task, lambda done, total: None) if convert.rest(task) else {})


X = Example("x", (None, 3, 8, 8), "f32")
BUILD = Code("build", "{}", (X,))


_OPENING = "from safetensors.numpy import load_file\n"


def with_forward(line: str) -> str:
    return FILE.replace("        found =", f"        {line}\n        found =")


@pytest.mark.libraries
@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (FILE + "\n\n1 / 0\n", BUILD, "net.py:21: fails: ZeroDivisionError"),
        (FILE + "\nraise SystemExit(3)\n", BUILD, "net.py:20: fails: SystemExit: 3"),
        (FILE + "\nx = 3\n", Code("x", "{}", (X,)), "model.object: x is a int"),
        (FILE + "\ndef f(): return 3\n", Code("f", "{}", (X,)), "f gives a int, and no torch.nn.Module"),
        (FILE, Code("Net", "{}", (X,)), "Net can't be called: missing a required argument: 'width'"),
        (FILE, Code("build", "{}", (Example("y", (1,), "f32"),)), "forward() has no input y; it takes x, scale"),
        (FILE, Code("build", "{}", (Example("x", (1, 4, 8, 8), "f32"),)), "doesn't take x [1, 4, 8, 8]: "),
        (with_forward("return 3"), BUILD, "forward() gives no tensor"),
        (
            with_forward("return torch.linalg.eigh(x)[0]"),
            BUILD,
            "No conversion rule found for operations: aten::linalg_eigh",
        ),
        ("open('/{folder}/more.txt').close()\n" + FILE, BUILD, "net.py:1: reads /"),
        (with_forward("open('/{folder}/more.txt').close()"), BUILD, "net.py:12: reads /"),
        (
            "import sys\nsys.path.insert(0, '/{folder}')\nX = __import__('mo' + 're')\n" + FILE,
            BUILD,
            "net.py:3: imports more in a way that only running shows",
        ),
        ("try:\n    open('/{folder}/more.txt')\nexcept OSError:\n    pass\n" + FILE, BUILD, "net.py:2: reads /"),
        (_OPENING + "load_file('/{folder}/more.safetensors')\n" + FILE, BUILD, "net.py:2: reads /"),
        ("import os\nos.system('true')\n" + FILE, BUILD, "starts a program (os.system)"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))\n" + FILE, BUILD, "connects to the network"),
        ("open('more.txt').close()\n" + FILE, BUILD, "net.py:1: fails: FileNotFoundError"),
        (
            "import pathlib\npathlib.Path(__file__).with_name('more.py').read_text()\n" + FILE,
            BUILD,
            "FileNotFoundError",
        ),
    ],
)
def test_what_a_file_does_wrong_is_told_with_its_line(text: str, code: Code, told: str, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("3")
    (tmp_path / "more.py").write_text("X = 3\n")
    with pytest.raises(OvrunError) as caught:
        converted(tmp_path, text.replace("/{folder}", str(tmp_path)), code)
    assert told in caught.value.message


@pytest.mark.libraries
@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_weights_are_those_of_the_module(name: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = tmp_path / name
    made = weights(state, seed=5)
    converted(tmp_path, FILE, BUILD, state=state)
    outputs = given(tmp_path / "stage" / "out", DATA[:2])
    assert distance(made(torch.from_numpy(DATA[:2]))["logits"], outputs["logits"]) < 1e-5

    save = save_file if state.suffix == ".safetensors" else torch.save
    save({"head.weight": torch.zeros(5, 9), "extra": torch.zeros(1)}, state)
    (tmp_path / "again").mkdir()
    with pytest.raises(SourceError, match=r"conv.weight is missing; conv.bias is missing; .*and 2 more"):
        converted(tmp_path / "again", FILE, BUILD, state=state)


@pytest.mark.libraries
def test_tied_weights_lie_in_the_file_once(tmp_path: Path) -> None:
    import torch

    text = FILE + "\n\ndef tied():\n    made = build()\n    made.again = made.head\n    return made\n"
    made = weights(tmp_path / "net.safetensors", seed=6)

    converted(tmp_path, text, Code("tied", "{}", (X,)), state=tmp_path / "net.safetensors")
    outputs = given(tmp_path / "stage" / "out", DATA[:2])
    assert distance(made(torch.from_numpy(DATA[:2]))["logits"], outputs["logits"]) < 1e-5


@pytest.mark.libraries
def test_weights_run_no_code(tmp_path: Path) -> None:
    import pickle

    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> object:
            return Path.write_text, (ran, "ran")

    (tmp_path / "net.pth").write_bytes(pickle.dumps({"head.weight": Hostile()}))
    with pytest.raises(SourceError, match="can't be read as weights alone"):
        converted(tmp_path, FILE, BUILD, state=tmp_path / "net.pth")
    assert not ran.exists()


def test_safetensors_has_to_open_files_where_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors.torch

    from runner.export.patches import tell_opened

    kept = safetensors.safe_open
    with tell_opened():
        assert safetensors.safe_open is not kept
    assert safetensors.safe_open is safetensors.torch.safe_open is kept
    monkeypatch.setattr(safetensors.torch, "load_file", lambda filename: {})
    with pytest.raises(StageError, match=r"safetensors .* doesn't work with ovrun"), tell_opened():
        pass


@pytest.mark.libraries
def test_what_can_not_be_traced_is_exported(tmp_path: Path) -> None:
    refusing = "if torch.jit.is_tracing():\n            raise TypeError('a shape is no number here')"
    result = converted(tmp_path, with_forward(refusing), BUILD)
    (note,) = result["notes"]
    assert note == "converted by torch.export, for it can't be traced: TypeError: a shape is no number here"
    found = result["conversion"]
    assert found["inputs"] == ["x [2, 3, 8, 8]", "x [3, 3, 8, 8]"]
    assert max(found["outputs"].values()) < 1e-5 and not found["faults"] and not found["unchecked"]
