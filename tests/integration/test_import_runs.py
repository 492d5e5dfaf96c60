"""What the importers take for granted of Optimum Intel, held against the installed one."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import subprocess
import sys
from enum import Enum
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from runner.artifact import openvino_config
from runner.errors import RecipeError
from runner.importers import import_words, optimum, optimum_defaults, optimum_export, optimum_formats
from runner.importers.optimum_cli import OPTIONS
from runner.recipe import build
from runner.recipe.types import Quantization, WeightCompression
from tests.compressed import compressed
from tests.conftest import Ovrun
from tests.geometry import gpt2_folder


@pytest.fixture(scope="module")
def peer() -> Any:
    """Optimum Intel's module of the command."""
    import optimum.commands.export.openvino as module

    return module


@pytest.fixture(scope="module")
def classes() -> Any:
    """Optimum Intel's module of configurations."""
    import optimum.intel.openvino.configuration as module

    return module


def parser(peer: Any) -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser()
    peer.parse_args_openvino(parsed)
    return parsed


def test_every_option_of_the_command_is_known(peer: Any) -> None:
    actions = {action.option_strings[-1]: action for action in parser(peer)._actions if action.option_strings}
    del actions["--help"]
    assert {name: action.dest for name, action in actions.items()} == {name: one.field for name, one in OPTIONS.items()}
    for name, action in actions.items():
        assert tuple(action.choices or ()) == OPTIONS[name].choices, name
        assert (action.nargs == 0) == (OPTIONS[name].read is None), name
        if action.nargs != 0:
            assert OPTIONS[name].read is (action.type or str), name


def test_the_options_that_keep_the_command_from_its_own_settings(peer: Any) -> None:
    fields = [option.field for option in OPTIONS.values()]
    for fits, known in (
        (peer.no_compression_parameter_provided, optimum_formats.COMPRESSION),
        (peer.no_quantization_parameter_provided, optimum_formats.QUANTIZATION),
    ):
        stated = [field for field in fields if not fits(argparse.Namespace(**{**dict.fromkeys(fields), field: 1}))]
        assert set(stated) == set(known)


def test_fields_of_the_configurations(classes: Any) -> None:
    for kind, known in (
        (classes.OVWeightQuantizationConfig, optimum.WEIGHTS),
        (classes.OVQuantizationConfig, optimum.FULL),
    ):
        names = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "kwargs")]
        assert set(names) == set(known)


def test_settings_for_models_by_name(classes: Any) -> None:
    for table, name in optimum_defaults.TABLES.items():
        assert optimum_defaults.tables()[table] == plain(getattr(classes, name)), table
    assert classes._DEFAULT_4BIT_WQ_CONFIG == {
        "bits": 4,
        "ratio": 1.0,
        "sym": False,
        "group_size": 128,
        "all_layers": None,
    }


def plain(value: Any) -> Any:
    """Enumerations as the names of their members in lower case."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.name.lower() if isinstance(value, Enum) else value


def test_tasks_by_other_names_and_the_size_that_counts_as_large() -> None:
    from optimum.exporters.openvino.utils import _MAX_UNCOMPRESSED_SIZE
    from optimum.exporters.tasks import TasksManager

    assert _MAX_UNCOMPRESSED_SIZE == optimum_export.LARGE
    for name, task in optimum_export.SYNONYMS.items():
        assert TasksManager.map_from_synonym(name) == task


WEIGHT_WORDS = [
    " ".join(filter(None, words))
    for words in product(
        ("int8", "int4", "nf4", "mxfp4", "cb4"),
        ("", "--sym"),
        ("", "--ratio 0.6", "--ratio 0"),
        ("", "--group-size 32", "--group-size -1 --group-size-fallback ignore"),
        ("", "--awq", "--scale-estimation --dataset c4", "--sensitivity-metric mean_activation_variance --dataset c4"),
        ("", "--all-layers --num-samples 7", "--backup-precision none"),
    )
]


def test_weight_settings_are_those_that_nncf_gets(peer: Any, classes: Any) -> None:
    """Of every command that Optimum Intel takes: the parameters of nncf.compress_weights, by both ways."""
    compared = 0
    for words in WEIGHT_WORDS:
        arguments = parser(peer).parse_args(f"-m a/b out --weight-format {words}".split())
        try:
            if peer.no_compression_parameter_provided(arguments) and arguments.weight_format == "int4":
                theirs = classes.OVWeightQuantizationConfig(**classes._DEFAULT_4BIT_WQ_CONFIG)
            else:
                theirs = classes.OVWeightQuantizationConfig(**peer.prepare_wc_config(arguments, {"ratio": 1.0}))
        except ValueError:
            continue
        try:
            draft = import_words(f"optimum-cli export openvino -m a/b --weight-format {words} out".split())
        except RecipeError as error:
            assert str(error).startswith(NOT_IN_NNCF[words.split()[0]]), words
            continue
        ours, _ = build._step(draft.config["compression"], ("compression",), {})
        assert isinstance(ours, WeightCompression)
        assert stated(ours, theirs.to_nncf_dict()), words
        compared += 1
    assert compared > 200


NOT_IN_NNCF = {
    "mxfp4": "command line: --group-size -1",
}
"""What Optimum Intel takes and NNCF itself refuses, by format."""


def stated(ours: WeightCompression, theirs: dict[str, Any]) -> bool:
    """Whether a step is what NNCF gets, but for what has no effect."""
    data_aware = bool(ours.dataset)
    own = {"int4_sym": 128, "int4_asym": 128, "nf4": 128, "mxfp4": 32}.get(ours.mode, -1)
    fallback = getattr(theirs.get("advanced_parameters"), "group_size_fallback_mode", None)
    pairs = [
        (ours.mode, theirs["mode"].value),
        (ours.ratio or 1.0, theirs["ratio"]),
        (own if ours.group_size is None else ours.group_size, theirs["group_size"] or own),
        (bool(ours.all_layers), bool(theirs["all_layers"])),
        (bool(ours.awq), bool(theirs["awq"])),
        (bool(ours.scale_estimation), bool(theirs["scale_estimation"])),
        (ours.backup_mode, theirs["backup_mode"].value if theirs["backup_mode"] else default_backup(ours)),
    ]
    if theirs["ratio"] < 1:
        pairs.append((ours.sensitivity_metric, theirs["sensitivity_metric"] and theirs["sensitivity_metric"].value))
    if data_aware:
        pairs.append((ours.subset_size, theirs["subset_size"]))
    if theirs["group_size"] != -1 and fallback:
        pairs.append((ours.group_size_fallback_mode, fallback.value))
    return all(mine == other for mine, other in pairs)


def default_backup(ours: WeightCompression) -> str | None:
    """NNCF's own backup mode where the recipe states it, else nothing."""
    return "int8_asym" if ours.mode in ("int4_sym", "int4_asym", "nf4") else None


@pytest.mark.parametrize(
    ("words", "alpha"),
    [("--quant-mode int8", None), ("--quant-mode int8 --sym --smooth-quant-alpha 0.3 --num-samples 9", 0.3)],
)
def test_quantization_settings_are_those_that_nncf_gets(
    words: str, alpha: float | None, peer: Any, classes: Any
) -> None:
    from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters

    arguments = parser(peer).parse_args(f"-m a/b out {words} --dataset wikitext2".split())
    theirs = classes.OVQuantizationConfig(**peer.prepare_q_config(arguments)).to_nncf_dict()
    draft = import_words(f"optimum-cli export openvino -m a/b {words} --dataset wikitext2 out".split())
    ours, _ = build._step(draft.config["compression"], ("compression",), {})
    assert isinstance(ours, Quantization)
    assert (ours.preset, ours.subset_size, ours.mode) == (theirs["preset"].value, theirs["subset_size"], theirs["mode"])
    assert (ours.model_type, ours.overflow_fix) == (theirs["model_type"].value, "disable")
    assert (ours.advanced or {}).get("smooth_quant_alphas", {}).get("matmul") == alpha
    own = AdvancedSmoothQuantParameters().matmul if alpha is None else alpha
    assert theirs["advanced_parameters"].smooth_quant_alphas.matmul == own


@pytest.mark.newest
def test_recipe_makes_the_constants_that_its_command_makes(tmp_path: Path, ovrun: Ovrun) -> None:
    gpt2_folder(tmp_path / "model", layers=2, hidden=128, vocab=600, dtype="float32", seed=0)
    settings = "--weight-format int4 --ratio 0.7 --backup-precision int8_sym"
    words = f"export openvino -m model --task text-generation-with-past {settings} peer".split()
    cli = Path(sys.executable).parent / "optimum-cli"
    subprocess.run([cli, *words], cwd=tmp_path, check=True, env={**os.environ}, capture_output=True)
    ovrun("import", "--output", "mine.yaml", "--", "optimum-cli", *words)
    ovrun("optimize", "mine.yaml")
    ours, theirs = compressed(tmp_path / "outputs" / "peer" / "1"), compressed(tmp_path / "peer")
    assert ours == theirs
    assert {"u4", "i8"} <= {row[0] for row in ours} and len(ours) > 8


TOLD_WORDS = [
    " ".join(filter(None, words))
    for words in product(
        ("--weight-format int8", "--weight-format int4", "--weight-format nf4", "--weight-format cb4"),
        ("", "--sym"),
        ("--group-size 32 --ratio 0.6", "--group-size -1", "--group-size 64 --group-size-fallback adjust"),
        ("", "--awq", "--scale-estimation --dataset c4 --num-samples 9", "--gptq --dataset c4"),
        ("", "--all-layers", "--backup-precision none --lora-correction --dataset c4"),
    )
] + [
    f"--quant-mode {mode} --dataset wikitext2 {more}"
    for mode in ("int8", "f8e4m3", "f8e5m2", "int4_f8e4m3", "cb4_f8e4m3")
    for more in ("--group-size 32 --ratio 0.7 --num-samples 11", "--sym --group-size -1 --smooth-quant-alpha 0.3")
]


def theirs_of(words: str, peer: Any, classes: Any) -> Any:
    """The configuration that Optimum Intel makes of a command."""
    arguments = parser(peer).parse_args(f"-m a/b {words} out".split())
    if arguments.weight_format:
        return classes.OVWeightQuantizationConfig(**peer.prepare_wc_config(arguments, {"ratio": 1.0}))
    first, _, second = arguments.quant_mode.rpartition("_")
    full = {**peer.prepare_q_config(arguments), "dtype": second}
    if not first:
        return classes.OVQuantizationConfig(**full)
    weights = {**peer.prepare_wc_config(arguments, {"ratio": 1.0}), "dtype": first}
    return classes.OVMixedQuantizationConfig(weights, full)


def ours_of(words: str) -> dict[str, Any]:
    """What is told of the recipe that the same command is imported as."""
    config = import_words(f"optimum-cli export openvino -m a/b {words} out".split()).config["compression"]
    stated = config if isinstance(config, list) else [config]
    steps = [build._step(one, ("compression",), {})[0] for one in stated]
    return openvino_config.quantization_of(steps)


def differing(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Fields that both state, with other values; both have the same fields."""
    assert ours.keys() == theirs.keys()
    found = {}
    for name, value in theirs.items():
        if isinstance(value, dict) and isinstance(ours[name], dict) and name.endswith("_config"):
            found |= differing(ours[name], value)
        elif None not in (value, ours[name]) and value != ours[name] and {} not in (value, ours[name]):
            found[name] = (ours[name], value)
    return found


def test_a_version_tells_settings_as_optimum_tells_them(peer: Any, classes: Any) -> None:
    """Of every command that both take; Optimum Intel reads openvino_config.json as it wrote it."""
    compared = 0
    for words in TOLD_WORDS:
        try:
            theirs = theirs_of(words, peer, classes)
            ours = ours_of(words)
        except (ValueError, RecipeError):
            continue
        assert not differing(ours, theirs.to_dict()), words
        again = classes._quantization_config_from_dict(json.loads(json.dumps(ours)))
        assert type(again) is type(theirs), words
        assert not differing(json.loads(json.dumps(again.to_dict())), json.loads(json.dumps(ours))), words
        compared += 1
    assert compared > 60
