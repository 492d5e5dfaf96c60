"""Quantization: our verdict on settings against NNCF's own on a tiny model.

Run as a script, this file is the process that asks NNCF: settings as JSON on standard input, answers on the last
line of standard output.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import itertools
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from runner.recipe import load
from runner.recipe.judge.schemas import load_schema
from runner.recipe.origins import Origin
from runner.recipe.types import Quantization
from tests.graphs import tiny_network

HERE = Path(__file__)
Settings = dict[str, Any]


def advanced(**settings: Any) -> Settings:
    return {"advanced": settings}


def bound(**settings: Any) -> Settings:
    """The same from above and below."""
    return {"min": settings, "max": settings}


RANGES = ("minmax", "mean_minmax", "median_minmax", "mean_no_outliers_minmax", "mean_quantile", "histogram")
STATISTICS = ("min", "max", "abs_max", "quantile", "abs_quantile", "mean", "raw")
AGGREGATORS = ("mean", "max", "min", "median", "mean_no_outliers", "median_no_outliers", "histogram")
SIDES = ("activations", "weights")

OPTIONS: dict[str, Settings] = {
    "fp8_e4m3": {"mode": "fp8_e4m3"},
    "fp8_e5m2": {"mode": "fp8_e5m2"},
    "performance": {"preset": "performance"},
    "mixed": {"preset": "mixed"},
    **{device: {"target_device": device} for device in ("CPU", "GPU", "NPU", "CPU_SPR")},
    "no transformer": {"model_type": "none"},
    **{f"overflow {fix}": {"overflow_fix": fix} for fix in ("enable", "disable", "first_layer_only")},
    "outputs": {"quantize_outputs": True},
    "slow bias": {"fast_bias_correction": False},
    "no bias": advanced(disable_bias_correction=True),
    "threshold": advanced(bias_correction_params={"threshold": 1e-4}),
    "threshold 0": advanced(bias_correction_params={"threshold": 0}),
    "all nodes": advanced(bias_correction_params={"apply_for_all_nodes": True}),
    "rule none": advanced(quantizer_propagation_rule="do_not_merge_branches"),
    "rule same": advanced(quantizer_propagation_rule="merge_if_all_branches_same"),
    "rule requantize": advanced(quantizer_propagation_rule="merge_with_potential_requantization"),
    "rule all": advanced(quantizer_propagation_rule="merge_all_in_one"),
    "smooth 0.5": advanced(smooth_quant_alphas={"matmul": 0.5}),
    "smooth 0": advanced(smooth_quant_alphas={"matmul": 0}),
    "smooth off": advanced(smooth_quant_alphas={"matmul": -1}),
    "smooth convolutions": advanced(smooth_quant_alphas={"convolution": 0.5}),
    "not in place": advanced(inplace_statistics=False),
    "batchwise": advanced(batchwise_statistics=True),
    "alignment": advanced(disable_channel_alignment=False),
    "floats": advanced(backend_params={"compress_weights": False}),
    "unknown backend": advanced(backend_params={"stat_requests_number": 4}),
    "clip": advanced(activations_range_estimator_params=bound(clipping_value=0.1)),
    "outliers in vain": advanced(activations_range_estimator_params=bound(quantile_outlier_prob=0.1)),
    "upper quantile": advanced(
        activations_range_estimator_params={"max": {"statistics_type": "quantile", "quantile_outlier_prob": 0.2}}
    ),
    "too many outliers": advanced(
        activations_range_estimator_params=bound(statistics_type="quantile", quantile_outlier_prob=1.5)
    ),
    "lower quantile of weights": advanced(weights_range_estimator_params={"min": {"statistics_type": "quantile"}}),
    "upper quantile of weights": advanced(
        weights_range_estimator_params={"max": {"statistics_type": "quantile", "quantile_outlier_prob": 0.2}}
    ),
    "mean of weights": advanced(weights_range_estimator_params={"max": {"aggregator_type": "mean"}}),
    **{f"{s} {name}": advanced(**{f"{s}_range_estimator_params": name}) for s in SIDES for name in RANGES},
    **{
        f"{side} {name} {value}": advanced(**{f"{side}_quantization_params": {name: value}})
        for side in SIDES
        for name, values in {
            "num_bits": (2, 4, 8, 16),
            "mode": ("symmetric", "asymmetric"),
            "signedness_to_force": (True, False),
            "per_channel": (True, False),
            "narrow_range": (True, False),
            "destination_type": ("f8e4m3", "f8e5m2"),
        }.items()
        for value in values
    },
}
"""Each by itself, for a transformer."""
NESTED = {
    f"{statistics} {aggregator}": advanced(
        activations_range_estimator_params=bound(statistics_type=statistics, aggregator_type=aggregator)
    )
    for statistics, aggregator in itertools.product(STATISTICS, AGGREGATORS)
    if aggregator == "mean" or statistics in ("quantile", "raw")
}
ELSEWHERE = {
    "other": ("performance", "mixed", "GPU", "NPU", "CPU_SPR", "overflow", "slow", "rule", "smooth", "activations per"),
    "fp8": (
        *("performance", "mixed", "CPU", "GPU", "NPU", "overflow", "outputs", "slow", "no bias", "floats", "rule none"),
        *("activations histogram", "activations destination", "activations num_bits 8", "activations mode sym"),
        *(
            "weights m",
            "weights h",
            "weights num_bits 8",
            "weights destination",
            "weights per_channel",
            "lower quantile",
        ),
    ),
}
"""Which options, by how they begin, are also tried with another base."""
PAIRED = (
    *("fp8_e4m3", "mixed", "NPU", "CPU_SPR", "no transformer", "overflow enable", "overflow disable", "slow bias"),
    *("no bias", "rule none", "smooth 0.5", "floats", "upper quantile", "weights histogram"),
    *("lower quantile of weights", "activations num_bits 16", "activations mode symmetric", "weights num_bits 16"),
    *("weights mode asymmetric", "weights per_channel False", "weights destination_type f8e5m2"),
)
"""Options that are tried two at a time: one of each kind, and those that are refused alone and not in company."""

STATED = {
    **dict.fromkeys(("overflow first_layer_only", "rule all", "weights minmax"), "states NNCF's default"),
    **dict.fromkeys(("activations mean_minmax", "mixed", "performance"), "the default of some models"),
    **dict.fromkeys(("weights num_bits 8", "weights mode symmetric", "weights per_channel True"), "the default"),
    **dict.fromkeys(("activations num_bits 8", "CPU"), "the default"),
    **dict.fromkeys(("activations mode symmetric", "activations mode asymmetric"), "the default of some models"),
    **dict.fromkeys(("overflow disable", "activations destination_type f8e4m3"), "the default of 8-bit floats"),
    "weights destination_type f8e4m3": "the default of 8-bit floats",
    **dict.fromkeys(("GPU", "NPU", "CPU_SPR"), "says where the model will run; in 8 bits NNCF has few differences"),
    "not in place": "another way to the same result",
    "rule requantize": "differs from the default where devices have several settings for an operation",
    "rule same": "this model has no such branches once it is told that it is a transformer",
    **dict.fromkeys(("smooth off", "no transformer"), "what holds for other models anyway"),
    "activations per_channel False": "differs where depthwise convolutions have scales of their own",
}
"""Accepted though NNCF's result is, on some model, the one without it: option -> reason."""
SAID_OTHERWISE = {
    "raw histogram": "is said by the name histogram",
    "weights mean_no_outliers_minmax": "is minmax: of one sample nothing can be left out; fp8 rounds otherwise",
}
"""Refused though it works: option -> reason."""
BASES = {"transformer": {"model_type": "transformer"}, "other": {"model_type": "none"}}
BASES["fp8"] = {**BASES["transformer"], "mode": "fp8_e4m3"}


def merged(*parts: Settings) -> Settings:
    """Several settings as one; later ones win."""
    whole: Settings = {}
    for part in parts:
        whole = {**whole, **part, "advanced": {**whole.get("advanced", {}), **part.get("advanced", {})}}
    return {key: value for key, value in whole.items() if value != {}}


def cases() -> Iterator[tuple[tuple[str, ...], Settings]]:
    """All settings by the names of a base and of up to two options."""
    for base, start in BASES.items():
        yield (base,), start
        for name, option in OPTIONS.items():
            chosen = base not in ELSEWHERE or name.startswith(ELSEWHERE[base])
            if chosen and merged(start, option) != start:
                yield (base, name), merged(start, option)
    for name, option in NESTED.items():
        yield ("transformer", name), merged(BASES["transformer"], option)
    for one, other in itertools.combinations(PAIRED, 2):
        if not _same_kind(OPTIONS[one], OPTIONS[other]):
            yield ("transformer", one, other), merged(BASES["transformer"], OPTIONS[one], OPTIONS[other])


def _same_kind(one: Settings, other: Settings) -> bool:
    """Whether two options state the same key, so that one would replace the other."""
    first, second = one.get("advanced", one), other.get("advanced", other)
    return not first.keys().isdisjoint(second)


def ask_nncf() -> None:
    """Answer for each setting what NNCF says, or a digest of the model that it makes."""
    import numpy as np

    from runner.nncf import process as nncf_process

    nncf = nncf_process.import_nncf()
    nncf.set_log_level(logging.ERROR)
    from nncf.common.graph.patterns.manager import PatternsManager

    # Patterns follow from device and kind of model alone; making them anew for each setting takes most of the time.
    PatternsManager.get_full_hw_pattern_graph = staticmethod(cache(PatternsManager.get_full_hw_pattern_graph))
    PatternsManager.get_full_ignored_pattern_graph = staticmethod(cache(PatternsManager.get_full_ignored_pattern_graph))
    remember_matches()
    model, rng = tiny_network(), np.random.default_rng(1)
    samples = [(1 + i) * rng.standard_normal((1, 3, 4, 4)).astype(np.float32) + 0.5 for i in range(3)]
    dataset = nncf.Dataset([{"image": sample} for sample in samples])
    with contextlib.redirect_stdout(sys.stderr):
        answers = [_verdict(nncf, model.clone(), settings, dataset) for settings in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


def remember_matches() -> None:
    """Find the places of patterns in a graph once: all settings are tried on one model, whose graphs are the same."""
    from nncf.common import insertion_point_graph
    from nncf.common.graph import graph, graph_matching

    known: dict[Any, Any] = {}
    find = graph_matching.find_subgraphs_matching_pattern

    def found(where: Any, pattern: Any, strict: bool = True) -> Any:
        nodes = tuple((name, str(data.get("type")), str(data.get("metatype"))) for name, data in where.nodes(data=True))
        key = (nodes, tuple(where.edges), id(pattern), strict)
        if key not in known:
            known[key] = (find(where, pattern, strict), pattern)  # a pattern that is kept has an id of its own
        return copy.deepcopy(known[key][0])

    graph.find_subgraphs_matching_pattern = insertion_point_graph.find_subgraphs_matching_pattern = found


def _verdict(nncf: Any, model: Any, settings: Settings, dataset: Any) -> dict[str, str]:
    from runner.errors import RecipeError
    from runner.nncf import quantization as nncf_quantization
    from runner.stages import quantize

    given = {name: value for name, value in settings.items() if name != "target_device"}
    step, device = Quantization(**{"dataset": "images", **given}), settings.get("target_device", "ANY")
    model_type = "transformer" if settings["model_type"] == "transformer" else None
    answer = {}
    try:
        quantize._refuse_in_vain(model, step, model_type)
    except RecipeError as error:
        answer["stage"] = str(error)
    try:
        done = nncf.quantize(model, dataset, **nncf_quantization.arguments(nncf, step, device, model_type))
    except Exception as error:
        return {**answer, "error": f"{type(error).__name__}: {str(error)[:200]}"}
    digest = hashlib.sha256()
    for node in done.get_ordered_ops():
        digest.update(node.get_type_name().encode())
        if node.get_type_name() == "Constant":
            digest.update(node.get_element_type().get_type_name().encode() + node.data.tobytes())
    return {**answer, "digest": digest.hexdigest()}


def refusals(settings: Settings) -> list[str]:
    """What schemas and rules say against settings."""
    step = {key: value for key, value in settings.items() if key != "target_device"}
    config = {
        "model": {"source": "embedded", "id": "digits-cnn"},
        "datasets": {"images": {"source": "embedded", "id": "digits-calibration", "inputs": "images"}},
        "compression": {"algorithm": "quantization", "dataset": "images", **step},
        "target_device": settings.get("target_device", "ANY"),
    }
    origins = {(): Origin("recipe", "recipe", HERE.parent, (0, 0, 0))}
    return [str(found.problem) for found in load.judge(config, origins, Path("recipe.yaml"))]


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, ...], dict[str, Any]]:
    """Case -> what NNCF makes of it; asked in two processes, each without torch."""
    named = dict(cases())
    texts = list(dict.fromkeys(json.dumps(settings, sort_keys=True) for settings in named.values()))
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NNCF_CI": "1"}
    env["PYTHONPATH"] = str(HERE.parents[2])
    known: dict[str, Any] = {}
    halves = [texts[0::2], texts[1::2]]
    processes = [
        subprocess.Popen([sys.executable, str(HERE)], stdin=-1, stdout=-1, stderr=-1, text=True, env=env)
        for _ in halves
    ]
    for half, process in zip(halves, processes, strict=True):
        assert process.stdin
        process.stdin.write(f"[{','.join(half)}]")
        process.stdin.close()
        process.stdin = None
    for half, process in zip(halves, processes, strict=True):
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err[-2000:]
        known |= dict(zip(half, json.loads(out.splitlines()[-1]), strict=True))
    return {case: known[json.dumps(settings, sort_keys=True)] for case, settings in named.items()}


def test_every_value_that_the_schemas_list_is_tried() -> None:
    tried = {found for _, settings in cases() for found in stated(settings)}
    listed = {found for name in SCHEMAS for found in choices(load_schema(name))}
    listed |= set(choices(load_schema("recipe.schema.json")["properties"]["target_device"], "target_device"))
    left = {("target_device", "ANY"), ("hybrid", "int8_sym"), ("hybrid", "int8_asym")}
    assert len(listed) > 30 and listed - tried == left, "ANY is where none is stated, and hybrid no setting of NNCF"


SCHEMAS = ("quantization.schema.json", "quantization_advanced.schema.json")


def choices(schema: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Key -> value, of each value that a schema lists for a key of settings."""
    if isinstance(schema, list):
        for one in schema:
            yield from choices(one, key)
    elif isinstance(schema, dict):
        yield from ((_of_either(key), value) for value in schema.get("enum", ()))
        for name, inner in schema.items():
            if name in ("properties", "$defs"):
                for own, one in inner.items():
                    yield from choices(one, own)
            elif name != "if":
                yield from choices(inner, key)


def stated(settings: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Key -> value, of each value in settings."""
    if isinstance(settings, dict):
        for name, value in settings.items():
            yield from stated(value, name)
    elif isinstance(settings, list):
        for value in settings:
            yield from stated(value, key)
    else:
        yield _of_either(key), settings


def _of_either(key: str) -> str:
    """A key by what is the same for weights and for activations."""
    return key.removeprefix("activations_").removeprefix("weights_")


@pytest.mark.newest
def test_our_verdict_is_that_of_nncf(answers: dict[tuple[str, ...], dict[str, Any]]) -> None:
    wrong = []
    for case, settings in cases():
        answer = answers[case]
        refused = refusals(settings) or answer.get("stage")
        shorter = [answers[case[:1] + tuple(o for o in case[1:] if o != left)] for left in case[1:]]
        effect = "digest" in answer and all(answer["digest"] != one.get("digest") for one in shorter)
        told = " | ".join(case)
        if "error" in answer and not refused:
            wrong.append(f"{told}: accepted, NNCF: {answer['error']}")
        elif effect and refused and SAID_OTHERWISE.keys().isdisjoint(case):
            wrong.append(f"{told}: works, refused: {refused}")
        elif "digest" in answer and not effect and not refused:
            if STATED.keys().isdisjoint(case[1:]):
                wrong.append(f"{told}: accepted, but NNCF ignores something")
    assert wrong == []
    assert set().union(*(case for case, _ in cases())) >= STATED.keys() | SAID_OTHERWISE.keys()


if __name__ == "__main__":
    ask_nncf()
