"""Damaged models: tiny real ones of every kind, mutated, planned and converted."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner import embedded
from tests import foreign
from tests.campaigns import harness
from tests.campaigns.harness import Campaign, Trial
from tests.geometry import bert_folder, gpt2_folder

Kind = tuple[str, str, str]
"""Source, the path that a recipe states, and its task."""

FILES: dict[str, Kind] = {
    "openvino": ("openvino", "model.xml", ""),
    "onnx": ("onnx", "net.onnx", ""),
    "onnx-external": ("onnx", "net.onnx", ""),
    "tflite": ("tflite", "net.tflite", ""),
    "frozen": ("tensorflow", "net.pb", ""),
    "pbtxt": ("tensorflow", "net.pbtxt", ""),
    "meta": ("tensorflow", "net.meta", ""),
    "saved-model": ("tensorflow", "", ""),
    "paddle": ("paddle", "inference.pdmodel", ""),
}
FOLDERS: dict[str, Kind] = {
    "gpt2": ("local", "", "text-generation-with-past"),
    "bert": ("local", "", "feature-extraction"),
    "resnet": ("local", "", "image-classification"),
    "exported": ("openvino", "openvino_model.xml", ""),
}
KINDS = FILES | FOLDERS
NORMAL = 45
"""Seconds that a conversion may take that nothing is wrong with, on a busy machine."""


def prepare(shared: Path) -> None:
    """Write one model of each kind."""
    net = foreign.dense(0)
    for kind in KINDS:
        (shared / kind).mkdir()
    foreign.openvino_ir(shared / "openvino", net)
    foreign.onnx_file(shared / "onnx" / "net.onnx", net)
    foreign.onnx_file(shared / "onnx-external" / "net.onnx", net, "weights/first")
    foreign.tflite_file(shared / "tflite" / "net.tflite", net)
    foreign.tensorflow_frozen(shared / "frozen" / "net.pb", net)
    foreign.tensorflow_pbtxt(shared / "pbtxt" / "net.pbtxt", net)
    foreign.tensorflow_meta_graph(shared / "meta" / "net.meta", net)
    foreign.tensorflow_saved_model(shared / "saved-model", net)
    foreign.paddle_files(shared / "paddle", net)
    gpt2_folder(shared / "gpt2", layers=1, hidden=64, vocab=400, positions=64)
    bert_folder(shared / "bert", layers=1)
    shutil.copytree(embedded.MODELS["digits-cnn"].path, shared / "resnet", dirs_exist_ok=True)
    _export(shared)
    assert all((shared / kind / path).exists() for kind, (_, path, _) in KINDS.items())


def _export(shared: Path) -> None:
    """An exported language model, with its tokenizer."""
    recipe = shared / "exported.yaml"
    recipe.write_text(_recipe(shared / "gpt2", FOLDERS["gpt2"]))
    command = [sys.executable, "-m", "runner", "optimize", str(recipe), "--outputs", str(shared / "made"), "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    version = next((shared / "made").glob("*/1"))
    shutil.copytree(version, shared / "exported", dirs_exist_ok=True)
    for path in shared.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _recipe(model: Path, kind: Kind) -> str:
    source, path, task = kind
    told = {"source": source, "path": str(model / path), **({"task": task} if task else {})}
    return f"name: mine\nmodel: {json.dumps(told)}\n"


def case(trial: Trial) -> None:
    """Damage a model here and there, plan it, and convert it."""
    draw = trial.random
    name = draw.choice([*FILES] if draw.random() < 0.7 else [*FOLDERS])
    model = trial.folder / "model"
    shutil.copytree(trial.shared / name, model)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        trial.note(f"{name}: {_damage(draw, model)}")
    (trial.folder / "r.yaml").write_text(_recipe(model, KINDS[name]))
    trial.run("plan", "r.yaml", codes=(0, 2, 4))
    trial.run("optimize", "r.yaml", codes=(0, 2, 4), starts=True, seconds=NORMAL + 5)


def _damage(draw: random.Random, model: Path) -> str:
    """Damage one file of a model; what was done."""
    there = [path for path in model.rglob("*") if path.is_file() and not path.is_symlink()]  # a link's end is not ours
    files = sorted(path for path in there if not path.name.startswith("README"))
    if not files:
        return "nothing is left"
    path = draw.choice(files)
    documents = path.suffix in (".json", ".safetensors")
    change = draw.choice(DOCUMENTS if documents and draw.random() < 0.7 else BYTES)
    return f"{path.relative_to(model)}: {change.__name__.strip('_')} {change(draw, path) or ''}"


def _flipped(draw: random.Random, path: Path) -> str:
    content = bytearray(path.read_bytes())
    places = [draw.randrange(len(content)) for _ in range(draw.choice((1, 1, 4, 30)))] if content else []
    for place in places:
        content[place] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    return f"at {places[:4]}"


def _flipped_early(draw: random.Random, path: Path) -> str:
    """Where headers and structure are."""
    content = bytearray(path.read_bytes())
    places = [draw.randrange(min(200, len(content))) for _ in range(3)] if content else []
    for place in places:
        content[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
    path.write_bytes(content)
    return f"at {places}"


def _truncated(draw: random.Random, path: Path) -> str:
    content = path.read_bytes()
    length = draw.randrange(len(content) + 1)
    path.write_bytes(content[:length])
    return f"to {length} of {len(content)}"


def _repeated(draw: random.Random, path: Path) -> None:
    content = path.read_bytes()
    place = draw.randrange(len(content) + 1)
    path.write_bytes(content[:place] + content[max(0, place - draw.randrange(1, 2000)) :])


def _filled(draw: random.Random, path: Path) -> str:
    value, length = draw.choice((0, 0xFF, 0x0A, 0x7B)), draw.choice((1, 100, 1_000_000))
    path.write_bytes(bytes([value]) * length)
    return f"with {length} times {value}"


def _overwritten(draw: random.Random, path: Path) -> str:
    """Numbers that are not numbers, or as large as they come."""
    content = bytearray(path.read_bytes())
    pattern = draw.choice((b"\x00\x00\xc0\x7f", b"\xff" * 8, b"\x00" * 8, b"\x7f" + b"\xff" * 7))
    place = draw.randrange(max(1, len(content)))
    content[place : place + len(pattern)] = pattern
    path.write_bytes(content)
    return f"with {pattern.hex()} at {place}"


def _removed(draw: random.Random, path: Path) -> None:
    path.unlink()


def _a_folder(draw: random.Random, path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_pipe(draw: random.Random, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _linked_outside(draw: random.Random, path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _of_another(draw: random.Random, path: Path) -> None:
    """The content of a file beside it."""
    path.write_bytes(draw.choice(sorted(one for one in path.parent.iterdir() if one.is_file())).read_bytes())


def _a_strange_name(draw: random.Random, path: Path) -> None:
    """Beside it, a file whose name is no text."""
    with open(os.fsencode(path.parent) + b"/\xff\xfe" + os.fsencode(path.suffix), "wb") as stream:  # noqa: PTH123
        stream.write(path.read_bytes()[:100])


BYTES: tuple[Callable[[random.Random, Path], str | None], ...] = (
    *(_flipped, _flipped_early, _truncated, _repeated, _filled, _overwritten),
    *(_removed, _a_folder, _a_pipe, _linked_outside, _of_another, _a_strange_name),
)

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 3, 1e30, -(2**63), 2**64, 0.5, "", "1", "x" * 1000, "../../etc/passwd", "\udcff", "\0"),
    *([], [1], ["a", "b"], {}, {"a": 1}, [[[[[]]]]]),
)


def _swapped(draw: random.Random, path: Path) -> str:
    """One value of a document becomes another."""
    return _edit(draw, path, lambda holder, key: holder.__setitem__(key, draw.choice(VALUES)))


def _without(draw: random.Random, path: Path) -> str:
    """One value of a document less."""
    return _edit(draw, path, lambda holder, key: holder.__delitem__(key))


def _nested(draw: random.Random, path: Path) -> None:
    """Brackets in brackets."""
    depth = draw.choice((100, 5_000, 200_000))
    text = "[" * depth + "]" * depth if draw.random() < 0.5 else '{"a":' * depth + "1" + "}" * depth
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        path.write_bytes(len(text).to_bytes(8, "little") + text.encode())
    else:
        path.write_bytes(content.rstrip()[:-1] + b', "deep": ' + text.encode() + b"}")


DOCUMENTS: tuple[Callable[[random.Random, Path], str | None], ...] = (_swapped, _swapped, _swapped, _without, _nested)


def _edit(draw: random.Random, path: Path, change: Callable[[Any, Any], None]) -> str:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little") if path.suffix == ".safetensors" else 0
    try:
        document = json.loads(content[8 : 8 + length] if length else content)
    except (ValueError, RecursionError):
        return "not, for it is none any more"
    trail, holder = [], document
    while isinstance(holder, dict | list) and holder:
        key = draw.choice([*holder]) if isinstance(holder, dict) else draw.randrange(len(holder))
        trail.append(str(key))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or draw.random() < 0.3:
            change(holder, key)
            break
        holder = inner
    text = json.dumps(document).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :] if length else text)
    return "/".join(trail)


CAMPAIGN = Campaign(
    "models",
    500,
    case,
    prepare=prepare,
    warm=("runner.plan.builder", "runner.sources.folder", "runner.sources.file"),
    megabytes=2000,
    patience=2 * NORMAL,
)


def main(argv: list[str] | None = None) -> int:
    """Run the campaign: 0 if no case failed."""
    return harness.main(CAMPAIGN, argv)


if __name__ == "__main__":
    sys.exit(main())
