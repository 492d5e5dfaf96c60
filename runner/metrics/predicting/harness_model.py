"""A compiled language model as lm-evaluation-harness asks one; texts become tokens as its model `hf` makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

import runner.base.files as fs
from runner.base.values import whole
from runner.data.tokens import Passage, Tokenizer, Window
from runner.errors import SourceError
from runner.metrics.causal import refuse_not_causal
from runner.metrics.predicting.continuations import log_likelihood
from runner.model.feed import token_feed
from runner.model.runtime import Compiled, logits

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from numpy.typing import NDArray

    Pair = tuple[object, list[int], list[int]]

_LONGEST, _MOST_WRITTEN = 2048, 256
"""Tokens of a model that doesn't say how many it takes, and of a reply; those of the library."""


class Model(TemplateLM):  # type: ignore[misc]
    """Answers requests of the library one by one.

    Attributes:
        longest: tokens that it takes.
        cut: requests that lost their first tokens.
    """

    def __init__(self, compiled: Compiled, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.compiled, self.split = compiled, tokenizer
        self.longest = tokenizer.positions or _said(tokenizer.folder) or _LONGEST
        self.cut, self._checked = 0, False
        self._start_text = tokenizer.decode([self.prefix_token_id], special=True)

    @property
    def eot_token_id(self) -> int:
        """The tokenizer's end token, else the model's.

        Raises:
            SourceError: there is none.
        """
        found = self.split.named("eos")
        found = self.split.eos if found is None else found
        if found is None:
            message = f"{self.split.folder}: the model has neither a start token nor an end token"
            raise SourceError(message, hint="lm-evaluation-harness begins a text with one of them.")
        return found

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text that nothing stands before: the tokenizer's start token, else the end token."""
        found = self.split.named("bos")
        return self.eot_token_id if found is None else found

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: object) -> list[int]:
        """Tokens; what the tokenizer puts around a text is added unless that begins with the start token."""
        special = not string.startswith(self._start_text) if add_special_tokens is None else add_special_tokens
        return self.split.encode(string, special=special)

    def loglikelihood_rolling(self, requests: Sequence[Instance], disable_tqdm: bool = True) -> list[float]:
        """Of each text the sum of its tokens' log-probabilities, in windows with one token before them."""
        return [self._rolling(str(one.args[0])) for one in requests]

    def _rolling(self, text: str) -> float:
        tokens = self.tok_encode(text)
        if not tokens:
            message = f"{self.split.folder}: a text makes no token"
            raise SourceError(message, hint="Leave rows without text out.")
        windows = get_rolling_token_windows(tokens, self.prefix_token_id, self.longest, context_len=1)
        pairs: list[Pair] = [(None, *make_disjoint_window(window)) for window in windows]
        return sum(one for one, _ in self._loglikelihood_tokens(pairs))

    def _loglikelihood_tokens(
        self, requests: Sequence[Pair], disable_tqdm: bool = True, **_: object
    ) -> list[tuple[float, bool]]:
        return [self._scored(before, after) for _, before, after in requests]

    def _scored(self, before: list[int], after: list[int]) -> tuple[float, bool]:
        """The log-probability of tokens after others, of which the first are left out where there are too many."""
        if not 0 < len(after) <= self.longest:
            message = f"{self.split.folder}: what is to be scored makes {len(after)} tokens, not 1 to {self.longest}"
            raise SourceError(message)
        whole_ids = np.array([*before, *after], np.int64)
        ids = whole_ids[-(self.longest + 1) :]
        self.cut += len(ids) < len(whole_ids)
        window = Window(0, len(ids), len(ids) - len(after))
        passage = Passage(ids, ids[:0], (window,), {"tokens_scored": len(after)})
        if not self._checked:
            refuse_not_causal(self.compiled, passage)
            self._checked = True
        return log_likelihood(self.compiled, passage)

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = True) -> list[str]:
        """Greedy replies, up to the first of the texts that end one."""
        return [self._written(str(one.args[0]), one.args[1]) for one in requests]

    def _written(self, prompt: str, settings: Mapping[str, object]) -> str:
        until, most = settings.get("until") or [], whole(settings.get("max_gen_toks", _MOST_WRITTEN))
        stops = [str(one) for one in (until if isinstance(until, list) else [until]) if one]
        room = self.longest - most
        if room < 1:
            message = (
                f"{self.split.folder}: {most} new tokens leave no room for a prompt; the model takes {self.longest}"
            )
            raise SourceError(message, hint="State fewer in `generation_kwargs: {max_gen_toks: …}` of the task.")
        tokens = self.tok_encode(prompt) or [self.prefix_token_id]
        self.cut += len(tokens) > room
        written: list[int] = []
        text = ""
        for token in self._greedy(np.array(tokens[-room:], np.int64), most):
            written.append(token)
            text = self.split.decode(written)
            if any(stop in text for stop in stops):
                break
        for stop in (*stops, self.split.decode([self.eot_token_id], special=True)):
            text = text.split(stop)[0]
        return text

    def _greedy(self, ids: NDArray[np.int64], most: int) -> Iterator[int]:
        """The most probable token after others, and so on, to the end token at most."""
        if all(port.name != "beam_idx" for port in self.compiled.inputs):
            message = (
                f"{self.split.folder}: the model keeps no cache, and writing a reply would read it anew each token"
            )
            raise SourceError(message, hint="Convert it with `conversion: {stateful: true}`.")
        ends = {self.eot_token_id, *_ends(self.split.folder)}
        last = ids[:0].astype(np.float32)
        for block in logits(self.compiled, ids):
            last = block[-1].copy()
        for place in range(len(ids), len(ids) + most):
            token = int(last.argmax())
            if token in ends:
                return
            yield token
            feed = token_feed(self.compiled.inputs, np.array([token], np.int64), place)
            last = self.compiled.infer(feed)[0][0, -1]


def _said(folder: Path) -> int | None:
    """How many tokens a text may have by tokenizer_config.json; one that doesn't know names a huge number."""
    found = fs.read_object(folder / "tokenizer_config.json").get("model_max_length")
    return found if isinstance(found, int) and found < 1 << 32 else None


def _ends(folder: Path) -> list[int]:
    """All tokens that end a reply by generation_config.json."""
    found = fs.read_object(folder / "generation_config.json").get("eos_token_id")
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, int)]
