"""How far a published model is from the original in PyTorch, on random inputs.

`python -m tests.agreement MODEL VERSION`

Both are used as their users do: the one by its class of transformers, the other by that of Optimum Intel, or by
OpenVINO where there is none. Printed is JSON: output -> ||a - b|| / ||a||, a being PyTorch's.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from runner.artifact import openvino_config
from runner.artifact.published import Version
from runner.base.python import without_telemetry
from runner.export.comparing import draw_nothing, relative_l2
from runner.export.voice import keep_all_of
from runner.model.example import example
from runner.model.feed import ports
from runner.model.parts import Model
from runner.registry.tasks import family_of
from tests.agreement_images import about

_TOKENIZER = "openvino_tokenizer.xml"
_WORDS = "a few words, Über 12 others"
_SPECIAL = 3
"""Tokens that a text doesn't hold."""


def main(original: Path, published: Path) -> None:
    """Run both, and print how far they are apart."""
    found = spoken if "vocoder" in Model.of(published).parts else given
    print(json.dumps(dict(found(original, published))))
    refuse_other_tokens(original, published)


def given(original: Path, published: Path) -> Iterator[tuple[str, float]]:
    """What one inference gives."""
    import torch
    import transformers

    config = json.loads((original / "config.json").read_text())
    theirs = getattr(transformers, config["architectures"][0]).from_pretrained(original).eval()
    random = np.random.default_rng(0)
    sees = "vision_embeddings" in Model.of(published).parts
    feed = about(theirs, original, published, random) if sees else inputs(published, config, random)
    tensors = {name: torch.from_numpy(array) for name, array in feed.items()}
    with torch.no_grad():
        wanted = theirs(**tensors)
        found = used(loaded(published), feed, tensors)
    yield from distances(wanted, found)


def spoken(original: Path, published: Path) -> Iterator[tuple[str, float]]:
    """A sound of some steps; nothing is dropped at random, as it is in every other use."""
    import torch
    import transformers

    theirs = transformers.SpeechT5ForTextToSpeech.from_pretrained(original).eval()
    vocoder = transformers.SpeechT5HifiGan.from_pretrained(original / "vocoder").eval()
    ours = loaded(published)
    keep_all_of(theirs)
    draw_nothing(ours.decoder.model)
    ours.decoder.request = None  # to be compiled anew
    torch.manual_seed(0)
    text, speaker = torch.randint(_SPECIAL, theirs.config.vocab_size, (1, 8)), torch.randn(1, 512)
    to_the_end = {"threshold": 2.0, "maxlenratio": 1.0}
    wanted = theirs.generate_speech(text, speaker, vocoder=vocoder, **to_the_end)
    found = ours.generate(text, speaker_embeddings=speaker, **to_the_end)
    yield from distances({"waveform": wanted}, {"waveform": found[0]})


def inputs(published: Path, config: Mapping[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """Random tokens, pixels and samples; masks and the like as an example has them."""
    whole = Model.of(published)
    part = "encoder" if "encoder" in whole.parts else None
    feed = example(published, ports(whole.read(part)))
    vocabulary = config.get("text_config", config).get("vocab_size", 0)
    for name, array in feed.items():
        if name == "input_ids":
            feed[name] = random.integers(_SPECIAL, vocabulary, array.shape)
        elif array.dtype.kind == "f":
            feed[name] = random.standard_normal(array.shape, np.float32)
    if part == "encoder":
        feed["decoder_input_ids"] = random.integers(_SPECIAL, vocabulary, (1, 5))
    return feed


def refuse_other_tokens(original: Path, published: Path) -> None:
    """The tokenizer that comes as an OpenVINO model reads a text as the original's own class does."""
    import openvino_tokenizers  # noqa: F401 - OpenVINO knows its operations then
    from transformers import AutoTokenizer

    if (published / _TOKENIZER).is_file():
        read = ov.compile_model(published / _TOKENIZER, "CPU")([_WORDS])["input_ids"]
        wanted = AutoTokenizer.from_pretrained(original)(_WORDS).input_ids
        assert read.tolist() == [wanted], f"{read.tolist()}, and the original's {wanted}"


def loaded(published: Path) -> Any:
    """The model as its users load it, but for its arithmetic, which is f32 everywhere."""
    exact = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    kind = family_of(Version(published).manifest["model"]["task"]).users_load
    if not kind:
        return ov.compile_model(published / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    without_telemetry()
    model = getattr(importlib.import_module("optimum.intel"), kind).from_pretrained(published, ov_config=exact)
    if (published / openvino_config.FILE).is_file():
        refuse_other_configuration(published, model)
    return model


def refuse_other_configuration(published: Path, model: Any) -> None:
    """Optimum Intel reads what was done to each part, by its own names of them, and does nothing about it."""
    from optimum.intel import OVConfig

    told = OVConfig.from_pretrained(published).quantization_config
    named = getattr(told, "quantization_configs", {"model": told})
    assert named and named.keys() <= model.ov_models.keys(), f"{sorted(named)}, and Optimum's {sorted(model.ov_models)}"
    assert model._openvino_config is None


def used(model: Any, feed: Mapping[str, Any], tensors: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a model of Optimum Intel, or a compiled one, gives."""
    if hasattr(model, "config"):
        return dict(model(**tensors))
    return {output.get_any_name(): array for output, array in model(dict(feed)).items()}


def distances(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """For each output that both give."""
    for name, value in wanted.items():
        if name in found and hasattr(value, "numpy"):
            got = np.asarray(found[name])
            assert value.shape == got.shape, f"{name}: {value.shape} and {got.shape}"
            yield name, relative_l2(value.numpy(), got)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
