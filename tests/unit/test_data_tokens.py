"""Tokens: special tokens as the folder's files tell them, one stream of all rows, windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, processors

from runner.data.tokens import Passage, Tokenizer, Window, context, passage, prefix, stream, text_sha256, windows
from runner.errors import SourceError

WORDS = {"<s>": 0, "</s>": 1, "<pad>": 2, **{f"w{i}": i + 3 for i in range(20)}}


def folder(path: Path, *, start: bool = False, **configs: dict[str, Any]) -> Path:
    backend = Backend(models.WordLevel(WORDS, unk_token="w0"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["<s>", "</s>", "<pad>"])
    if start:
        backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    backend.enable_truncation(2)
    path.mkdir(exist_ok=True)
    backend.save(str(path / "tokenizer.json"))
    for name, config in configs.items():
        (path / f"{name}.json").write_text(json.dumps(config))
    return path


def test_rows_are_joined_by_the_end_token_unless_they_end_with_it(tmp_path: Path) -> None:
    tokenizer = Tokenizer(folder(tmp_path, config={"eos_token_id": 1}))
    rows = ["w1 w2 w3", "w4 </s>", "w5"]
    np.testing.assert_array_equal(stream(tokenizer, rows), [4, 5, 6, 1, 7, 1, 8])
    assert tokenizer.bos is None
    assert len(prefix(tokenizer)) == 0


def test_without_an_end_token_rows_follow_each_other(tmp_path: Path) -> None:
    np.testing.assert_array_equal(stream(Tokenizer(folder(tmp_path)), ["w1", "w2"]), [4, 5])


@pytest.mark.parametrize(
    "configs",
    [
        {"config": {"eos_token_id": 1, "bos_token_id": 0}},
        {"generation_config": {"eos_token_id": [1, 7], "bos_token_id": 0}},
        {"tokenizer_config": {"eos_token": "</s>", "bos_token": {"content": "<s>"}}},
    ],
)
def test_where_special_tokens_are_found(tmp_path: Path, configs: dict[str, Any]) -> None:
    tokenizer = Tokenizer(folder(tmp_path, start=True, **configs))
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad) == (0, 1, 1)


def test_a_start_token_counts_only_where_the_tokenizer_adds_it(tmp_path: Path) -> None:
    assert Tokenizer(folder(tmp_path / "a", config={"bos_token_id": 0})).bos is None
    assert Tokenizer(folder(tmp_path / "b", start=True, config={"bos_token_id": 0})).bos == 0
    told = {"bos_token": "<s>", "add_bos_token": True}
    assert Tokenizer(folder(tmp_path / "c", tokenizer_config=told)).bos == 0


def cut(tokens: int, length: int, stride: int, unscored: int = 1) -> list[tuple[int, int, int]]:
    return [(w.start, w.stop, w.first_scored) for w in windows(tokens, length, stride, unscored)]


def test_windows() -> None:
    assert cut(10, 4, 4) == [(0, 4, 1), (4, 8, 5), (8, 10, 9)]
    assert cut(9, 4, 4) == [(0, 4, 1), (4, 8, 5)]
    assert cut(10, 4, 2) == [(0, 4, 1), (2, 6, 4), (4, 8, 6), (6, 10, 8)]
    assert cut(8, 4, 3) == [(0, 4, 1), (3, 7, 4), (6, 8, 7)]
    assert cut(9, 4, 4, 0) == [(0, 4, 0), (4, 8, 4), (8, 9, 8)]
    assert cut(3, 4, 4) == [(0, 3, 1)]
    assert cut(1, 4, 4) == cut(0, 4, 4) == []


@pytest.mark.parametrize(("length", "stride"), [(7, 7), (7, 3), (7, 6), (2, 1), (50, 50)])
@pytest.mark.parametrize("unscored", [0, 1])
def test_no_token_is_scored_twice_and_none_is_missed(length: int, stride: int, unscored: int) -> None:
    scored = [t for w in windows(40, length, stride, unscored) for t in range(w.first_scored, w.stop)]
    assert len(scored) == len(set(scored)) == sum(w.scored for w in windows(40, length, stride, unscored))
    heads = {w.start for w in windows(40, length, stride, unscored)} if unscored and stride == length else set()
    assert set(range(unscored, 40)) - set(scored) == heads - {0}


def test_a_passage_tells_its_protocol(tmp_path: Path) -> None:
    where = folder(tmp_path, start=True, config={"bos_token_id": 0, "eos_token_id": 1, "n_positions": 5})
    found = passage(Tokenizer(where), ["w1 w2 w3 w4", "w5 w6"], {}, "d")
    assert [found.window_ids(window).tolist() for window in found.windows] == [[0, 4, 5, 6, 7], [0, 1, 8, 9]]
    told = {key: value for key, value in found.protocol.items() if not key.endswith("sha256")}
    assert told == {
        "context_length": 5,
        "stride": 4,
        "tokens": 7,
        "tokens_scored": 7,
        "windows": 2,
        "start_token": 0,
        "end_token": 1,
    }
    assert found.protocol["text_sha256"] == text_sha256(["w1 w2 w3 w4", "w5 w6"])
    again = passage(Tokenizer(where), ["w1 w2 w3 w4 </s>", "w5 w6"], {}, "d")
    assert again.protocol["tokens_sha256"] == found.protocol["tokens_sha256"]
    assert again.protocol["text_sha256"] != found.protocol["text_sha256"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (5, 5)),
        ({"context_length": 4}, (4, 4)),
        ({"context_length": 4, "stride": 2}, (4, 2)),
        ({"context_length": 6}, "context_length 6 doesn't fit the model; allowed is 2 to 5"),
        ({"context_length": 0}, "context_length 0"),
        ({"context_length": 4, "stride": 5}, "stride 5 doesn't fit context_length 4; allowed is 1 to 4"),
        ({"stride": 0}, "stride 0"),
    ],
)
def test_the_context_fits_the_model(tmp_path: Path, params: dict[str, int], expected: Any) -> None:
    tokenizer = Tokenizer(folder(tmp_path, config={"n_positions": 5}))
    if isinstance(expected, str):
        with pytest.raises(SourceError, match=expected):
            context(tokenizer, params)
    else:
        assert context(tokenizer, params) == expected


def test_too_little_text_and_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="dataset d has 1 tokens; at least 2 are needed"):
        passage(Tokenizer(folder(tmp_path / "a")), ["w1"], {}, "d")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(SourceError, match="no tokenizer can be loaded"):
        Tokenizer(tmp_path).encode("a")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SourceError, match="not JSON"):
        _ = Tokenizer(tmp_path).positions


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_folder_without_tokenizer_json_goes_through_transformers(tmp_path: Path) -> None:
    from transformers import GPT2Tokenizer

    letters = {letter: number for number, letter in enumerate(["<|endoftext|>", "a", "b", "ab"])}
    (tmp_path / "vocab.json").write_text(json.dumps(letters))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    told = {"tokenizer_class": GPT2Tokenizer.__name__, "eos_token": "<|endoftext|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    tokenizer = Tokenizer(tmp_path)
    np.testing.assert_array_equal(stream(tokenizer, ["aab", "b"]), [1, 3, 0, 2])
    assert tokenizer.sha256 != Tokenizer(folder(tmp_path / "other")).sha256


def test_a_stored_passage_is_the_same(tmp_path: Path) -> None:
    text = Passage(np.arange(9), np.array([1]), (Window(0, 5, 1), Window(3, 9, 5)), {"tokens_sha256": "é", "stride": 3})
    text.save(tmp_path / "passage.npz")
    stored = Passage.load(tmp_path / "passage.npz")
    assert (stored.windows, stored.protocol) == (text.windows, text.protocol)
    assert stored.window_ids(stored.windows[1]).tolist() == [1, 3, 4, 5, 6, 7, 8]


@pytest.mark.filterwarnings("ignore:Deprecated in 0.9.0:DeprecationWarning")  # transformers' use of tokenizers
def test_a_vocabulary_that_settings_name_is_the_folders_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers opens `vocab_file: vocab.txt` as it stands: relative to the current folder."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for name, words in (("model", ["hello", "world"]), ("elsewhere", ["other", "words", "world", "hello"])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vocab.txt").write_text("\n".join([*special, *words]))
    settings = {"tokenizer_class": "BertTokenizer", "vocab_file": "vocab.txt"}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "model" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Tokenizer(tmp_path / "model").encode("hello world") == [5, 6]
    assert Path.cwd() == tmp_path / "elsewhere"


def test_every_file_of_a_tokenizer_is_in_its_fingerprint(tmp_path: Path) -> None:
    tokenizer = Tokenizer(folder(tmp_path / "model"))
    known = {tokenizer.fingerprint}
    for name in ("source.spm", "bpe.codes", "chat_template.jinja", "special_tokens_map.json", "generation_config.json"):
        (tmp_path / "model" / name).write_text("{}")
        known.add(Tokenizer(tmp_path / "model").fingerprint)
    assert len(known) == 6
    (tmp_path / "model" / "openvino_config.json").write_text("{}")
    (tmp_path / "model" / "README.md").write_text("of no concern")
    assert Tokenizer(tmp_path / "model").fingerprint in known


PANICS = {"loading": "/////w==", "use": "CAAAAP//////////"}
"""Character maps over which the tokenizers library, which is written in Rust, panics: that is no `Exception`."""


@pytest.mark.parametrize("content", ["{}", "", "[" * 100_000, '{"model": 1}', *PANICS])
def test_files_that_no_library_can_read_are_told_with_their_folder(tmp_path: Path, content: str) -> None:
    folder(tmp_path)
    path = tmp_path / "tokenizer.json"
    if content in PANICS:
        broken = {"type": "Precompiled", "precompiled_charsmap": PANICS[content]}
        content = json.dumps(json.loads(path.read_text()) | {"normalizer": broken})
    path.write_text(content)
    with pytest.raises(SourceError, match="tokenizer") as caught:
        Tokenizer(tmp_path).encode("w1 w2")
    assert str(tmp_path) in caught.value.message
