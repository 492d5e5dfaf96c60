"""How workers share a machine, and what stages are expected to need."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from runner.engine.estimate import Costs
from runner.engine.shares import available_cores, core_shares, memory_shares, reservations
from runner.engine.sizes import Sizes
from runner.errors import StageError
from runner.recipe.types import Dataset
from runner.run.preflight import Preflight
from runner.store import Entry, Store
from tests import cheap


@pytest.mark.parametrize(
    ("total", "workers", "needs", "shares"),
    [
        (24, 2, [1, 1], [12, 12]),  # all fit: equal shares
        (24, 2, [16, 1], [16, 8]),  # the largest sets the first share
        (24, 2, [16, 14], [16, 8]),  # two large ones do not fit together
        (24, 4, [10, 10, 10, 1], [10, 10, 2, 2]),  # two of three fit together
        (64, 2, [80, 2], [64, 0]),  # more than there is: alone
        (10, 2, [], [5, 5]),
    ],
)
def test_memory_shares(total: int, workers: int, needs: list[int], shares: list[int]) -> None:
    assert memory_shares(total, workers, needs) == shares
    assert sum(shares) <= total


def test_only_what_does_not_fit_everywhere_is_reserved() -> None:
    assert reservations({"large": 16, "small": 3, "huge": 80}, [20, 8]) == {"large": 16, "huge": 20}


def test_every_worker_has_cores_and_none_are_left() -> None:
    cores = available_cores()
    assert core_shares(1) == [cores]
    assert sorted(core for share in core_shares(len(cores)) for core in share) == cores
    assert [len(share) for share in core_shares(3 * len(cores))] == [1] * 3 * len(cores)


def test_a_stage_is_expected_to_need_what_its_like_took(tmp_path: Path) -> None:
    store = Store(tmp_path / ".store")
    source = cheap.stage(0, name="source")
    ran, alike = (cheap.stage(n, source, name="compress", mode="int4", ratio=n / 10) for n in (6, 8))
    other = cheap.stage(6, source, name="compress", mode="int8", ratio=0.6)
    costs = Costs(store)
    costs.note(source, Entry(source.key, tmp_path, {"seconds": 1.0, "peak_memory": 50 << 20}))
    costs.note(ran, Entry(ran.key, tmp_path, {"seconds": 7.0, "peak_memory": 1000 << 20}))
    costs.save()
    found = {stage.key: estimate for stage, estimate in Costs(store).estimate([source, alike, other])}
    assert found[alike.key].known and found[alike.key].seconds == 7.0
    assert 1000 << 20 < found[alike.key].memory < 1200 << 20
    assert not found[other.key].known


def test_a_stage_without_its_like_is_judged_by_its_models_size(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    with weights.open("wb") as stream:
        stream.truncate(1 << 30)
    source = dataclasses.replace(cheap.stage(0, name="convert"), files={"source": weights})
    compressed = cheap.stage(1, source, name="compress")
    needs = [estimate.memory for _, estimate in Costs(Store(tmp_path / ".store")).estimate([source, compressed])]
    assert needs[0] > 1 << 30 and needs[1] > 1 << 30


def test_what_is_recorded_is_told_by_its_like_or_by_its_count(tmp_path: Path) -> None:
    store = Store(tmp_path / ".store")
    source = cheap.stage(0, name="source")
    ran, alike = (cheap.stage(n, source, name="record", part="unet", subset_size=n) for n in (10, 300))
    disk = {stage.key: one.disk for stage, one in Costs(store).estimate([source, alike])}
    assert disk[alike.key] == 300_000_000
    costs = Costs(store)
    record = {"seconds": 1.0, "peak_memory": 1 << 20, "result": {"items": 8}, "files": {"0.npy": {"size": 40_000}}}
    costs.note(source, Entry(source.key, tmp_path, {"seconds": 1.0, "peak_memory": 1 << 20}))
    costs.note(ran, Entry(ran.key, tmp_path, record))
    costs.save()
    disk = {stage.key: one.disk for stage, one in Costs(store).estimate([source, alike])}
    assert disk[alike.key] == 300 * 5000


def test_what_an_encoder_and_its_decoder_share_is_in_both_once_they_are_converted(tmp_path: Path) -> None:
    names = ("shared.weight", "encoder.block.0.weight", "decoder.block.0.weight")
    save_file({name: np.zeros((100, 10), np.float32) for name in names}, tmp_path / "model.safetensors")
    stage = dataclasses.replace(cheap.stage(0, name="convert", precision="fp32"), files={"source": tmp_path})
    ((_, found),) = Costs(Store(tmp_path / ".store")).estimate([stage])
    assert found.disk == 4 * 4000
    save_file({names[0]: np.zeros((100, 10), np.float32)}, tmp_path / "model.safetensors")  # an encoder by itself
    ((_, found),) = Costs(Store(tmp_path / ".store")).estimate([stage])
    assert found.disk == 4 * 1000


def test_a_comparison_and_the_class_that_loads_a_model_are_expected_too(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    with weights.open("wb") as stream:
        stream.truncate(200_000_000)
    more = {"exporter": "transformers", "task": "text-generation-with-past"}
    costs = Costs(Store(tmp_path / ".store"))

    def memory(name: str, **params: object) -> int:
        stage = dataclasses.replace(cheap.stage(0, name=name, **params), files={"source": weights})
        ((_, found),) = costs.estimate([stage])
        return found.memory

    checked, unchecked = memory("convert", **more, check="small"), memory("convert", **more)
    assert checked - unchecked > 100_000_000
    assert memory("convert", **more | {"task": "text2text-generation"}, check="small") > checked
    assert memory("verify", family="text2text-generation") > memory("verify", family="fill-mask") + 300_000_000


def test_what_stages_write_follows_from_the_weights_and_their_types(tmp_path: Path) -> None:
    shapes = {"model.embed_tokens.weight": (1000, 64), "layer.weight": (512, 512), "layer.bias": (512,)}
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(at))  # the same weights once more: nobody loads them
    source = cheap.stage(0, name="convert", precision="fp16")
    source = dataclasses.replace(source, files={"source": tmp_path})
    weights = 1000 * 64 + 512 * 512 + 512
    step = {"mode": "int4_sym", "ratio": 0.5, "group_size": 64}
    mixed = cheap.stage(1, source, name="compress", step=step)
    whole = cheap.stage(2, source, name="compress", step={"mode": "int8_asym"})
    used = cheap.stage(3, mixed, name="verify")
    sizes = Sizes(Store(tmp_path / ".store"))
    for stage in (source, mixed, whole, used):
        sizes.take(stage)
    assert sizes.weights[used.key].largest == 512 * 512
    rest = weights - 64_000
    half = 64_000 + rest * (0.5 * (4 + 16 / 64) / 8 + 0.5)
    assert [sizes.writes[stage.key] for stage in (source, mixed, whole, used)] == [2 * weights, int(half), weights, 0]
    assert sizes.reads[source.key] > at and sizes.reads[used.key] == int(half)


@pytest.mark.parametrize("architecture", ["GPT2LMHeadModel", "LlamaForCausalLM", "BertModel"])
def test_a_stored_reference_is_expected_by_vocabulary_and_text(tmp_path: Path, architecture: str) -> None:
    """What is expected of the bytes a token is held against a real code of random distributions."""
    import numpy as np

    from runner.metrics.coded import dither, encode

    config = {"architectures": [architecture], "vocab_size": 50_257}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "text.jsonl").write_text('{"text": "' + "ä" * 450 + '"}\n' * 3)
    data = Dataset("text", "file", tmp_path / "text.jsonl", "jsonl", columns={"text": "text"}, limit=1)
    source = dataclasses.replace(cheap.stage(0, name="convert"), files={"source": tmp_path})
    model = cheap.stage(1, source, name="compress")
    sizes = Sizes(Store(tmp_path / ".store"))
    found = {}
    for number, family in enumerate(("divergence", "output_error"), 2):
        stage = cheap.stage(number, source, name="reference", family=family)
        stage = dataclasses.replace(stage, datasets={"data": data})
        for one in (source, model, stage):
            sizes.take(one)
        found[family] = sizes.writes[stage.key]
    logits = np.random.default_rng(0).normal(0, 3, (4, 50_257)).astype(np.float32)
    coded = encode(logits - np.log(np.exp(logits).sum(-1, keepdims=True)), dither())
    a_token = (coded.planes.nbytes + coded.heads.nbytes) / 4
    if architecture == "BertModel":
        assert found == {"divergence": 0, "output_error": 0}
    else:
        assert found["divergence"] / 200 == pytest.approx(a_token, rel=0.02)
        assert found["output_error"] == 200 * 4 * 50_257


def test_a_reference_that_no_disk_holds_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"], "vocab_size": 50257}')
    with (tmp_path / "text.txt").open("wb") as stream:
        stream.truncate(1 << 40)
    data = Dataset("text", "file", tmp_path / "text.txt", "txt")
    source = dataclasses.replace(cheap.stage(0, name="convert"), files={"source": tmp_path / "config.json"})
    reference = cheap.stage(1, source, name="reference", family="divergence")
    reference = dataclasses.replace(reference, datasets={"data": data})
    with pytest.raises(StageError, match=r"needs about 9\d{6}\.\d+ GB of disk"):
        list(Preflight(cheap.store_in(tmp_path)).look([source, reference]))


def test_a_model_that_was_fetched_is_as_large_as_its_files(tmp_path: Path) -> None:
    store, fetch = cheap.store_in(tmp_path), cheap.stage(0, name="fetch")
    costs = Costs(store)
    assert [estimate.disk for _, estimate in costs.estimate([fetch, cheap.stage(1, fetch, name="convert")])] == [0, 0]
    folder = store.begin(fetch.key)
    (folder / "files" / "model.safetensors").write_bytes(bytes(1000))
    store.publish(fetch.key, folder, cheap.record("fetch"))
    convert = cheap.stage(1, fetch, name="convert", precision="fp32")
    assert [estimate.disk for _, estimate in costs.estimate([convert])] == [2000]


def test_what_cannot_fit_is_refused_and_what_may_not_is_told(tmp_path: Path) -> None:
    weights = tmp_path / "model.onnx"
    with weights.open("wb") as stream:
        stream.truncate(1 << 43)
    large = dataclasses.replace(cheap.stage(0, name="convert", precision="fp32"), files={"source": weights})
    store = cheap.store_in(tmp_path)
    with pytest.raises(StageError, match=r"needs about 8796\.\d+ GB of disk, and .* are free"):
        list(Preflight(store).look([large]))
    (told,) = Preflight(store).look([cheap.stage(1), dataclasses.replace(large, name="evaluate", label="evaluate it")])
    assert told.startswith("evaluate it takes about 30786.5") and told.endswith(" are available")
    assert not list(Preflight(store).look([cheap.stage(1)]))
