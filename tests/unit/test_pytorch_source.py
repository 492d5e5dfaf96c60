"""A Python file as a model is looked at and not run: without the person's word not at all, and never by a plan."""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path

import pytest

from runner import api
from runner.cli import main
from runner.errors import OvrunError, RecipeError, SourceError
from runner.export import watched
from runner.recipe.types import ModelSource
from runner.sources import Located, locate
from tests.tiny_modules import FILE, RECIPE

MARK = "import pathlib\npathlib.Path({!r}).write_text('ran')\n"


def write(folder: Path, text: str = FILE, recipe: str = RECIPE) -> Path:
    """A recipe beside its file."""
    (folder / "net.py").write_text(text)
    (folder / "mine.yaml").write_text(recipe)
    return folder / "mine.yaml"


def found(path: Path, weights: Path | None = None) -> Located:
    return locate(ModelSource("pytorch", path=path, weights=weights), lambda name: Path(os.devnull))


@pytest.mark.parametrize("command", ["optimize", "plan", "sweep"])
def test_code_needs_the_persons_word(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = tmp_path / "ran"
    recipe = write(tmp_path, MARK.format(str(ran)) + FILE)
    outputs = ("--outputs", str(tmp_path / "outputs"))
    assert main(["validate", str(recipe)]) == 0
    assert main([command, str(recipe), "--allow-remote-code", *outputs]) == 2
    told = capsys.readouterr().err
    assert "mine.yaml:1:32: model.path: this recipe runs the Python code of net.py" in told
    assert "--allow-code on the command line" in told
    assert main(["plan", str(recipe), "--allow-code", *outputs]) == 0
    assert not ran.exists()


def test_a_program_needs_it_too(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model: {source: pytorch, path: net.pt2}\n")
    for run in (api.optimize, api.sweep):
        with pytest.raises(api.RecipeError, match=r"PyTorch reads net.pt2.*allow_code=True"):
            run(tmp_path / "mine.yaml", outputs=tmp_path, allow_remote_code=True)


_NET = "model.object=Net"
_WIDTH = "+model.arguments.width=3"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model.object=buidl"], "net.py defines no buidl; it defines Net, build (did you mean build?)"),
        ([_NET], "model.object: Net needs the argument width; give them in model.arguments"),
        (["+model.arguments.widht=3"], "model.arguments.widht: build takes no argument widht; it takes width"),
        ([_NET, _WIDTH, "+model.example.y.shape=[1]"], "model.example.y: forward() has no input y; it takes x, scale"),
        (["model.example.x.shape=[1,90000,90000,9]"], "x.shape: 72900000000 values are too many for an input"),
        ([_NET, _WIDTH, "~model.example.x", "+model.example.scale.shape=[1]"], "model.example: forward() needs x"),
    ],
)
def test_the_plan_reads_what_the_file_defines(overrides: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        api.plan(write(tmp_path), overrides, outputs=tmp_path)
    assert told in caught.value.message


def test_names_that_only_running_shows_are_left_to_the_run(tmp_path: Path) -> None:
    text = "from torch.nn import *\n\n\ndef other(**more):\n    return Linear(3, 3)\n"
    assert api.plan(write(tmp_path, text), outputs=tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import torch\nimport helper\n", "net.py:2: imports helper, which is not installed"),
        ("import importlib\nx = importlib.import_module('helper.more')\n", "net.py:2: imports helper, which is not"),
        ("from . import helper\n", "net.py:1: imports from the folder around it"),
        ("def f(:\n", "net.py:1: invalid syntax"),
        ("x = '" + "a" * (1 << 17), "larger than"),
    ],
)
def test_a_file_that_can_not_count_alone_is_refused(text: str, told: str, tmp_path: Path) -> None:
    write(tmp_path, text)
    (tmp_path / "helper.py").write_text("WIDTH = 3\n")
    with pytest.raises(SourceError, match=told.replace("(", r"\(")):
        found(tmp_path / "net.py")


def test_code_that_no_version_tells_of_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "my_layers.py").write_text("WIDTH = 3\n")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    write(tmp_path, "try:\n    import my_layers\nexcept ImportError:\n    pass\n")
    with pytest.raises(SourceError, match=r"net.py:2: imports my_layers, and no version tells what is in .*my_layers"):
        found(tmp_path / "net.py")


def test_versions_of_what_a_file_imports_are_in_the_key(tmp_path: Path) -> None:
    write(tmp_path, "import os\nimport torch\ntry:\n    import timmx\nexcept ImportError:\n    timmx = None\n")
    assert found(tmp_path / "net.py").imports == ("timmx", "torch")
    write(tmp_path, "def build():\n    import yaml\n    from transformers.models import bert\n")
    imports = {name.lower() for name in found(tmp_path / "net.py").imports or ()}
    assert {"pyyaml", "transformers", "tokenizers"} <= imports


def test_a_key_follows_file_weights_and_settings(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"one")
    recipe = write(tmp_path, recipe=RECIPE.replace("object", "weights: a.safetensors, object"))

    def key(*overrides: str) -> str:
        return api.plan(recipe, overrides, outputs=tmp_path)[0].key

    keys = [key(), key("+model.arguments.width=4"), key("model.example.x.shape=[1,3,8,8]")]
    (tmp_path / "a.safetensors").write_bytes(b"another")
    keys.append(key())
    (tmp_path / "net.py").write_text(FILE + "# more\n")
    keys.append(key())
    assert len(set(keys)) == 5


@pytest.mark.parametrize(
    "text",
    [
        "if a: b\n" + "elif a: b\n" * 900,
        "a = " + "(" * 150 + ")" * 150,
        "class build(" + "a." * 900 + "b): pass",
        "a = '\\d'\n",
        "".join(" " * deep + "try:\n" for deep in range(90)) + " " * 90 + "import json\n",
        "\0",
        "# coding: none\n",
        "lambda: " * 3000 + "1",
        "a = 1 " + "+ 1" * 20000,
    ],
    ids=range(9),
)
def test_any_text_is_answered(text: str, tmp_path: Path) -> None:
    with contextlib.suppress(OvrunError):
        api.plan(write(tmp_path, text + "\n" if text[-1] != "\n" else text), outputs=tmp_path)


def test_a_program_is_an_archive_of_one(tmp_path: Path) -> None:
    (tmp_path / "cut.pt2").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(SourceError, match=r"cut.pt2 is no archive of torch.export"):
        found(tmp_path / "cut.pt2")
    with zipfile.ZipFile(tmp_path / "other.pt2", "w") as archive:
        archive.writestr("data.pkl", b"")
    with pytest.raises(SourceError, match=r"other.pt2 holds no program"):
        found(tmp_path / "other.pt2")


def test_a_link_leads_no_file_of_another_kind_in(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "secret").write_text(FILE)
    (tmp_path / "models" / "net.py").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match="outside of the model's folder"):
        found(tmp_path / "models" / "net.py")


def test_a_watch_is_over_when_the_code_is(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("3")
    source = tmp_path / "net.py"
    text = f"import pathlib\npathlib.Path({str(tmp_path / 'more.txt')!r}).read_text()"
    code = compile(text, str(source), "exec")
    with (
        pytest.raises(SourceError, match=r"net.py:2: reads .*more.txt"),
        watched.watched(source, (), tmp_path / "folder"),
    ):
        exec(code, {})
    exec(code, {})
