"""What a stage's result does not depend on: threads, cores, neighbours, and libraries that it has no use for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import runner.base.files as fs
from runner.engine.forkclient import ForkServer
from runner.engine.process import StageProcess
from runner.errors import OvrunError
from runner.plan.builder import make_plan
from runner.recipe import load_recipe
from runner.stages import Task
from runner.store import store_of
from tests.conftest import Ovrun
from tests.samples import int4_params, token_samples

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "MKL_NUM_THREADS")
METHODS = ("gptq", "lora_correction")


def _nobody(done: int, total: int) -> None:
    """Nobody watches."""


def _stage(server: ForkServer, module: str, task: Task) -> dict[str, Any]:
    return StageProcess(server, module, task.params, task.out.parent / "log.txt").run(task, _nobody).result


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes a fork server in an environment with so many threads; all end with the test."""
    started: list[ForkServer] = []

    def start(threads: int | None) -> ForkServer:
        for name in THREADS:
            monkeypatch.delenv(name, raising=False)
            if threads:
                monkeypatch.setenv(name, str(threads))
        started.append(ForkServer())
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize("threads", [None, 2, 7])
def test_blas_has_one_thread_whatever_the_caller_has(threads: int | None, server: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    told = _stage(server(threads), "tests.probe", Task("probe", {}, tmp_path / "out"))
    assert told["blas"] and set(told["blas"]) == {1}


def test_gptq_and_lora_depend_neither_on_threads_nor_on_neighbours(server: Any, tmp_path: Path) -> None:
    model = tmp_path / "model"
    subprocess.run([sys.executable, "-c", SAVE_TINY, str(model)], check=True, cwd=Path(__file__).parents[2])
    datasets = token_samples(tmp_path)

    def compress(one: ForkServer, method: str, name: str) -> dict[str, str]:
        out = tmp_path / f"{method} {name}" / "out"
        out.mkdir(parents=True)
        task = Task("compress", int4_params(**{method: True}), out, {"model": model}, datasets)
        _stage(one, "runner.stages.compress", task)
        return {path.name: fs.sha256_file(path) for path in fs.walk(out)}

    alone = {method: compress(server(None), method, "alone") for method in METHODS}
    crowded = server(5)
    with ThreadPoolExecutor(4) as jobs:
        made = {(m, n): jobs.submit(compress, crowded, m, f"beside others {n}") for m in METHODS for n in range(2)}
    for (method, _), files in made.items():
        assert files.result() == alone[method]
    assert alone["gptq"] != alone["lora_correction"]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core here")
def test_names_in_the_model_do_not_depend_on_the_cores(
    published: Callable[..., Path], shared: Path, server: Any, tmp_path: Path
) -> None:
    published("digits-int8")
    store, recipe = store_of(shared), load_recipe("digits-int8", ["compression.subset_size=8"])
    plan = make_plan(recipe, store)
    stage = next(stage for stage in plan.stages if stage.name == "quantize")
    inputs = {"model": store.folder(plan.converted) / "files"}
    files, cores = [], os.sched_getaffinity(0)
    for some in ({min(cores)}, cores):
        os.sched_setaffinity(0, some)  # which the server and its stages inherit
        try:
            out = tmp_path / f"on {len(some)} cores" / "out"
            out.mkdir(parents=True)
            _stage(server(None), stage.module, Task("quantize", stage.params, out, inputs, stage.datasets))
        finally:
            os.sched_setaffinity(0, cores)
        files.append({path.name: fs.sha256_file(path) for path in fs.walk(out)})
    assert files[0] == files[1]


WAYS = ("fork", "fresh")


@pytest.mark.parametrize("do", ["", "raise", "refuse", "signal"])
def test_a_forked_stage_and_one_of_a_fresh_interpreter_end_alike(
    do: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Words of an error, a death and a result, as systems without a safe fork have them."""
    told = []
    for way in WAYS:
        monkeypatch.setenv("OVRUN_PROCESSES", way)
        out = tmp_path / way / "out"
        out.mkdir(parents=True)
        server = ForkServer()
        try:
            told.append(_stage(server, "tests.cheap", Task("cheap", {"number": 1, "do": do}, out)))
        except OvrunError as error:
            told.append(error.message)
        finally:
            server.close()
    assert told[0] == told[1] and (do == "") == isinstance(told[0], dict)


@pytest.mark.parametrize("name", ["digits-int8", "dialogpt-mini-int4"])
def test_fresh_interpreters_without_links_make_the_same_model(
    name: str, published: Callable[..., Path], ovrun: Ovrun, tmp_path: Path
) -> None:
    forked = published(name)
    without = {"OVRUN_PROCESSES": "fresh", "OVRUN_LINKS": "none"}
    outputs = tmp_path / "outputs"
    ovrun("optimize", name, "--outputs", outputs, **without)
    files = [
        {path.name: fs.sha256_file(path) for path in fs.walk(version) if path.suffix in (".xml", ".bin")}
        for version in (forked, outputs / name / "1")
    ]
    assert files[0] and files[0] == files[1]
    made = [path.lstat() for path in outputs.rglob("*")]
    assert not [
        info for info in made if stat.S_ISLNK(info.st_mode) or (stat.S_ISREG(info.st_mode) and info.st_nlink > 1)
    ]
    assert (outputs / name / "latest").read_text() == "1\n"
    for command in ("show", "verify"):
        ovrun(command, f"{name}/latest", "--outputs", outputs, **without)


SAVE_TINY = """
import sys
import openvino as ov
from tests.graphs import tiny_language_model
import pathlib; pathlib.Path(sys.argv[1]).mkdir()
ov.save_model(tiny_language_model(), sys.argv[1] + "/openvino_model.xml", compress_to_fp16=True)
"""
NO_TORCH = """
import os
open(os.environ["TORCH_TOLD"], "a").write(" ".join(os.sys.argv) + "\\n")
raise ImportError("not here")
"""
FROM_IR = {
    "dialogpt-mini-int4": """
datasets:
  few: {source: embedded, id: dialogue-train, column: text, limit: 20}
compression:
  - {algorithm: weight_compression, mode: int4_sym, group_size: 32, dataset: few, subset_size: 4, ratio: 0.5}
  - {algorithm: quantization, dataset: few, subset_size: 4}
accuracy: {checks: [{metric: kl_divergence, dataset: few, max: 100}]}
""",
    "digits-int8": """
defaults: [{data: digits}, _self_]
compression: {algorithm: quantization, dataset: digits_calibration, subset_size: 4}
accuracy: {checks: [{metric: accuracy, dataset: digits_evaluation, min: 0}]}
""",
}


@pytest.mark.parametrize("name", FROM_IR)
def test_nothing_imports_torch_for_an_openvino_model(
    name: str, published: Callable[..., Path], shared: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    published(name)
    store = store_of(shared)
    converted = store.folder(make_plan(load_recipe(name), store).converted) / "files"
    (tmp_path / "mine.yaml").write_text(f"model: {{source: openvino, path: {converted}}}\n{FROM_IR[name]}")
    (tmp_path / "absent" / "torch").mkdir(parents=True)
    (tmp_path / "absent" / "torch" / "__init__.py").write_text(NO_TORCH)
    told = tmp_path / "told"
    path = os.pathsep.join([str(tmp_path / "absent"), os.environ.get("PYTHONPATH", "")])
    done = ovrun("optimize", "mine.yaml", cwd=tmp_path, PYTHONPATH=path, TORCH_TOLD=str(told))
    assert "Published" in done.stdout
    assert not told.exists(), told.read_text()
