"""Which files of a model may be read, and that nothing outside of its folder is; damaged headers and lists."""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runner import embedded
from runner.errors import SourceError
from runner.model import listing
from runner.model.check import check_folder
from runner.model.safetensors import check_safetensors
from runner.recipe.types import ModelSource
from runner.registry.sources import SOURCES
from runner.sources import Located, locate
from runner.sources.folder import files
from runner.sources.onnx_data import external_files
from tests.foreign.protobuf import wire

Change = Callable[[Path], object]


def tensors(path: Path, value: float = 1.0, header: Any = None) -> Path:
    """A safetensors file of one weight, or of any header."""
    plain = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    text = header if isinstance(header, bytes) else json.dumps(plain if header is None else header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + struct.pack("<2f", value, value))
    return path


def write(folder: Path, name: str, content: Any) -> Path:
    """A file of text, or of what JSON makes of anything else."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model, as far as can be told without loading it."""
    folder = tmp_path / "model"
    write(folder, "config.json", {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})
    write(folder, "vocab.json", {"a": 0})
    tensors(folder / "model.safetensors")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Something private."""
    write(tmp_path / "private", "key", "secret")
    tensors(tmp_path / "private" / "model.safetensors")
    write(tmp_path / "private", "x.jinja", "secret")
    return tmp_path / "private"


def found(path: Path, source: str = "local", **more: Any) -> Located:
    """Locate a model, with no digests remembered."""
    nowhere = Path(os.devnull) / "memory"
    return locate(ModelSource(source=source, path=path, task="text-generation", **more), lambda name: nowhere)


def sharded(folder: Path, *names: str) -> None:
    """Weights in files of these names, by their index."""
    (folder / "model.safetensors").unlink()
    write(folder, listing.SAFETENSORS_INDEX, {"weight_map": {f"w{i}": name for i, name in enumerate(names)}})
    for name in names:
        tensors(folder / name)


# ------------------------------------------------------------------------------------------- what leaves the folder

LEAVING: dict[str, tuple[Change, str]] = {
    "a vocabulary": (lambda m: link(m / "vocab.txt", "../private/key"), "vocab.txt: is a link to"),
    "a setting": (lambda m: link(m / "extra.json", "/etc/passwd"), "extra.json: is a link to"),
    "the configuration": (lambda m: link(m / "config.json", "../private/key"), "config.json: is a link to"),
    "the weights": (
        lambda m: link(m / "model.safetensors", "../private/model.safetensors"),
        "model.safetensors: is a link to",
    ),
    "templates": (lambda m: link(m / listing.TEMPLATES, "../private"), f"{listing.TEMPLATES}: is a link to"),
    "a chain of links": (
        lambda m: (link(m / "a.json", "b"), link(m / "b", "../private/key")),
        "a.json: is a link to",
    ),
    "a shard": (
        lambda m: (sharded(m, "a.safetensors"), link(m / "a.safetensors", "../private/model.safetensors")),
        "a.safetensors: is a link to",
    ),
    "a shard's name": (
        lambda m: (sharded(m, "a.safetensors"), rename_shard(m, "../private/model.safetensors")),
        "names the file '../private/model.safetensors'",
    ),
    "a shard's absolute name": (
        lambda m: (sharded(m, "a.safetensors"), rename_shard(m, "/etc/passwd")),
        "names the file '/etc/passwd'",
    ),
    "a shard's endless name": (
        lambda m: (sharded(m, "a.safetensors"), rename_shard(m, "a" * 300)),
        "outside of the model's folder",
    ),
    "stated weights": (
        lambda m: write(
            m, "config.json", {"model_type": "gpt2", "transformers_weights": "../private/model.safetensors"}
        ),
        "names the file '../private/model.safetensors'",
    ),
    "a pipe": (lambda m: os.mkfifo(m / "vocab.txt"), "vocab.txt: is no regular file"),
    "a pipe as configuration": (
        lambda m: ((m / "config.json").unlink(), os.mkfifo(m / "config.json")),
        "config.json: is no regular file",
    ),
    "a device": (lambda m: link(m / "vocab.txt", "/dev/zero"), "vocab.txt: is a link to /dev/zero"),
    "a link to nothing": (lambda m: link(m / "vocab.txt", "nowhere"), "vocab.txt: can't be read"),
    "a link to itself": (lambda m: link(m / "vocab.txt", "vocab.txt"), "vocab.txt: can't be read"),
}


def link(path: Path, target: str) -> None:
    """A symbolic link in the place of what may be there."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def rename_shard(folder: Path, name: str) -> None:
    """Let the index name another file."""
    write(folder, listing.SAFETENSORS_INDEX, {"weight_map": {"w0": name}})


@pytest.mark.parametrize("case", LEAVING)
def test_what_leaves_a_folder_is_refused_by_name(case: str, model: Path, outside: Path) -> None:
    change, message = LEAVING[case]
    change(model)
    with pytest.raises(SourceError, match=re.escape(message)):
        found(model)


def test_a_folder_that_can_not_be_read_is_told(model: Path) -> None:
    """Whoever may read everything is another user for a moment."""
    model.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match=r"can't be read|no folder"):
            found(model)
    finally:
        if root:
            os.seteuid(0)
        model.chmod(0o755)


def test_links_within_a_folder_and_to_it_are_followed(model: Path, tmp_path: Path) -> None:
    before = found(model).digest
    (model / "vocab.json").rename(model / "kept")
    link(model / "vocab.json", "kept")
    (tmp_path / "named").symlink_to(model, target_is_directory=True)
    assert found(tmp_path / "named").digest == before
    write(model, "kept", {"b": 0})
    assert found(tmp_path / "named").digest != before


def test_a_hub_cache_may_link_to_its_own_blobs_alone(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "models--a--b"
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.parent.mkdir(parents=True)
    before = found(model).digest
    model.rename(snapshot)
    (cache / "blobs").mkdir()
    (snapshot / "vocab.json").rename(cache / "blobs" / "1234")
    link(snapshot / "vocab.json", "../../blobs/1234")
    assert found(snapshot).digest == before
    write(tmp_path / "models--a--c" / "blobs", "1234", "{}")
    link(snapshot / "vocab.json", "../../../models--a--c/blobs/1234")
    with pytest.raises(SourceError, match="outside of the model's folder"):
        found(snapshot)
    link(cache / "blobs" / "1234", "/etc/passwd")
    link(snapshot / "vocab.json", "../../blobs/1234")
    with pytest.raises(SourceError, match="outside of the model's folder"):
        found(snapshot)


def test_an_ir_takes_no_companions_from_elsewhere(tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "ir"
    write(folder, "openvino_model.xml", "<net/>")
    write(folder, "openvino_model.bin", "weights")
    path = folder / "openvino_model.xml"
    write(folder, "tokenizer_config.json", {})
    before = found(path, "openvino").digest
    for name in ("openvino_tokenizer.xml", "vocab.txt", "openvino_model.bin"):
        kept = (folder / name).read_text() if (folder / name).exists() else None
        link(folder / name, "../private/key")
        with pytest.raises(SourceError, match=f"{name}: is a link to"):
            found(path, "openvino")
        (folder / name).unlink()
        if kept is not None:
            write(folder, name, kept)
    assert found(path, "openvino").digest == before


def test_a_saved_model_with_linked_variables(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    write(folder, "saved_model.pb", "graph")
    write(folder, "kept/variables.index", "weights")
    (folder / "variables").symlink_to("kept", target_is_directory=True)
    before = found(folder, "tensorflow").digest
    write(folder, "kept/variables.index", "others")
    assert found(folder, "tensorflow").digest != before
    link(folder / "variables", "../elsewhere")
    write(tmp_path / "elsewhere", "variables.index", "weights")
    with pytest.raises(SourceError, match="variables: is a link to"):
        found(folder, "tensorflow")


def test_a_link_to_a_model_file_stands_for_it_and_for_what_is_beside_it(tmp_path: Path) -> None:
    for place in ("there", "here"):
        write(tmp_path / place, "net.bin", f"weights that lie {place}")
    write(tmp_path / "there", "net.xml", "<net/>")
    link(tmp_path / "here" / "net.xml", "../there/net.xml")
    located = found(tmp_path / "here" / "net.xml", "openvino")
    assert located.path == tmp_path / "there" / "net.xml"
    assert located.digest == found(tmp_path / "there" / "net.xml", "openvino").digest


@pytest.mark.parametrize("name", ["../private/key", "/etc/passwd", "a/../../private/key", "..", "", "a" * 300])
def test_external_data_of_onnx_stay_in_the_folder(name: str, tmp_path: Path, outside: Path) -> None:
    place = {"external_data 13": [{"key 1": "location", "value 2": name}]}
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "net.onnx").write_bytes(wire({"graph 7": {"initializer 5": place}}))
    with pytest.raises(SourceError, match="outside of the model's folder"):
        found(tmp_path / "m" / "net.onnx", "onnx")


@pytest.mark.parametrize("source", [name for name, one in SOURCES.items() if one.takes == "path"])
def test_only_regular_files_are_models(source: str, tmp_path: Path) -> None:
    for suffix in (".onnx", ".xml", ".tflite", ".pb", ".pbtxt", ".meta", ".pdmodel", ""):
        os.mkfifo(tmp_path / f"pipe{suffix}")
        (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
        (tmp_path / f"folder{suffix}").mkdir()
        for name in ("pipe", "device", "folder"):
            with pytest.raises(SourceError):
                found(tmp_path / f"{name}{suffix}", source)
    with pytest.raises(SourceError):
        found(Path("/dev/zero"), source)


# ------------------------------------------------------------------------------------------------ what a digest covers

READ = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json", "vocab.txt"),
    *("tokenizer_config.json", "chat_template.jinja", "chat_template.json", f"{listing.TEMPLATES}/tools.jinja"),
    *("source.spm", "target.spm", "bpe.codes", "prophetnet.tokenizer", "sentencepiece.bpe.model", "tekken.json"),
    *("special_tokens_map.json", "added_tokens.json", "qwen.tiktoken", "tokenizer.model.v3"),
)
UNREAD = (
    *("README.md", "readme.txt", "LICENSE.txt", ".gitattributes", "training_args.bin", "onnx/config.json"),
    *("model.onnx", "other.safetensors", "tf_model.h5", "flax_model.msgpack.index.json", "modeling.py"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json", "optimizer.pt"),
)


@pytest.mark.parametrize("name", READ)
def test_the_digest_covers_what_a_loader_reads(name: str, model: Path) -> None:
    before = found(model).digest
    write(model, name, {"model_type": "gpt2", "x": 1})
    first = found(model).digest
    write(model, name, {"model_type": "gpt2", "x": 22})
    assert len({before, first, found(model).digest}) == 3


@pytest.mark.parametrize("name", UNREAD)
def test_nothing_else_is_read_or_counts(name: str, model: Path) -> None:
    before = found(model).digest
    write(model, name, "of no concern")
    assert found(model).digest == before
    assert name not in files(model, False, False)


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "sub/deeper/a.safetensors", "model-00001-of-00001.safetensors"]
)
def test_the_digest_covers_every_shard_that_an_index_names(name: str, model: Path) -> None:
    sharded(model, name, "b.safetensors")
    before = found(model).digest
    tensors(model / name, 0.5)
    halved = found(model).digest
    index = model / listing.SAFETENSORS_INDEX
    index.write_text(index.read_text().replace('"w0"', '"w9"'))
    assert len({before, halved, found(model).digest}) == 3


def test_stated_weights_are_read_in_place_of_the_usual_ones(model: Path) -> None:
    write(model, "config.json", {"model_type": "gpt2", "transformers_weights": "mine.safetensors"})
    tensors(model / "mine.safetensors")
    assert set(files(model, False, False)) == {"config.json", "vocab.json", "mine.safetensors"}


def test_code_counts_where_it_is_trusted_wherever_it_is(model: Path) -> None:
    write(model, "sub/code.py", "")
    assert "sub/code.py" in files(model, False, True)
    assert "sub/code.py" not in files(model, False, False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"model_type": "x", "auto_map": {"AutoModel": "other/repo--module.Class"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": [None, "other/repo--module.Class"]}}),
        ("config.json", {"model_type": "x", "text_config": {"auto_map": {"AutoModel": "other/repo--module.Class"}}}),
    ],
)
def test_code_of_another_repository_is_refused(name: str, content: Any, model: Path) -> None:
    write(model, name, content)
    with pytest.raises(SourceError, match="takes Python code from elsewhere: other/repo"):
        found(model, trust_remote_code=True)


def test_a_vocoder_counts_where_a_model_speaks(model: Path, outside: Path) -> None:
    write(model, "vocoder/config.json", {"model_type": "hifigan"})
    write(model, "vocoder/notes.txt", "unread")
    tensors(model / "vocoder" / "model.safetensors")
    vocoder = {"vocoder/config.json", "vocoder/model.safetensors"}
    assert vocoder.isdisjoint(files(model, False, False))
    write(model, "config.json", {"model_type": "speecht5"})
    assert {name for name in files(model, False, False) if "/" in name} == vocoder
    before = found(model).digest
    tensors(model / "vocoder" / "model.safetensors", 2)
    assert found(model).digest != before
    tensors(model / "vocoder" / "model.safetensors", header=b"{")
    with pytest.raises(SourceError, match=r"vocoder/model\.safetensors"):
        found(model)
    (model / "vocoder" / "model.safetensors").unlink()
    link(model / "vocoder" / "model.safetensors", f"{outside}/model.safetensors")
    with pytest.raises(SourceError, match="outside of the model's folder"):
        found(model)


def test_an_adapter_is_no_model(model: Path) -> None:
    write(model, "adapter_config.json", {})
    with pytest.raises(SourceError, match="holds a PEFT adapter"):
        found(model)


def test_every_file_of_transformers_tokenizers_is_on_the_list() -> None:
    """The names that its tokenizers, processors and templates have, taken from its sources."""
    spec = find_spec("transformers")
    assert spec is not None and spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])
    texts = [path.read_text(encoding="utf-8") for path in root.glob("models/*/tokenization_*.py")]
    tables = [table for text in texts for table in re.findall(r"(?i)VOCAB_FILES_NAMES = (\{.*?\})", text, re.DOTALL)]
    names = {name for table in tables for name in re.findall(r':\s*"([\w.-]+\.\w+)"', table)}
    constants = (root / "utils" / "__init__.py").read_text(encoding="utf-8")
    names |= set(re.findall(r'^[A-Z_]+_NAME = "([\w.-]+\.(?:json|jinja))"', constants, re.MULTILINE))
    names |= set(re.findall(r'^[A-Z_]+_FILE = "([\w.-]+\.\w+)"', constants, re.MULTILINE))
    names |= {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}
    assert {"vocab.json", "source.spm", "bpe.codes", "prophetnet.tokenizer", "generation_config.json"} <= names
    weights = {name for name in names if name.startswith(("tf_", "flax_")) or "index" in name or "adapter" in name}
    assert {name for name in names - weights if not listing.is_setting(name)} == set()


@pytest.mark.parametrize("model_id", sorted(embedded.MODELS))
def test_the_embedded_models_are_whole(model_id: str) -> None:
    path = embedded.MODELS[model_id].path
    assert {"config.json", "model.safetensors"} <= set(files(path, False, False))
    check_folder(path, allow_pickle=False)


# ------------------------------------------------------------------------------------------------------ damaged files


def entry(**changes: Any) -> dict[str, Any]:
    """A header of one weight, changed."""
    return {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


HEADERS: dict[str, Any] = {
    "no object": [1],
    "a number": 7,
    "a weight that is none": {"w": 3},
    "places as text": entry(data_offsets=["0", "8"]),
    "a place too many": entry(data_offsets=[0, 4, 8]),
    "places that are none": entry(data_offsets=None),
    "negative places": entry(data_offsets=[-8, 0]),
    "places in reverse": entry(data_offsets=[8, 0]),
    "half places": entry(data_offsets=[0.0, 8.0]),
    "true and false": entry(data_offsets=[False, 8]),
    "huge places": entry(data_offsets=[0, 2**70]),
    "a huge shape": entry(shape=[2**62, 2**62, 2**62]),
    "a negative shape": entry(shape=[-2]),
    "a shape as text": entry(shape="2"),
    "another size": entry(shape=[3]),
    "no shape": {"w": {"dtype": "F32", "data_offsets": [0, 8]}},
    "an unknown type": entry(dtype="F31"),
    "a type that is none": entry(dtype=[]),
    "weights over each other": entry() | {"v": entry()["w"]},
    "a hole": entry(shape=[1], data_offsets=[4, 8]),
    "nested metadata": entry() | {"__metadata__": {"a": {"b": 1}}},
    "metadata that is none": entry() | {"__metadata__": 3},
    "one name twice": json.dumps(entry())[:-1].encode() + b"," + json.dumps(entry())[1:].encode(),
    "deep": b'{"w":' * 100_000 + b"1" + b"}" * 100_000,
    "noise": b"\xff" * 100,
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_of_safetensors_that_are_damaged(case: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"model\.safetensors: "):
        check_safetensors(tensors(tmp_path / "model.safetensors", header=HEADERS[case]))


def test_headers_of_safetensors_that_are_right(tmp_path: Path) -> None:
    empty = {"e": {"dtype": "F32", "shape": [0, 3], "data_offsets": [0, 0]}}
    check_safetensors(tensors(tmp_path / "a", header=entry() | empty | {"__metadata__": {"format": "pt"}}))
    check_safetensors(tensors(tmp_path / "b", header=entry(dtype="F4", shape=[16])))


DEEP = "[" * 200_000 + "]" * 200_000


@pytest.mark.parametrize("name", ["config.json", listing.SAFETENSORS_INDEX])
@pytest.mark.parametrize("content", [DEEP, "[1]", "null", "", "{", '{"weight_map": [1]}', '{"weight_map": {"a": 1}}'])
def test_documents_that_are_damaged(name: str, content: str, model: Path) -> None:
    (model / "model.safetensors").unlink()
    write(model, name, content)
    with pytest.raises(SourceError, match=re.escape(name)):
        found(model)


def test_a_name_that_is_no_text_is_left_out(model: Path) -> None:
    before = found(model).digest
    with open(os.fsencode(model) + b"/\xff.json", "w") as stream:  # noqa: PTH123
        stream.write("{}")
    assert found(model).digest == before


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\x02", b"\x3a\x80\x80\x80\x08", b"\x08\x01", b"\x00", b"\x7b"])
def test_a_megabyte_of_anything_is_scanned_for_external_data(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content * (1_000_000 // len(content)))
    assert external_files(path) == []


def test_onnx_messages_in_each_other_have_an_end(tmp_path: Path) -> None:
    content = b""
    for field in (b"\x0a", *(b"\x32", b"\x2a", b"\x0a") * 2000, b"\x3a"):
        length, size = len(content), b""
        while length > 0x7F:
            size, length = size + bytes([length & 0x7F | 0x80]), length >> 7
        content = field + size + bytes([length]) + content
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(SourceError, match="nested too deeply"):
        external_files(tmp_path / "net.onnx")
