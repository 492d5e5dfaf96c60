"""Text and JSON Lines that are damaged, or made to hurt, by the means of their own format."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

from tests.campaigns.mutate import Payload
from tests.campaigns.trial import Trial

ODD_TEXTS = (
    *(
        b"",
        b" ",
        b"\n" * 5000,
        b"\0",
        b"\0" * 5000,
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\x1a",
    ),
    *(b"\x1b]0;x\x07\x1b[2J", b"\r", b"\xe2\x80\xa8", b"\xc2\x85", b"\xf4\x90\x80\x80", b"<|endoftext|>" * 300),
    *("ab cd".encode("utf-16"), "ab cd".encode("utf-32"), "e\u0301\u202e".encode() * 100, b"x" * 100_000, b"\\u0000"),
)
ODD_ROWS = (
    *(b"[]", b"1", b"null", b'"text"', b"{}", b"{", b"}{", b'{"text": 5}', b'{"text": null}', b'{"text": ["a"]}'),
    *(b'{"text": ""}', b'{"text": " \\n"}', b'{"text": "\\ud800"}', b'{"text": "\\u0000\\u0001"}', b"{'text': 'a'}"),
    *(b'{"text": "a", "text": 1}', b'{"text": NaN}', b'{"x": Infinity, "text": "a"}', b'{"text": "a"} // b', b"# text"),
    *(
        b'{"text": "a"}{"text": "b"}',
        b'{"text": "a"}\r{"text": "b"}',
        b'{"text": "\xff"}',
        b"\xef\xbb\xbf{}",
        b",",
        b"--- a",
    ),
    *(
        b'{"prompt": "", "reply": ""}',
        b'{"prompt": "a"}',
        b'{"reply": "a"}',
        b'{"prompt": " ", "reply": "x", "text": "a"}',
    ),
    *(b'{"prompt": "\\u0000", "reply": "\\u0000", "text": "\\u0000"}', b'{"text": "a", "prompt": "b", "reply": 7}'),
)


def _odd_text(trial: Trial, path: Path) -> str:
    """Bytes that are no text put into one, or in its place."""
    content, odd = path.read_bytes(), trial.random.choice(ODD_TEXTS)
    place = trial.random.choice((0, len(content), trial.random.randrange(len(content) + 1)))
    path.write_bytes(odd if trial.random.random() < 0.4 else content[:place] + odd + content[place:])
    return repr(odd[:20])


def _long(trial: Trial, path: Path) -> str:
    """One line without an end, or lines without end."""
    one, times = trial.random.choice(
        ((b"ab ", 3_000_000), (b"\n", 2_000_000), (b"ab\n", 1_000_000), (b"\xc3\xa9", 2_000_000))
    )
    path.write_bytes(one * times)
    return f"{times} times {one!r}"


def _sparse(trial: Trial, path: Path) -> None:
    """Gigabytes of zeros that take no room."""
    with path.open("wb") as file:
        file.truncate(trial.random.choice((100 << 20, 8 << 30)) if path.suffix == ".jsonl" else 50 << 20)


def _odd_row(trial: Trial, path: Path) -> str:
    """Rows that are none."""
    rows, odd = path.read_bytes().split(b"\n"), trial.random.choice(ODD_ROWS)
    rows.insert(trial.random.randrange(len(rows) + 1), odd)
    path.write_bytes(b"\n".join([odd] * 5 if trial.random.random() < 0.4 else rows))
    return repr(odd[:40])


def _deep(trial: Trial, path: Path) -> str:
    """JSON in JSON."""
    depth = trial.random.choice((100, 990, 5_000, 300_000))
    left, right = trial.random.choice((("[", "]"), ('{"text":', "}")))
    row = f'{{"x": {left * depth}1{right * depth}, "text": "a", "prompt": "a", "reply": "b"}}\n'
    path.write_text(row if trial.random.random() < 0.7 else left * depth)
    return f"{depth} {left}"


def _wide(trial: Trial, path: Path) -> str:
    """Many keys, long ones, long numbers."""
    row = trial.random.choice(
        (
            "{" + ",".join(f'"k{number}": 1' for number in range(100_000)) + "}",
            '{"' + "k" * 1_000_000 + '": 1}',
            '{"text": ' + "9" * 1_000_000 + "}",
            '{"text": "a", "x": 1' + "e9" * 100_000 + "}",
            '{"text": "' + "\\u00e9" * 500_000 + '"}',
            '{"text": [' + "1," * 500_000 + "1]}",
        )
    )
    path.write_text(f"{row}\n")
    return row[:30]


def _unlike(trial: Trial, path: Path) -> str:
    """Another format under this name."""
    content = trial.random.choice(
        (
            *(
                b"text,id\nab,1\n",
                b"<html>",
                b"PK\x03\x04" + bytes(100),
                b"PAR1" + bytes(50),
                b"\x1f\x8b\x08" + bytes(20),
            ),
            *(b"\x93NUMPY", b"%PDF-1.4", b"\x89PNG\r\n", pickle.dumps(Payload(trial.payload)), b"text: ab\n"),
        )
    )
    path.write_bytes(content)
    return repr(content[:12])


TEXTS: tuple[Callable[[Trial, Path], str | None], ...] = (_odd_text, _odd_text, _odd_text, _long, _unlike, _sparse)
LINES: tuple[Callable[[Trial, Path], str | None], ...] = (
    *(_odd_row, _odd_row, _odd_row, _odd_text, _deep, _wide, _long, _unlike, _sparse),
)
