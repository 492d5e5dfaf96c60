"""How likely a language model finds each of several choices that may follow a prompt: multiple choice.

A choice's log-likelihood is the sum of the log-probabilities of its tokens after the prompt, in nats. Prompt and choice
are split into tokens together, and the tokens beyond those of the prompt alone are the choice's; white space at the
prompt's end goes to the choice. That is how lm-evaluation-harness asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import text
from runner.data.tokens import Passage, Tokenizer, Window
from runner.errors import SourceError
from runner.metrics.causal import refuse_not_causal
from runner.metrics.passes import scored_tokens
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.runtime import Compiled
from runner.recipe.datasets import kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runner.data.table import Row
    from runner.metrics.kept import Form


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says; `lengths` are the characters of each choice.

    `greedy` is 1 for a choice whose every token is the model's most probable.
    """
    compiled, tokenizer = asked.compiled(), Tokenizer(asked.folder)
    delimiter = text(asked.settings["delimiter"])
    protocol: dict[str, object] = {
        "delimiter": delimiter,
        "start_token": tokenizer.bos,
        "tokenizer_sha256": tokenizer.sha256,
        "choices_cut": 0,
        "runtime": dict(compiled.runtime),
    }
    batches = _batches(asked, compiled, tokenizer, delimiter, protocol)
    extra: Mapping[str, Form] = {"lengths": "ragged", "greedy": "ragged"}
    return Given(asked.count, batches, protocol, "logits", extra=extra)


def _batches(
    asked: Asked, compiled: Compiled, tokenizer: Tokenizer, delimiter: str, protocol: dict[str, object]
) -> Iterator[Batch]:
    role = "prompt" if "prompt" in kinds(asked.dataset) else "question"
    cut = 0
    for number, row in enumerate(asked.rows((role, "choices"))):
        choices = _choices(row)
        passages = [choice_passage(tokenizer, text(row.values[role]), delimiter + choice) for choice in choices]
        if not number:
            refuse_not_causal(compiled, passages[0])
        found = [log_likelihood(compiled, passage) for passage in passages]
        cut += sum(passage.protocol["tokens_cut"] > 0 for passage in passages)
        protocol["choices_cut"] = cut
        lengths = np.array([len(choice) for choice in choices], np.int64)
        greedy = np.array([one for _, one in found], np.int64)
        yield [np.array([one for one, _ in found], np.float32)], {"lengths": [lengths], "greedy": [greedy]}


def _choices(row: Row) -> list[str]:
    """The texts of a row.

    Raises:
        SourceError: it has fewer than two, or one is no text, or empty.
    """
    found = row.values["choices"]
    given = [str(one) for one in found] if isinstance(found, list) else []
    if len(given) < 2 or not all(given):
        message = f"{row.where}: `choices` has to be a list of two texts or more, none of them empty"
        raise SourceError(message)
    return given


def choice_passage(tokenizer: Tokenizer, prompt: str, choice: str) -> Passage:
    """Prompt and choice as one window, of which the choice's tokens are scored.

    What is longer than the model has positions loses tokens of the prompt, the first ones. A prompt without a token is
    the start token, or else the end token.

    Raises:
        SourceError: the choice makes no token of its own, or more tokens than the model has positions.
    """
    bare = prompt.rstrip()
    whole = tokenizer.encode(prompt + choice, special=True)
    before = tokenizer.encode(bare, special=True) if bare else _start(tokenizer)
    whole = whole if bare or whole[: len(before)] == before else [*before, *whole]
    scored = len(whole) - len(before)
    longest = 1 + (tokenizer.positions or len(whole))
    if scored < 1 or scored >= longest:
        what = "makes no token after its prompt" if scored < 1 else f"makes {scored} tokens, more than the model takes"
        message = f"{tokenizer.folder}: the choice {choice.strip()[:40]!r} {what}"
        raise SourceError(message)
    ids = np.asarray(whole[-longest:], np.int64)
    window = Window(0, len(ids), len(ids) - scored)
    protocol = {"tokens_scored": scored, "tokens_cut": len(whole) - len(ids)}
    return Passage(ids, np.empty(0, np.int64), (window,), protocol)


def _start(tokenizer: Tokenizer) -> list[int]:
    """What stands for a prompt without a token.

    Raises:
        SourceError: the model has neither a start token nor an end token.
    """
    found = tokenizer.bos if tokenizer.bos is not None else tokenizer.eos
    if found is None:
        message = f"{tokenizer.folder}: a prompt is empty, and the model has no start token to stand for it"
        raise SourceError(message, hint="Give each row a prompt.")
    return [found]


def log_likelihood(compiled: Compiled, passage: Passage) -> tuple[float, bool]:
    """The sum of the log-probabilities of the scored tokens, and whether each is the most probable one."""
    total, greedy = 0.0, True
    for block in scored_tokens(compiled, passage, lambda done, all: None):
        found, best = _of_tokens(block.logits, block.targets)
        total, greedy = total + found, greedy and best
    return total, greedy


def _of_tokens(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> tuple[float, bool]:
    wide = logits.astype(np.float64)
    own = np.take_along_axis(wide, targets[:, None], -1)[:, 0]
    with np.errstate(invalid="ignore"):  # infinite logits end as NaN, which is told
        highest = wide.max(-1)
        norm = highest + np.log(np.exp(wide - highest[:, None]).sum(-1))
        return float((own - norm).sum()), bool((own == highest).all())
