"""`ovrun import`: each example gives exactly the recipe or the message beside it; recipes are valid once filled in."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.cli import main
from runner.errors import RecipeError, UsageError
from runner.importers import import_words, save
from runner.importers.draft import PLACEHOLDER, leaves, slug
from runner.importers.writer import write
from runner.recipe import load_recipe

EXAMPLES = Path(__file__).parent.parent / "imports"
VALID = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file() and ".expected" not in path.name)
INVALID = sorted(p.name for p in (EXAMPLES / "invalid").iterdir() if p.suffix != ".expected")
PLAIN = [
    name
    for name in (*VALID, *(f"invalid/{name}" for name in INVALID))
    if not name.endswith(".txt") and "syntax" not in name
]


def beside(path: Path, text: str, suffix: str) -> None:
    """Compare with the file beside an example."""
    expected = path.with_name(f"{path.stem}.expected{suffix}")
    if os.environ.get("UPDATE_EXPECTED"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VALID)
def test_example_gives_the_recipe_beside_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    beside(EXAMPLES / name, write(import_words([name])), ".yaml")


@pytest.mark.parametrize("name", INVALID)
def test_wrong_example_gives_the_message_beside_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES / "invalid")
    with pytest.raises(RecipeError) as caught:
        import_words([name])
    beside(EXAMPLES / "invalid" / name, f"{caught.value}\n", "")


def test_nothing_expected_is_left_over() -> None:
    assert {p.name.partition(".")[0] for p in EXAMPLES.glob("*.expected.yaml")} == {Path(name).stem for name in VALID}
    stems = {path.stem for path in (EXAMPLES / "invalid").glob("*.expected")}
    assert stems == {Path(name).stem for name in INVALID}


@pytest.mark.parametrize("name", VALID)
def test_recipe_is_valid_once_filled_in(name: str, tmp_path: Path) -> None:
    draft = import_words([str(EXAMPLES / name)])
    path = tmp_path / f"{slug(Path(name).stem)}.yaml"
    save(write(draft), path, replace=False)
    overrides = ["data=digits"]
    for key in open_keys(draft.config):
        last = key.rpartition(".")[2]
        value = {"dataset": "digits_evaluation", "metric": "cosine_similarity", "model": "digits-cnn"}[last]
        overrides.append(f"{key}={value}")
    recipe = load_recipe(str(path), overrides)
    assert {step.algorithm for step in recipe.compression} <= {"weight_compression", "quantization"}
    with pytest.raises(RecipeError) if len(overrides) > 1 else open(os.devnull):  # noqa: PTH123
        load_recipe(str(path))


def test_hybrid_settings_are_of_what_removes_noise_where_a_pipeline_lies_beside(tmp_path: Path) -> None:
    settings = {"quantization_config": {"bits": 8, "quant_method": "hybrid", "dataset": "coco"}}
    (tmp_path / "openvino_config.json").write_text(json.dumps(settings))
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline", "transformer": ["diffusers", "X"]}')
    config = import_words([str(tmp_path / "openvino_config.json")]).config
    assert config["compression"] == {"algorithm": "weight_compression", "mode": "int8_asym"}
    parts: Any = config["parts"]
    assert parts.keys() == {"transformer"}
    assert (parts["transformer"]["hybrid"], parts["transformer"]["subset_size"]) == ("int8_asym", 200)


def open_keys(value: Any, at: str = "") -> list[str]:
    """The keys that are still to be stated."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [key for part, item in items for key in open_keys(item, f"{at}.{part}" if at else str(part))]
    return [at] if value == PLACEHOLDER else []


@pytest.mark.parametrize("name", [name for name in VALID if not name.startswith("cli")])
def test_no_key_goes_without_a_word(name: str) -> None:
    """Every key of the file that holds something is named in the recipe, by itself or by one that it lies in."""
    text = " ".join(line.strip(" #") for line in write(import_words([str(EXAMPLES / name)])).splitlines())
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    lines = (line for line in source.splitlines() if not line.strip().startswith("//"))
    data = yaml.safe_load("\n".join(line.partition("/*")[0] for line in lines))
    told = ("type", "systems", "config", "keep_ov_dynamic_dims", "target_device", "bits", "_dataset_kwargs")
    for path in leaves(data):
        value: Any = data
        for part in path:
            value = value[part]
        if value not in (None, {}, [], False) and not any(part in told for part in path):
            assert any(str(part) in text for part in path[-2:]), path


def test_words_and_a_quoted_command_are_the_same() -> None:
    command = "optimum-cli export openvino --model a/b --weight-format int4 --sym out"
    assert write(import_words(command.split())) == write(import_words([command]))


def test_a_beginning_of_an_option_is_enough_where_it_is_the_only_one() -> None:
    config = import_words("optimum-cli export openvino -ma/b --weight int4 --scale --dataset c4 out".split()).config
    assert config["compression"]["scale_estimation"] is True


@pytest.mark.parametrize(("size", "compressed"), [(1000, False), (1_000_000_000, True)])
def test_large_folder_gets_the_weights_that_the_command_gives_it(size: int, compressed: bool, tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F16", "shape": [size], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (tmp_path / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"], "torch_dtype": "float16"}')
    config = import_words(["optimum-cli", "export", "openvino", "-m", str(tmp_path), "out"]).config
    assert config.get("compression") == (
        {"algorithm": "weight_compression", "mode": "int8_asym"} if compressed else None
    )
    assert config["conversion"] == {"precision": "fp16"}
    assert config["model"]["task"] == "text-generation-with-past"


def test_folder_named_like_a_known_model_takes_its_settings(tmp_path: Path) -> None:
    folder = tmp_path / "zephyr-7b-beta"
    folder.mkdir()
    config = import_words(["optimum-cli export openvino --weight-format int4 out -m " + str(folder)]).config
    assert (config["compression"]["mode"], config["compression"]["ratio"]) == ("int4_sym", 0.8)


def test_command_prints_a_recipe_and_tells_what_is_unsupported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(EXAMPLES / "nncf-training.yaml")]) == 0
    out, err = capsys.readouterr()
    assert out == (EXAMPLES / "nncf-training.expected.yaml").read_text(encoding="utf-8")
    assert err.count("unsupported: ") == out.count("# unsupported: ") > 5


def test_command_writes_a_file_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["import", str(EXAMPLES / "nncf-plain.json"), "--output", str(tmp_path / "mine.yaml")]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("kept: 1\n")
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "mine.yaml").read_text() == "kept: 1\n"
    assert main([*words, "--force"]) == 0
    assert (tmp_path / "mine.yaml").read_text().startswith("# Imported")


def test_command_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--json", *"optimum-cli export openvino -m a/b --variant x out".split()]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "imported" and document["path"] is None
    assert document["unsupported"] and "source: huggingface" in document["recipe"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to import"),
        (["one.json", "two.json"], "2 words"),
        (["no-such-file.json"], "can't be read"),
        ([str(EXAMPLES)], "a folder"),
    ],
)
def test_what_is_no_file_and_no_command(words: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        import_words(words)


@pytest.mark.parametrize("name", ["recipe.yml", "no/such/folder/recipe.yaml"])
def test_what_can_not_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        save("x: 1\n", tmp_path / name, replace=True)


def test_interpolations_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text('{"input_info": {"sample_size": [1], "keyword": "${oc.env:HOME}"}}')
    with pytest.raises(RecipeError, match=r"old\.json:1:\d+: input_info\.keyword: `\$\{`"):
        import_words([str(path)])


ODD_TEXTS = {
    "more lines": "x\nname: evil\n#",
    "a next line": "x\u0085name: evil",
    "line separators": "x\u2028name: evil\u2029y",
    "returns": "x\r\nname: evil",
    "quotes": "x\"'\\: {a: [b",
    "a control character": "\x1b[31mx",
}


@pytest.mark.parametrize("name", ODD_TEXTS)
@pytest.mark.parametrize("kind", ["a command", "nncf", "olive"])
def test_a_text_stays_one_text(kind: str, name: str, tmp_path: Path) -> None:
    """What is written reads as it was meant by our reader and by another, or is refused."""
    odd, path = ODD_TEXTS[name], tmp_path / "odd.json"
    if kind == "nncf":
        sizes = {"sample_size": [1, 3], "keyword": odd}
        document: Any = {"model": odd, "input_info": sizes, "compression": {"algorithm": "quantization"}, odd: odd}
    else:
        settings = {"model_path": odd, "type": "HfModel"}
        document = {"input_model": settings, "passes": {odd: {"type": "OpenVINOQuantization", odd: odd}}}
    path.write_text(json.dumps(document))
    words = ["optimum-cli", "export", "openvino", "-m", odd, "--task", "fill-mask", odd]
    try:
        draft = import_words(words if kind == "a command" else [str(path)])
        text = write(draft)
    except RecipeError as error:
        assert "evil" not in str(error).splitlines()
        return
    assert yaml.safe_load(text) == draft.config and "name: evil" not in text.splitlines()


@pytest.mark.parametrize(("percent", "share"), [(1.0, 0.01), (0.5, 0.005), (100, 1.0)])
def test_percent_points_become_a_share(percent: float, share: float, tmp_path: Path) -> None:
    params = {"maximal_absolute_accuracy_degradation": percent, "maximal_total_epochs": 1}
    document: dict[str, Any] = {"accuracy_aware_training": {"mode": "early_exit", "params": params}}
    document |= {"input_info": {"sample_size": [1, 3]}, "compression": {"algorithm": "quantization"}}
    (tmp_path / "old.json").write_text(json.dumps(document))
    control = import_words([str(tmp_path / "old.json")]).config["compression"]["accuracy_control"]
    assert control["max_drop"] == pytest.approx(share) and control["drop_type"] == "absolute"


@pytest.mark.parametrize("more", [{}, {"bits": 4, "sym": True}, {"dataset": None}])
def test_settings_that_optimum_intel_lost_are_not_made_up(more: dict[str, Any], tmp_path: Path) -> None:
    document = {"dtype": "int4", "quantization_config": {"quantization_configs": {}, **more}}
    (tmp_path / "openvino_config.json").write_text(json.dumps(document))
    with pytest.raises(RecipeError, match="quantization_configs: empty, and default_config has lost its settings"):
        import_words([str(tmp_path / "openvino_config.json")])


@pytest.mark.parametrize("name", PLAIN)
def test_no_wrong_value_anywhere_is_a_traceback(name: str, tmp_path: Path) -> None:
    """Every value of every example, replaced by something odd, gives a recipe or a worded message."""
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    lines = (line for line in source.splitlines() if not line.strip().startswith("//"))
    text = json.dumps(yaml.safe_load("\n".join(line.partition("/*")[0] for line in lines)))
    path = tmp_path / "odd.json"
    for at in every(json.loads(text)):
        for odd in (None, -1.5, [[]], {"x": None}):
            data = json.loads(text)
            parent = data
            for part in at[:-1]:
                parent = parent[part]
            parent[at[-1]] = odd
            path.write_text(json.dumps(data))
            try:
                write(import_words([str(path)]))
            except RecipeError as error:
                assert str(error)


def every(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All key paths."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in ((*path, key), *every(item, (*path, key)))]
