"""What the parts of the original of a model that speaks give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runner.export.given import Given, Outputs
from runner.export.model import Request
from runner.model.feed import Feed, ports
from runner.model.parts import Model
from runner.model.varied import varied
from runner.model.vocoder import FOLDER as VOCODER

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from runner.base.values import Array

_STEPS = 3
"""Of the decoder."""
_FRAMES = ((1, 4), (2, 7))
"""Spectrograms, and the steps of the decoder that each is of."""


def ask_voice(request: Request, model: PreTrainedModel, whole: Model, given: Given) -> None:
    """Encoder, decoder, postnet and vocoder apart, on texts and spectrograms of two lengths.

    SpeechT5's decoder drops half of what goes in, at random, in every use; here both keep all.
    """
    original = _Original(request, model)
    given.draws_nothing = True
    told = given.ask(original.encode, varied(whole.folder, ports(whole.read("encoder"))), "encoder")
    for _, heard in told:
        steps = original.steps(heard["last_hidden_state"])
        given.add("decoder", steps, original.decode(steps))
    for count, length in _FRAMES:
        feed = {"raw_spectrogram": original.drawn(length, count, original.frames, original.bins)}
        given.add("postnet", [feed], original.refine(feed))
    for count, length in _FRAMES:
        feed = {"spectrogram": original.drawn(count, length * original.frames, original.bins)}
        given.add(VOCODER, [feed], original.sound(feed))


def keep_all_of(model: PreTrainedModel) -> None:
    """Let the original's decoder drop nothing, as `draw_nothing` of `comparing` lets the converted one."""
    model.speecht5.decoder.prenet._consistent_dropout = lambda values, share: values / (1 - share)


class _Original:
    """SpeechT5 and its vocoder in PyTorch, in 32 bits, part by part as its generation uses them."""

    def __init__(self, request: Request, model: PreTrainedModel) -> None:
        import numpy as np
        from transformers import SpeechT5HifiGan

        keep_all_of(model)
        self.encoder, self.decoder = model.speecht5.encoder, model.speecht5.decoder
        self.last = model.speech_decoder_postnet
        safe = None if request.allow_pickle else True
        self.vocoder = SpeechT5HifiGan.from_pretrained(request.source / VOCODER, use_safetensors=safe).eval()
        self.frames, self.bins = model.config.reduction_factor, model.config.num_mel_bins
        self.speaker = model.config.speaker_embedding_dim
        self.random = np.random.default_rng(0)

    def drawn(self, *shape: int) -> Array:
        """Numbers of the standard normal distribution."""
        import numpy as np

        return self.random.standard_normal(shape, np.float32)

    def encode(self, feed: Feed) -> Outputs:
        """What the encoder gives."""
        import torch

        ids = torch.from_numpy(feed["input_ids"])
        mask = torch.ones_like(ids)
        heard = self.encoder(input_values=ids, attention_mask=mask, return_dict=True).last_hidden_state
        return {"last_hidden_state": heard.numpy(), "encoder_attention_mask": mask.numpy()}

    def steps(self, heard: Array) -> list[Feed]:
        """What the converted decoder takes, step by step, about what the encoder gave: [batch, time, channels]."""
        import numpy as np

        count = heard.shape[0]
        written, speaker = self.drawn(count, _STEPS, self.bins), self.drawn(count, self.speaker)
        same = {
            "speaker_embeddings": speaker,
            "encoder_hidden_states": heard,
            "encoder_attention_mask": np.ones(heard.shape[:2], np.int64),
            "beam_idx": np.arange(count, dtype=np.int32),
        }
        return [{"inputs_embeds": written[:, : step + 1], **same} for step in range(_STEPS)]

    def decode(self, steps: Iterable[Feed]) -> Outputs:
        """What the decoder gives in all steps, one after the other."""
        import torch

        past, given = None, []
        for step in steps:
            fed = {name: torch.from_numpy(array) for name, array in step.items()}
            state = self.decoder.wrapped_decoder(
                hidden_states=self.decoder.prenet(fed["inputs_embeds"], fed["speaker_embeddings"])[:, -1:],
                encoder_hidden_states=fed["encoder_hidden_states"],
                encoder_attention_mask=fed["encoder_attention_mask"],
                past_key_values=past,
                use_cache=True,
                return_dict=True,
            )
            past = state.past_key_values
            given.append(self._written(fed["inputs_embeds"], state.last_hidden_state.squeeze(1)))
        return {name: torch.cat([one[name] for one in given], 1).numpy() for name in given[0]}

    def _written(self, before: torch.Tensor, state: torch.Tensor) -> dict[str, torch.Tensor]:
        """What one step gives: its spectrum, all so far, and the probability of the end."""
        import torch

        spectrum = self.last.feat_out(state).view(len(state), self.frames, self.bins)
        whole = torch.cat([before, spectrum[:, -1:]], 1)
        return {"spectrum": spectrum, "output_sequence_out": whole, "prob": torch.sigmoid(self.last.prob_out(state))}

    def refine(self, feed: Feed) -> Outputs:
        """What the postnet gives of [steps, batch, frames, bins]."""
        import torch

        rough = torch.from_numpy(feed["raw_spectrogram"]).transpose(0, 1).flatten(1, 2)
        return {"postnet_spectrogram": self.last.postnet(rough).numpy()}

    def sound(self, feed: Feed) -> Outputs:
        """What the vocoder gives."""
        import torch

        return {"waveform": self.vocoder(torch.from_numpy(feed["spectrogram"])).numpy()}
