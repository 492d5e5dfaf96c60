"""What the original of a converted Hugging Face model gives: PyTorch in eager mode, with the stored weights."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.export import sighted, sighted_check
from runner.export.caches import presents
from runner.export.given import Given, Outputs, shapes, too_large
from runner.export.memory import give_back
from runner.export.model import Request, load_model
from runner.export.voice import ask_voice
from runner.model.feed import Feed, Port, ports
from runner.model.parts import WHOLE, Model
from runner.model.varied import PAST, TOKENS, varied
from runner.model.vocoder import FOLDER as VOCODER

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

    from runner.base.values import Array

_ENCODER, _DECODER, _AGAIN = "encoder", "decoder", "decoder_with_past"


class Original:
    """The PyTorch model as it is stored, in 32 bits."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        text = getattr(model.config, "text_config", model.config)
        self.vocabulary = int(getattr(text, "vocab_size", 100))

    def run(self, feed: Feed) -> Outputs:
        """The outputs that are arrays; a decoder gets no cache, and makes one where the converted one gives it."""
        takes = inspect.signature(self.model.forward).parameters
        said = {name: array for name, array in feed.items() if name != "beam_idx" and not name.startswith(PAST)}
        unknown = said.keys() - takes.keys()
        if unknown - {"position_ids"}:
            message = f"it has no input {', '.join(sorted(unknown))}"
            raise ValueError(message)
        caches = any(name.startswith(PAST) for name in feed)
        return self._given({name: said[name] for name in said.keys() - unknown}, takes, caches=caches)

    def _given(self, said: Feed, takes: Collection[str], *, caches: bool) -> Outputs:
        kept = {"use_cache": caches} if "use_cache" in takes else {}
        return _arrays(self.model(**_tensors(said), **kept, return_dict=True))

    def encode(self, feed: Feed) -> Outputs:
        """What the encoder gives."""
        return _arrays(self.model.get_encoder()(**_tensors(feed), return_dict=True))

    def decode(self, feed: Feed, *, caches: bool = False) -> Outputs:
        """What the decoder gives of all tokens at once, about what its encoder gave; its cache too, if asked for."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        tensors = _tensors(feed)
        mask = {"attention_mask": tensors["encoder_attention_mask"]} if "encoder_attention_mask" in tensors else {}
        heard = BaseModelOutput(last_hidden_state=torch.as_tensor(tensors["encoder_hidden_states"]))
        said = {"decoder_input_ids": tensors["input_ids"], "encoder_outputs": heard, **mask}
        return _arrays(self.model(**said, use_cache=caches, return_dict=True))


def _tensors(feed: Feed) -> dict[str, torch.Tensor]:
    import torch

    return {name: torch.from_numpy(array) for name, array in feed.items()}


def _arrays(output: Mapping[str, object]) -> Outputs:
    import torch

    plain = {name: value.float().numpy() for name, value in output.items() if isinstance(value, torch.Tensor)}
    return {**plain, **presents(output.get("past_key_values"))}


def given_by(request: Request, config: PretrainedConfig, check: str) -> Given:
    """Feed the original with texts of two lengths, images and sounds of two sizes.

    What can't be compared is told in `unchecked`.
    """
    import torch

    give_back()
    given = Given(f"PyTorch {torch.__version__} in eager mode, float32")
    whole = Model.of(request.out)
    if getattr(config, "quantization_config", None) is not None:
        given.unchecked.append("the model, for its weights are quantized already")
    elif not _is_known(config, whole):
        given.unchecked.append(f"the parts {', '.join(whole.parts)}, which no module of the original is known for")
    elif large := too_large(request.out, request.precision, check):
        given.unchecked.append(large)
    else:
        with torch.inference_mode():
            _ask(request, config, whole, given)
    return given


def _is_known(config: PretrainedConfig, whole: Model) -> bool:
    """Whether it is known what of the original each part was made of."""
    parts = set(whole.parts)
    return parts == {WHOLE} or {_ENCODER, _DECODER} <= parts or config.model_type in sighted.HAD


def _ask(request: Request, config: PretrainedConfig, whole: Model, given: Given) -> None:
    """Models of one part, of two, and of those by which images and texts are read."""
    try:
        original = Original(load_model(replace(request, precision="fp32"), config))
    except SourceError as error:
        given.unchecked.append(f"the model, for its original can't be loaded by itself: {error.message}")
        return
    if WHOLE in whole.parts:
        given.ask(original.run, varied(whole.folder, ports(whole.read())), steps=_steps)
    elif VOCODER in whole.parts:
        ask_voice(request, original.model, whole, given)
    elif _ENCODER in whole.parts:
        _ask_halves(original, whole, given)
    else:
        for part, fed, wanted in sighted_check.listened(original.model, whole, given):
            given.add(part, _steps(fed), wanted, shapes(fed))


def _ask_halves(original: Original, whole: Model, given: Given) -> None:
    """The encoder by itself; the decoder with what the original's encoder gives, and with its cache."""
    import numpy as np

    inputs = {part: ports(whole.read(part)) for part in (_ENCODER, _DECODER, _AGAIN) if part in whole.parts}
    told = given.ask(original.encode, varied(whole.folder, inputs[_ENCODER]), _ENCODER)
    for (feed, heard), tokens in zip(told, TOKENS, strict=False):
        ids = np.random.default_rng(1).integers(0, original.vocabulary, (len(next(iter(heard.values()))), tokens))
        fed = _decoder_feed(inputs[_DECODER], feed, next(iter(heard.values())), ids)
        given.add(_DECODER, _steps(fed), original.decode(fed, caches=_AGAIN in inputs), shapes(fed))
        if _AGAIN in inputs:
            last, wanted = _again(original, inputs[_AGAIN], fed)
            given.add(_AGAIN, [last], wanted)
    if told:
        given.unchecked += [f"the part {part}" for part in sorted(whole.parts.keys() - inputs.keys())]


def _again(original: Original, inputs: Iterable[Port], fed: Feed) -> tuple[Feed, Outputs]:
    """What a decoder that takes its cache is fed with the last token, and what the original's gives of that."""
    before = original.decode({**fed, "input_ids": fed["input_ids"][:, :-1]}, caches=True)
    wanted = original.decode(fed, caches=True)
    last = {name: array[:, -1:] if name == "logits" else array for name, array in wanted.items()}
    past = {name.replace("present", PAST, 1): array for name, array in before.items() if name.startswith("present.")}
    whole = {**fed, **past, "input_ids": fed["input_ids"][:, -1:]}
    if "cache_position" in fed:
        whole["cache_position"] = fed["cache_position"][-1:]
    return {port.name: whole[port.name] for port in inputs}, last


def _decoder_feed(inputs: Iterable[Port], feed: Feed, heard: Array, ids: Array) -> Feed:
    """What a decoder takes of tokens about what its encoder gave; `heard` is [batch, time, channels]."""
    import numpy as np

    count, tokens = ids.shape
    values: Feed = {
        "input_ids": ids,
        "encoder_hidden_states": heard,
        "encoder_attention_mask": feed.get("attention_mask", np.ones(heard.shape[:2], np.int64)),
        "decoder_attention_mask": np.ones_like(ids),
        "beam_idx": np.arange(count, dtype=np.int32),
        "cache_position": np.arange(tokens),
    }
    return {port.name: values[port.name] for port in inputs}


def _steps(feed: Feed) -> list[Feed]:
    """A decoder that keeps its cache gets all tokens but the last, then that; another model its inputs as they are.

    The last of a text alone are two: for a single row OpenVINO's CPU plug-in packs all weights anew.
    """
    ids = feed.get("input_ids", feed.get("inputs_embeds"))
    if "beam_idx" not in feed or ids is None or ids.shape[1] < 2:
        return [feed]
    count, tokens = ids.shape[:2]
    before = tokens - 1 if count > 1 or tokens == 2 else tokens - 2
    return [
        {name: _some(name, array, tokens, part) for name, array in feed.items()}
        for part in (slice(0, before), slice(before, tokens))
    ]


def _some(name: str, array: Array, tokens: int, part: slice) -> Array:
    if name == "cache_position":
        return array[part]
    if name.startswith("encoder_") or array.ndim < 2 or array.shape[1] != tokens:
        return array
    masks = name.endswith("attention_mask")  # counts what is past, too
    return array[:, : part.stop] if masks else array[:, part]
