"""Multiple choice and replies token by token: against PyTorch's own logits, and against other code of the same rule."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.data.tokens import Tokenizer
from runner.errors import SourceError
from runner.metrics.kept import Kept, Ragged
from runner.metrics.measures import choices, replies
from runner.metrics.predicting.continuations import choice_passage, log_likelihood
from runner.model.runtime import compile_folder
from tests.conftest import Ovrun
from tests.outputs import manifest_of
from tests.predictions import kept, rows
from tests.tiny_decoders import decoder, tokenizer

ROWS: list[dict[str, Any]] = [
    {"prompt": "ab cd ", "choices": ["ab", "a cd ab!", "no"], "label": 1},
    {"prompt": "What is Über?", "choices": ["ab", "Über"], "label": 0},
    {"prompt": "", "choices": ["ab cd", "no"], "label": 1},
    {"prompt": "ab cd no " * 30, "choices": ["What", "cd is"], "label": 0},
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return decoder(tmp_path_factory.mktemp("decoder"))


@pytest.fixture(params=[False, True], ids=["without start token", "with start token"])
def model(request: pytest.FixtureRequest, plain: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(plain, tmp_path / "model"))
    tokenizer(folder, start=request.param)
    return folder


def expected(folder: Path, prompt: str, choice: str) -> tuple[float, bool]:
    """As lm-evaluation-harness asks a model of transformers, by PyTorch in 64 bits."""
    import torch
    from transformers import AutoTokenizer, GPT2LMHeadModel

    own = GPT2LMHeadModel.from_pretrained(folder / "torch").double().eval()
    split = AutoTokenizer.from_pretrained(folder)
    spaces = len(prompt) - len(prompt.rstrip())
    context, after = (prompt[:-spaces], prompt[-spaces:] + choice) if spaces else (prompt, choice)
    if context:
        before = split.encode(context)
        of_choice = split.encode(context + after)[len(before) :]
    else:
        before, of_choice = [own.config.bos_token_id], split.encode(after, add_special_tokens=False)
    length = own.config.n_positions
    ids = (before + of_choice)[-(length + 1) :]
    with torch.no_grad():
        logits = own(torch.tensor([ids[:-1]])).logits[0, -len(of_choice) :]
    found = logits.log_softmax(-1)
    return float(found[range(len(of_choice)), of_choice].sum()), logits.argmax(-1).tolist() == of_choice


def test_log_likelihoods_are_those_of_pytorch(model: Path, tmp_path: Path) -> None:
    data = rows(tmp_path / "rows.jsonl", ROWS, ["prompt", "choices"])
    found = kept(model, "text-generation-with-past", "log-likelihoods", data, tmp_path / "out")
    for row, values, lengths, greedy in zip(
        ROWS, found.values, found.extra["lengths"], found.extra["greedy"], strict=True
    ):
        told = [expected(model, row["prompt"], " " + choice) for choice in row["choices"]]
        np.testing.assert_allclose(values, [one for one, _ in told], rtol=2e-6)
        assert list(greedy) == [one for _, one in told]
        assert list(lengths) == [len(choice) for choice in row["choices"]]
    assert found.protocol["choices_cut"] == 2


def test_the_delimiter_is_a_setting_and_a_question_is_a_prompt(model: Path, tmp_path: Path) -> None:
    data = rows(tmp_path / "rows.jsonl", [{"question": "ab", "choices": ["cd", "no"]}], ["question", "choices"])
    task = "text-generation-with-past"
    found = kept(model, task, "log-likelihoods", data, tmp_path / "out", delimiter=": ")
    assert list(found.values[0]) == pytest.approx([expected(model, "ab", f": {one}")[0] for one in ("cd", "no")], 2e-6)


def test_a_choice_that_has_no_room_and_rows_without_choices_are_refused(model: Path, tmp_path: Path) -> None:
    own = Tokenizer(model)
    with pytest.raises(SourceError, match="tokens, more than the model takes"):
        choice_passage(own, "ab", " cd no" * 40)
    with pytest.raises(SourceError, match="makes no token after its prompt"):
        choice_passage(own, "ab", "")
    for number, wrong in enumerate(([], ["ab"], ["ab", ""])):
        data = rows(tmp_path / f"{number}.jsonl", [{"prompt": "ab", "choices": wrong}], ["prompt", "choices"])
        with pytest.raises(SourceError, match=r":1: `choices` has to be a list of two texts or more"):
            kept(model, "text-generation-with-past", "log-likelihoods", data, tmp_path / f"out {number}")


def test_a_model_that_gives_no_numbers_gives_no_likelihood(model: Path) -> None:
    passage = choice_passage(Tokenizer(model), "ab", " cd")
    compiled = compile_folder(model)
    total, _ = log_likelihood(compiled, passage)
    assert np.isfinite(total) and total < 0


def likelihoods(*rows: list[float], lengths: list[list[int]]) -> Kept:
    values = Ragged.of([np.array(row, np.float32) for row in rows])
    extra = {"lengths": Ragged.of([np.array(row, np.int64) for row in lengths])}
    return Kept("log-likelihoods", len(rows), (), {}, values, extra)


def test_the_likeliest_choice_is_right_or_wrong_by_itself_and_by_length() -> None:
    given = likelihoods([-4.0, -6.0], [-4.0, -6.0, -6.0], [-1.0, np.nan], lengths=[[2, 4], [4, 4, 4], [1, 1]])
    assert choices.right(given, [0, 2, 0])[:, 0].tolist()[:2] == [1, 0]
    assert choices.right(given, [1, 0, 0], by_length=True)[:, 0].tolist()[:2] == [1, 1]
    assert np.isnan(choices.right(given, [0, 2, 0])[2, 0])
    for label in (2, -1, "A", True, 0.5):
        with pytest.raises(SourceError, match=r"the label of row 1 is .* a number 0 to 1"):
            choices.right(given, [label, 0, 0])


def test_accuracies_follow_from_the_likelihoods_of_a_model(model: Path, tmp_path: Path) -> None:
    data = rows(tmp_path / "rows.jsonl", ROWS, ["prompt", "choices"])
    found = kept(model, "text-generation-with-past", "log-likelihoods", data, tmp_path / "out")
    labels = [row["label"] for row in ROWS]
    told = [[expected(model, row["prompt"], " " + one)[0] for one in row["choices"]] for row in ROWS]
    plain = [int(np.argmax(one)) == label for one, label in zip(told, labels, strict=True)]
    by_length = [
        int(np.argmax(np.array(one) / [float(len(choice)) for choice in row["choices"]])) == row["label"]
        for one, row in zip(told, ROWS, strict=True)
    ]
    assert choices.right(found, labels)[:, 0].tolist() == plain
    assert choices.right(found, labels, by_length=True)[:, 0].tolist() == by_length


def written(*tokens: list[int]) -> Kept:
    extra = {"tokens": Ragged.of([np.array(row, np.int64) for row in tokens])}
    return Kept("texts", len(tokens), (), {}, [json.dumps(row) for row in tokens], extra)


def test_replies_are_compared_token_by_token() -> None:
    """Worked out by hand, as the rule of who_what_benchmark has it."""
    reference = written([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [5, 6], [], [], [7, 8, 9])
    own = written([1, 2, 3, 4], [1, 2, 9, 4, 8], [9, 2, 3, 4], [], [5, 6, 7], [], [7, 7, 8, 9])
    found = replies.compared(own, reference)
    assert found.tolist() == [
        [4, 4, 0, 4],
        [2, 4, 2, 5],
        [0, 4, 1, 4],
        [0, 2, 2, 2],
        [0, 0, 3, 3],
        [0, 0, 0, 0],
        [0, 3, 1, 4],
    ]
    assert replies.share_of_no_match(found)[:, 0].tolist() == [0, 0.4, 0.25, 1, 1, 0, 0.25]
    assert replies.before_the_first(found).sum(0).tolist() == [6, 17]


RECIPE = """
model: {source: embedded, id: dialogpt-mini}
conversion: {tokenizer: true}
compression: {algorithm: weight_compression, mode: int8_asym}
datasets:
  quiz: {source: file, path: quiz.jsonl, columns: {prompt: asked, choices: choices, label: right}}
accuracy:
  checks:
    - {metric: choice_accuracy, dataset: quiz, delimiter: "", max_drop: 0.9}
    - {metric: choice_accuracy_by_length, dataset: quiz, delimiter: "", max_drop: 0.9}
    - {metric: first_divergent_token, dataset: quiz, max_new_tokens: 8, min: 0.1}
    - {metric: divergent_tokens_share, dataset: quiz, max_new_tokens: 8, max: 0.99}
"""


def test_a_recipe_checks_choices_and_replies(ovrun: Ovrun, shared: Path, tmp_path: Path) -> None:
    sums = [("3 plus 28", 31), ("11 times 8", 88)]
    quiz = [
        {
            "asked": f"What is {sum}?<|endoftext|>",
            "choices": [f"{sum} is {found + 1}.", f"{sum} is {found}."],
            "right": 1,
        }
        for sum, found in sums
    ]
    (tmp_path / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in quiz))
    (tmp_path / "quizzed.yaml").write_text(RECIPE)
    document = json.loads(ovrun("optimize", "quizzed.yaml", "--outputs", shared, "--json").stdout)
    found = {check["metric"]: check for check in manifest_of(Path(document["path"]))["checks"]}
    assert found["choice_accuracy"]["value"] == found["choice_accuracy"]["reference_value"] == 1
    assert found["choice_accuracy_by_length"]["value"] == 1
    assert found["first_divergent_token"]["value"] == 8
    assert found["divergent_tokens_share"]["value"] == 0
