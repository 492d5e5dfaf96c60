"""Conversion of Hugging Face folders, each in a process of its own, with tiny random models."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runner import embedded
from runner.errors import SourceError
from runner.model.check import check_folder
from runner.sources.folder import files
from tests.geometry import bert_folder, dialogpt_small_snapshot, gpt2_folder, llama_folder, vit_folder
from tests.processes import ROOT

pytestmark = pytest.mark.libraries
GENERATION = "text-generation-with-past"


@dataclass(frozen=True)
class Job:
    """One call of export_folder."""

    source: str
    out: str
    task: str = GENERATION
    precision: str = "fp16"
    stateful: bool = True
    tokenizer: bool = True
    trust_remote_code: bool = False
    allow_pickle: bool = False


def child(what: str, *arguments: Any) -> list[Any]:
    """Run a function of tests/export_child.py in a fresh process; what it returned."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.export_child", what, json.dumps(arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    value: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def export(source: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    """Convert in a fresh process; the outcome has `seconds`, or `error` and `hint`."""
    out.mkdir(parents=True)
    return child("export", asdict(Job(str(source), str(out), **options)))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 by file name."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gpt2_folder(tmp_path_factory.mktemp("gpt2"), layers=2, hidden=128, vocab=400, positions=128)


@pytest.fixture(scope="module")
def converted(gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("converted") / "first"
    (outcome,) = export(gpt2, out)
    assert set(outcome["seconds"]) == {"load", "convert", "tokenizers"}
    assert not outcome["compiler"] or find_spec("torchvision"), "torch's compiler was imported, not by torchvision"
    return out


def test_two_runs_give_equal_bytes(gpt2: Path, converted: Path, tmp_path: Path) -> None:
    """From another place, since neither its path nor a time may get into a file."""
    shutil.copytree(gpt2, tmp_path / "elsewhere")
    export(tmp_path / "elsewhere", tmp_path / "second")
    assert digests(tmp_path / "second") == digests(converted)


def test_language_model_folder_is_complete(converted: Path) -> None:
    models = {f"openvino_{name}.{end}" for name in ("model", "tokenizer", "detokenizer") for end in ("xml", "bin")}
    settings = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert set(digests(converted)) == models | settings


def test_all_consumers_load_it(converted: Path) -> None:
    """OpenVINO, GenAI and Optimum: the last two generate the same text."""
    found = child("consume", str(converted))[0]
    assert found["inputs"] == ["attention_mask", "beam_idx", "input_ids", "position_ids"]
    assert found["outputs"] == ["logits"]
    assert found["genai"] == found["optimum"] != ""


def test_same_model_as_optimum_makes(gpt2: Path, converted: Path, tmp_path: Path) -> None:
    """The short cuts change no weight and no output; they may leave out operations that do nothing."""
    export(gpt2, tmp_path / "fp32", precision="fp32")
    ours = {"fp32": str(tmp_path / "fp32"), "fp16": str(converted)}
    fp32, fp16 = child("compare_with_optimum", str(gpt2), ours)
    assert fp32 == {"weights": 0, "output": 0.0, "types": ["f32"]}
    assert fp16 == {"weights": 0, "output": 0.0, "types": ["f16"]}


def test_dialogpt_snapshot(tmp_path: Path) -> None:
    """fp16 without a dtype in config.json, old buffers, no tokenizer.json, pickles beside the safetensors."""
    snapshot = dialogpt_small_snapshot(tmp_path / "hub", layers=1, hidden=64, vocab=400, positions=64)
    check_folder(snapshot, allow_pickle=False)
    export(snapshot, tmp_path / "out")
    assert (tmp_path / "out" / "tokenizer.json").is_file()
    found = child("consume", str(tmp_path / "out"))[0]
    assert found["genai"] == found["optimum"]


def test_stateless_llama_without_tokenizer(tmp_path: Path) -> None:
    source = llama_folder(tmp_path / "llama", dtype="float16")
    export(source, tmp_path / "out", stateful=False, tokenizer=False, precision="fp32")
    assert not list((tmp_path / "out").glob("openvino_*tokenizer*"))
    inputs = child("inputs", str(tmp_path / "out"))
    assert "past_key_values.0.key" in inputs
    assert "beam_idx" not in inputs


def test_encoder(tmp_path: Path) -> None:
    export(bert_folder(tmp_path / "bert"), tmp_path / "out", task="feature-extraction")
    assert child("inputs", str(tmp_path / "out")) == ["attention_mask", "input_ids", "token_type_ids"]
    assert (tmp_path / "out" / "openvino_tokenizer.xml").is_file()


def test_image_classifier(tmp_path: Path) -> None:
    export(vit_folder(tmp_path / "vit"), tmp_path / "out", task="image-classification", precision="fp32")
    names = ["config.json", "openvino_model.bin", "openvino_model.xml", "preprocessor_config.json"]
    assert list(digests(tmp_path / "out")) == names
    assert child("inputs", str(tmp_path / "out")) == ["pixel_values"]


def test_nothing_is_opened_that_a_digest_does_not_cover(tmp_path: Path) -> None:
    """What the libraries would open of a folder is on our list, and what an export opens is nothing else."""
    jobs = []
    for make, task in (
        (gpt2_small, GENERATION),
        (bert_folder, "feature-extraction"),
        (llama_folder, GENERATION),
        (resnet_folder, "image-classification"),
    ):
        source = make(tmp_path / make.__name__)
        _surround(source)
        jobs.append(asdict(Job(str(source), str(tmp_path / f"{make.__name__}-out"), task=task)))
        Path(jobs[-1]["out"]).mkdir()
    for job, found in zip(jobs, child("opened", *jobs), strict=True):
        covered = set(files(Path(job["source"]), False, False))
        assert "config.json" in found["asked"] and set(found["asked"]) <= covered
        assert "config.json" in found["read"] and set(found["read"]) <= covered
        assert "chat_template.jinja" in found["asked"] or job["task"] != GENERATION
        assert sorted(path.name for path in Path(job["out"]).parent.glob("source.*")) == []


def gpt2_small(folder: Path) -> Path:
    return gpt2_folder(folder, layers=1, hidden=64, vocab=400, positions=64, with_tokenizer_json=False)


def resnet_folder(folder: Path) -> Path:
    return Path(shutil.copytree(embedded.MODELS["digits-cnn"].path, folder))


def _surround(folder: Path) -> None:
    """Put beside a model what may lie beside one."""
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    for name in ("chat_template.jinja", "README.md", "LICENSE", "notes.md", "training_args.bin", "other.safetensors"):
        (folder / name).write_text("{{ messages }}")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_text("another form")


def test_no_other_model_is_taken_from_the_current_folder(gpt2: Path, tmp_path: Path) -> None:
    """A name that a library takes for a folder, if there is one, or looks for in the hub's cache."""
    (found,) = child("look_around", asdict(Job(str(gpt2), str(tmp_path))), str(tmp_path))
    assert found == {"cwd": "model", "cache": False, "modules": True}


def test_what_nobody_calls_is_not_imported() -> None:
    assert child("uncalled") == []


def test_compiler_can_still_be_had() -> None:
    """The stand-in for torch's compiler gives way to the real one, by attribute and by import."""
    assert child("compile") == [2.0, True]


def _damage(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


def _overflow(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.wte.weight"][0, 0] = 1e6
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _custom_code(folder: Path) -> None:
    _damage(model_type="homemade", auto_map={"AutoConfig": "homemade.Homemade"})(folder)
    (folder / "homemade.py").write_text("raise SystemExit('this ran')\n")


def _no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (folder / name).unlink()


REFUSED: dict[str, tuple[Callable[[Path], None], dict[str, Any], str]] = {
    "unknown model type": (_damage(model_type="gpt22"), {}, "no model type gpt22 (did you mean gpt2"),
    "unsupported task": (
        _damage(),
        {"task": "fill-mask"},
        "fill-mask: models of type gpt2 are not converted for it; allowed: ",
    ),
    "misspelt task": (_damage(), {"task": "text-generation-with-pasta"}, "did you mean text-generation-with-past?"),
    "model type without exporter": (
        _damage(model_type="dinov2"),
        {},
        "converts no model of type dinov2; docs/",
    ),
    "exporter for other versions": (
        _damage(model_type="gemma2"),
        {},
        "models of type gemma2 with transformers from",
    ),
    "custom code": (_custom_code, {}, "needs Python code that comes with the model"),
    "layers that are not stored": (_damage(n_layer=3), {}, "its weights lack 12 that the task"),
    "another width": (_damage(n_embd=64), {}, "cannot be loaded for the task"),
    "values beyond fp16": (_overflow, {}, "transformer.wte.weight has values beyond the range"),
    "no tokenizer": (_no_tokenizer, {}, "has no tokenizer files"),
}


@pytest.fixture(scope="module")
def refusals(gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each of the REFUSED folders gives, all tried in one process."""
    jobs = []
    for number, (change, options, _) in enumerate(REFUSED.values()):
        source = tmp_path_factory.mktemp("refused") / str(number)
        shutil.copytree(gpt2, source)
        change(source)
        out = source.with_name("out")
        out.mkdir()
        jobs.append(asdict(Job(str(source), str(out), **options)))
    return dict(zip(REFUSED, child("export", *jobs), strict=True))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_after_import(case: str, refusals: dict[str, dict[str, Any]]) -> None:
    assert REFUSED[case][2] in refusals[case].get("error", f"no error: {refusals[case]}")


def _truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _truncate_header(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])


def _pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _missing_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def _pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def _setting(file: str, key: str, value: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    return change


_config = partial(_setting, "config.json")
_tokenizer = partial(_setting, "tokenizer_config.json")


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no folder": (shutil.rmtree, "no such folder"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{"), "config.json: cannot be read as JSON"),
    "no model type": (lambda folder: (folder / "config.json").write_text("{}"), "names no model_type"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights"),
    "truncated": (_truncate, "model.safetensors: truncated: its header stands for"),
    "truncated in its header": (_truncate_header, "model.safetensors: truncated, or no safetensors file"),
    "empty": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "model.safetensors: truncated"),
    "noise": (lambda folder: (folder / "model.safetensors").write_bytes(b"\x10" + bytes(99)), "cannot be read"),
    "pickle only": (_pickle_only, "its weights are there as a pickle alone"),
    "missing shard": (_missing_shard, "names 1 of 2 shards that are not there: model-00002-of-00002.safetensors"),
    "tokenizer elsewhere": (_tokenizer("tokenizer_file", "/bin/sh"), "tokenizer_file names /bin/sh, which is outside"),
    "vocabulary elsewhere": (_tokenizer("vocab_file", "../vocab"), "vocab_file names ../vocab, which is outside"),
    "tokenizers elsewhere": (_tokenizer("fast_tokenizer_files", ["../tokenizer.5.json"]), "names ../tokenizer.5.json"),
    "endless layers": (_config("n_layer", 10**9), "n_layer is 1000000000, and there are "),
    "endless layers of a part": (_config("text_config", {"num_experts": 1e9}), "num_experts is 1000000000, and"),
    "LFS pointer": (_pointer, "a Git LFS pointer"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_refused_before_import(case: str, gpt2: Path, tmp_path: Path) -> None:
    change, message = UNREADABLE[case]
    folder = tmp_path / "model"
    shutil.copytree(gpt2, folder)
    change(folder)
    with pytest.raises(SourceError) as caught:
        check_folder(folder, allow_pickle=False)
    assert message in caught.value.message
    assert str(folder) in caught.value.message


def test_paths_of_another_machine_do_no_harm(gpt2: Path, tmp_path: Path) -> None:
    shutil.copytree(gpt2, tmp_path / "model")
    for key in ("tokenizer_file", "vocab_file", "special_tokens_map_file", "name_or_path"):
        _tokenizer(key, "/root/.cache/none/x.json")(tmp_path / "model")
    check_folder(tmp_path / "model", allow_pickle=False)


def test_kernels_of_a_hub_are_never_run(gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(gpt2, tmp_path / "model")
    _config("_attn_implementation", "kernels-community/flash-attn")(tmp_path / "model")
    package = tmp_path / "site" / "kernels"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n__version__ = '0.12.0'\n")
    record = tmp_path / "site" / "kernels-0.12.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: kernels\nVersion: 0.12.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    (told,) = export(tmp_path / "model", tmp_path / "out")
    assert "cannot be" in told["error"]
    assert not (tmp_path / "executed").exists()


def test_pickle_that_is_allowed(gpt2: Path, tmp_path: Path) -> None:
    shutil.copytree(gpt2, tmp_path / "model")
    _pickle_only(tmp_path / "model")
    check_folder(tmp_path / "model", allow_pickle=True)


def test_check_needs_no_library() -> None:
    code = "import sys, runner.export; sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'openvino')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
