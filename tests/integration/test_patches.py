"""Patches of libraries: each notices a library that has changed, here the installed one with a part renamed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.libraries

NNCF = """
from runner.errors import StageError
from runner.nncf import patches, process, search_patches
from tests.graphs import tiny_language_model

nncf = process.import_nncf()
from nncf.openvino.optimized_functions import models
from nncf.quantization.algorithms.accuracy_control import algorithm, evaluator, openvino_backend
from nncf.quantization.algorithms.weight_compression import awq

def infer():
    patches.keep_compiled_models()
    import numpy as np
    from nncf.openvino.optimized_functions import astype
    from nncf.tensor import Tensor, TensorDataType
    astype(Tensor(np.ones((8, 8), np.float32)), TensorDataType.float16)

def search():
    import numpy as np
    data = nncf.Dataset([{"input_ids": np.arange(12).reshape(1, 12)} for _ in range(2)])
    with search_patches.using_runtime({}):
        model = tiny_language_model()
        nncf.quantize_with_accuracy_control(model, data, data, lambda model, data: (1.0, None), max_drop=1)

def end():
    with search_patches.ending_with(lambda: None):
        pass

def keep():
    with search_patches.keeping_weights():
        pass

def listen():
    with patches.awq_found_nothing():
        pass

def rewritten(kind, change):
    for method in list(vars(kind).values()):
        method = getattr(method, "__func__", method)
        if hasattr(method, "__code__"):
            method.__code__ = change(method.__code__)
"""


def told(setup: str, call: str, before: str = NNCF) -> str:
    """What a call says in a process where the library was changed so: the error, or what went to its log."""
    attempt = f"try:\n    {call}\n    print('went on')\nexcept StageError as error:\n    print(error, error.hint)"
    script = f"{before}\n{setup}\n{attempt}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("setup", "call", "word"),
    [
        ("del models._infer_ov_model", "infer()", "has no nncf.openvino.optimized_functions.models._infer_ov_model"),
        (
            "code = models._infer_ov_model.__code__\n"
            "names = tuple('own_request' if n == '_infer_request' else n for n in code.co_names)\n"
            "models._infer_ov_model.__code__ = code.replace(co_names=names)\n"
            "import openvino\nopenvino.CompiledModel.own_request = None",
            "infer()",
            "doesn't keep its request in `_infer_request`",
        ),
        (
            "from types import FunctionType as F\n"
            "for name, one in vars(models).items():\n"
            "    inner = getattr(one, '__wrapped__', one)\n"
            "    if isinstance(inner, F) and '_infer_ov_model' in inner.__code__.co_names:\n"
            "        names = tuple('_infer' if n == '_infer_ov_model' else n for n in inner.__code__.co_names)\n"
            "        inner.__code__ = inner.__code__.replace(co_names=names)\n"
            "models._infer = models._infer_ov_model",
            "infer()",
            "doesn't infer its helper models by `_infer_ov_model`",
        ),
        ("del openvino_backend.OVPreparedModel", "search()", "has no nncf.quantization.algorithms.accuracy_control"),
        (
            "openvino_backend.Moved = openvino_backend.OVPreparedModel\n"
            "new = lambda o: tuple(map(new, o)) if isinstance(o, tuple) else 'Moved' if o == 'OVPreparedModel' else o\n"
            "change = lambda c: c.replace(co_names=new(c.co_names), co_consts=new(c.co_consts))\n"
            "rewritten(evaluator.Evaluator, change)",
            "search()",
            "doesn't compile models by `OVPreparedModel`",
        ),
        (
            "rename = lambda v: tuple('Other' if o == 'QuantizationAccuracyRestorerReport' else o for o in v)\n"
            "rewritten(algorithm.QuantizationAccuracyRestorer, lambda c: c.replace(co_names=rename(c.co_names)))",
            "search_patches.keep_reports()",
            "makes no `QuantizationAccuracyRestorerReport`",
        ),
        (
            "rename = lambda v: tuple('now.' if isinstance(o, str) and 'original_weight' in o else o for o in v)\n"
            "rewritten(algorithm.QuantizationAccuracyRestorer, lambda c: c.replace(co_consts=rename(c.co_consts)))",
            "keep()",
            "remembers no `original_weight.`",
        ),
        (
            "from nncf.openvino.quantization import quantize_model\n"
            "impl = quantize_model.quantize_with_accuracy_control_impl\n"
            "names = tuple('Other' if n == 'QuantizationAccuracyRestorer' else n for n in impl.__code__.co_names)\n"
            "impl.__code__ = impl.__code__.replace(co_names=names)",
            "end()",
            "doesn't search by `QuantizationAccuracyRestorer.apply`",
        ),
        (
            "rename = lambda v: tuple('AWQ: nothing' if isinstance(o, str) and 'No matching' in o else o for o in v)\n"
            "rewritten(awq.AWQ, lambda c: c.replace(co_consts=rename(c.co_consts)))",
            "listen()",
            "AWQ might do nothing unnoticed",
        ),
        ("import logging; nncf.set_log_level(logging.ERROR)", "listen()", "keeps back what it says"),
    ],
)
def test_a_changed_nncf_ends_the_stage_with_words(setup: str, call: str, word: str) -> None:
    assert told("", call) == "went on"
    said = told(setup, call)
    assert said.startswith("nncf 3.") and word in said
    assert 'Install a version that it was tried with: "nncf>=3.4,<3.5".' in said


def test_another_version_of_nncf_is_used_as_it_is() -> None:
    setup = """
from runner.base import patches as base
base.version_of = lambda name: "3.9.1"
process.load(lambda done, total: None)
from nncf.common.logging import track_progress
from nncf.openvino.engine import OVNativeEngine
start = OVNativeEngine.__init__
with patches.without_outputs(tiny_language_model()):
    assert OVNativeEngine.__init__ is start
assert models._infer_ov_model.__module__ == models.__name__ and "disable" not in vars(models.OV_MODEL_CACHE)
assert track_progress.Progress.__module__ == "rich.progress"
base.tell_left_out([patches.COMPILED, patches.AWQ])
"""
    said = told(setup, "raise StageError('end')")
    assert said == "end None"
    script = f"{NNCF}\n{setup}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    last = "NNCF's compiled helper models: left out, as it was not tried with nncf 3.9.1 but with >=3.4,<3.5"
    assert done.stdout.splitlines()[-1] == last


SMOOTHED = """
from contextlib import nullcontext
import numpy as np
import openvino as ov
from openvino import opset13 as op
random = np.random.default_rng(0)
x = op.parameter([-1, 16], np.float32, name="x")
first, second = (op.constant(random.normal(size=(size, 16)).astype(np.float32)) for size in (16, 4))
model = ov.Model([op.result(op.matmul(op.relu(op.matmul(x, first, False, True)), second, False, True))], [x])
rows = [(random.normal(size=(1, 16)) * np.geomspace(1, 50, 16)).astype(np.float32) for _ in range(8)]

def outputs(model):
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([compiled(row)[0] for row in rows])

def distance(patch):
    calls = []
    def measure(model, items):
        calls.append(model)
        value = 1.0 if len(calls) <= 2 else 0.0
        return value, [value for _ in items]
    with patch():
        settings = {"max_drop": 0.5, "model_type": nncf.ModelType.TRANSFORMER}
        data = nncf.Dataset(rows), nncf.Dataset(range(8))
        made = nncf.quantize_with_accuracy_control(model, *data, measure, **settings)
    assert not [node for node in made.get_ops() if node.get_type_name() == "FakeQuantize"]
    return np.linalg.norm(outputs(made) - outputs(model)) / np.linalg.norm(outputs(model))

print("distances", distance(nullcontext), distance(search_patches.keeping_weights))
"""


def test_layers_that_go_back_to_floats_do_what_they_did() -> None:
    """With all of them back, NNCF's model is no more the one that it began with; ours is."""
    done = subprocess.run([sys.executable, "-c", NNCF + SMOOTHED], capture_output=True, text=True, cwd=ROOT)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("distances ")]
    without, own = map(float, line.split()[1:])
    assert own < 1e-5
    assert without > 0.5, "NNCF has mended it: the patch can go"


OPTIMUM = """
import ast
from pathlib import Path
from runner.errors import StageError
from runner.importers import optimum_defaults
folder = Path(sys_folder)
text = optimum_defaults._source().read_text()
copy = folder / "configuration.py"
optimum_defaults._source = lambda: copy
copy.write_text(text)
def write(old, new):
    assert old in text
    copy.write_text(text.replace(old, new))
"""


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("_DEFAULT_4BIT_WQ_CONFIGS", "_INT4_CONFIGS", "has no _DEFAULT_4BIT_WQ_CONFIGS"),
        ("_DEFAULT_IGNORED_SCOPE_CONFIGS = ", "_DEFAULT_IGNORED_SCOPE_CONFIGS = {} and ", "is no literal any more"),
        ("model_id_aliases", "aliases", "has no model_id_aliases"),
    ],
)
def test_tables_that_optimum_moved_are_told(old: str, new: str, word: str, tmp_path: Path) -> None:
    before = OPTIMUM.replace("sys_folder", repr(str(tmp_path)))
    assert told("", "optimum_defaults.tables()", before) == "went on"
    said = told(f"write({old!r}, {new!r})", "optimum_defaults.tables()", before)
    assert said.startswith("optimum-intel 2.") and word in said and '"optimum-intel>=2.1,<2.3"' in said


def test_a_cache_that_transformers_moved_is_told(tmp_path: Path) -> None:
    before = """
from pathlib import Path
from runner.errors import StageError
from runner.export import patches
from transformers import dynamic_module_utils as modules
"""
    change = """
code = modules.get_cached_module_file.__code__
names = tuple("HF_CODE" if name == "HF_MODULES_CACHE" else name for name in code.co_names)
modules.get_cached_module_file.__code__ = code.replace(co_names=names)
"""
    call = f"patches.keep_code_in(Path({str(tmp_path)!r}))"
    assert told("", call, before) == "went on"
    assert "to another folder than `HF_MODULES_CACHE`" in told(change, call, before)


@pytest.mark.newest
def test_a_loading_that_transformers_moved_is_told(tmp_path: Path) -> None:
    before = f"""
from runner.errors import StageError
from runner.export import patches
from transformers import BertConfig, BertModel
folder = {str(tmp_path)!r}
sizes = dict(num_hidden_layers=1, hidden_size=8, num_attention_heads=1, intermediate_size=8, vocab_size=9)
BertModel(BertConfig(**sizes)).save_pretrained(folder)
def load():
    with patches.telling_missing(lambda model, missing: None):
        BertModel.from_pretrained(folder)
"""
    assert told("", "load()", before) == "went on"
    elsewhere = "BertModel.from_pretrained = classmethod(lambda kind, folder: None)"
    assert "no model was loaded by `PreTrainedModel.from_pretrained`" in told(elsewhere, "load()", before)
