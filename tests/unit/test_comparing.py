"""The check of a conversion: how far outputs are from the original's, what feeds both, and what a miss is told."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from runner.artifact.conversion import line, misses
from runner.export.comparing import Compared, counterparts, relative_l2
from runner.export.damage import reason_of
from runner.export.given import Given, is_there, read, too_large, trials
from runner.model.feed import Feed, Port
from runner.model.varied import varied
from runner.recipe.conversion import SMALL_BYTES
from runner.registry.originals import FILE_RUNNERS
from tests.conftest import Ovrun

TEXT = tuple(Port(name, (None, None), np.dtype("int64")) for name in ("input_ids", "attention_mask"))
IMAGE = Port("pixel_values", (None, 3, None, None), np.dtype("float32"))


def test_the_distance_is_relative_to_the_original() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3, 50_000)).astype(np.float32)
    assert relative_l2(a, b) == pytest.approx(float(np.linalg.norm(a - b) / np.linalg.norm(a)), rel=1e-5)
    assert relative_l2(a, a) == 0
    a[0, 0] = -math.inf
    assert relative_l2(a, a) == 0 and relative_l2(a, b) == math.inf
    assert relative_l2(np.zeros(3), np.zeros(3)) == 0 and relative_l2(np.zeros(3), np.ones(3)) == math.inf


def shapes(feeds: list[Feed]) -> list[list[tuple[int, ...]]]:
    return [[array.shape for array in feed.values()] for feed in feeds]


def test_open_sizes_vary_and_fixed_ones_do_not(tmp_path: Path) -> None:
    assert shapes(varied(tmp_path, TEXT)) == [[(1, 6)] * 2, [(2, 3)] * 2]
    fixed = [Port("input_ids", (1, 32), np.dtype("int64"))]
    assert shapes(varied(tmp_path, fixed)) == [[(1, 32)]]
    (tmp_path / "config.json").write_text('{"vocab_size": 5, "max_position_embeddings": 2, "image_size": 48}')
    assert shapes(varied(tmp_path, TEXT))[1] == [(2, 2)] * 2
    assert shapes(varied(tmp_path, [IMAGE])) == [[(1, 3, 48, 48)], [(1, 3, 80, 80)]]
    both = shapes(varied(tmp_path, [*TEXT, IMAGE]))
    assert [feed[2] for feed in both] == [(1, 3, 48, 48), (1, 3, 80, 80), (1, 3, 48, 48)]
    (first, _) = varied(tmp_path, TEXT)
    assert first["input_ids"].max() < 5 and (first["attention_mask"] == 1).all()


def test_a_text_ends_with_the_token_for_that_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"vocab_size": 4, "eos_token_id": 2}')
    for feed in varied(tmp_path, TEXT):
        assert (feed["input_ids"][:, -1] == 2).all() and (feed["input_ids"][:, :-1] != 2).all()
    (tmp_path / "config.json").write_text('{"vocab_size": 4, "eos_token_id": 50256}')
    assert max(feed["input_ids"].max() for feed in varied(tmp_path, TEXT)) < 4


def test_a_cache_begins_empty(tmp_path: Path) -> None:
    past = Port("past_key_values.0.key", (None, 4, None, 16), np.dtype("float32"))
    beam = Port("beam_idx", (None,), np.dtype("int32"))
    feeds = varied(tmp_path, [*TEXT, past, beam])
    assert [feed[past.name].shape for feed in feeds] == [(1, 4, 0, 16), (2, 4, 0, 16)]
    assert [feed["beam_idx"].tolist() for feed in feeds] == [[0], [0, 1]]


def test_of_several_sizes_the_original_says_which_it_takes() -> None:
    def run(feed: Feed) -> Feed:
        if feed["x"].size in (2, 5):
            msg = "no such size"
            raise ValueError(msg)
        return {"y": feed["x"]}

    found = Given("it")
    taken = trials(run, [{"x": np.ones(size)} for size in (1, 2, 3, 4)], found)
    assert [feed["x"].size for feed, _ in taken] == [1, 3] and not found.unchecked
    assert list(trials(run, [{"x": np.ones(5)}], found)) == []
    assert found.unchecked == ["the model, for its original does not take x [5]: no such size"]


def test_what_an_original_gave_is_kept_for_another_process(tmp_path: Path) -> None:
    given = Given("it", ["a part"], by_place=True)
    x = np.arange(6.0).reshape(2, 3)
    halves = [{"x/1:0": x[:, :2]}, {"x/1:0": x[:, 2:]}]
    given.ask(lambda feed: {"y": feed["x"] + 1, "words": np.array(["a"])}, [{"x": x}], "encoder", lambda _: halves)
    given.write(tmp_path / "out")
    assert is_there(tmp_path / "out")
    kept = read(tmp_path / "out")
    assert (kept.original, kept.unchecked, kept.by_place, kept.draws_nothing) == ("it", ["a part"], True, False)
    (trial,) = kept.trials
    assert (trial.part, trial.fed, list(trial.wanted)) == ("encoder", "x [2, 3]", ["y"])
    assert [one["x/1:0"].tolist() for one in trial.feeds] == [[[0, 1], [3, 4]], [[2], [5]]]
    assert np.array_equal(trial.wanted["y"], x + 1) and not list(tmp_path.iterdir())


def outputs(**sizes: int) -> dict[str, np.ndarray]:
    return {name: np.ones(size) for name, size in sizes.items()}


def test_outputs_are_those_of_the_same_name_and_the_others_by_their_place() -> None:
    known = {"a": {"a", "z"}, "b": {"b"}, "output 2": set[str]()}
    got = {"a": np.ones(2), "b": np.ones(3), "output 2": np.ones(4)}
    assert counterparts(outputs(z=2, b=3, c=4), got, known) == {"a": "z", "b": "b", "output 2": "c"}
    assert counterparts(outputs(x=2, y=3, c=4), got, known) == {"a": "x", "b": "y", "output 2": "c"}
    assert counterparts(outputs(x=3, y=2, c=4), got, known) == {}  # another order, or another model
    assert counterparts(outputs(b=3, x=2), got, known) == {"b": "b"}


@pytest.mark.parametrize(("source", "extra"), [("onnx", "onnxruntime"), ("tflite", "litert")])
def test_a_check_that_is_asked_for_needs_what_runs_the_file(
    source: str, extra: str, ovrun: Ovrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"net.{source}").touch()
    (tmp_path / "mine.yaml").write_text(
        f"model: {{source: {source}, path: net.{source}}}\nconversion: {{check: true}}\n"
    )
    runner = FILE_RUNNERS[source]
    monkeypatch.setitem(sys.modules, runner.module, None)  # as if it were not installed
    told = ovrun("validate", "mine.yaml", code=2).stderr
    assert f"conversion.check: {runner.name}, which runs the original, is not installed" in told
    assert f"pip install 'ovrun[{extra}]', or remove it" in told


def test_a_miss_names_output_distance_and_tolerance() -> None:
    found = Compared("PyTorch 9")
    wanted = {"logits": np.ones((2, 4)), "other": np.ones(3)}
    found.note("x [1]", wanted, {"logits": np.full((2, 4), 1.1), "more": np.ones(1)})
    found.tell_rest(["logits", "present.0.key", "present.1.key"])
    result = {"conversion": vars(found)}
    assert misses(result, 0.2) == []
    assert misses(result, 0.05) == ["its output logits has a relative L2 distance of 0.1, above 0.05"]
    told = line(result, 0.2)
    assert told and "is at most 0.1 (allowed: 0.2). Not compared: the output present.*" in told
    found.note("x [2]", wanted, {"logits": np.ones((1, 4))})
    assert misses(result, 0.2) == ["its output logits has the shape [1, 4] for x [2], and the original's [2, 4]"]
    found.note("x [3]", wanted, "no such size", "encoder")
    assert misses(result, 0.2)[1] == "its part encoder fails on x [3], which the original takes: no such size"
    assert misses({"steps": {}}, 0.2) == [] and line({"steps": {}}, 0.2) is None


def test_large_models_are_compared_where_the_recipe_says_so(tmp_path: Path) -> None:
    with (tmp_path / "openvino_model.bin").open("wb") as stream:
        stream.truncate(SMALL_BYTES // 2 + 1)
    assert "1.00 GB" in str(too_large(tmp_path, "fp16", "small")) and too_large(tmp_path, "fp16", "any") is None
    assert too_large(tmp_path, "fp32", "small") is None
    with (tmp_path / "openvino_model.bin").open("wb") as stream:
        stream.truncate(1 << 42)
    assert "that are free" in str(too_large(tmp_path, "fp32", "any"))


def test_of_a_trace_that_fails_what_the_code_met_is_told() -> None:
    told = "Couldn't get TorchScript module by tracing.\nException:\nSizes must match.\nPlease check. You can also.\n"
    assert reason_of(RuntimeError(told)) == "Sizes must match."
    assert reason_of(RuntimeError("Check 'x' failed at src/core.cpp:1:\nno such layer\n")) == "no such layer"
    assert reason_of(ValueError()) == "ValueError"
