"""Text that others wrote stays text: on terminals, in Markdown, CSV, JSON and logs, and without secrets."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from runner.artifact.card import write_card
from runner.base import safe, streams
from runner.errors import SourceError, without_secrets
from runner.report.columns import Table
from runner.report.console import make_console
from runner.report.layout import aligned, cut, width
from runner.report.rows import collect
from runner.report.table import as_csv
from tests.reports import manifest, point, sweep, write

OBEYED = {
    "clear the screen": "\x1b[2J",
    "set the title": "\x1b]0;owned\x07",
    "a link": "\x1b]8;;http://x.example\x1b\\here\x1b]8;;\x1b\\",
    "8-bit CSI": "\x9b31m",
    "8-bit OSC": "\x9d0;owned\x9c",
    "delete": "a\x7f",
    "backspace": "safe\b\b\b\bevil",
    "overwrite": "failed\rfine  ",
    "shift out": "\x0e\x0f",
    "NUL": "\0",
    "right to left": "\u202egnp.exe\u202c",
    "isolates": "\u2066a\u2069",
    "no width": "a\u200bb\u2060c\ufeff",
    "marks": "\u200e\u200f\u061c",
    "line separators": "a\u2028b\u2029c\x85d",
    "tags": "\U000e0041\U000e007f",
    "a byte of a file's name": "a\udcff",
    "half of a pair": "\ud83d",
}
BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


@pytest.mark.parametrize("text", OBEYED.values(), ids=OBEYED.keys())
def test_a_terminal_shows_what_it_would_obey(text: str) -> None:
    for shown in (safe.terminal(text), safe.line(text)):
        assert not BAD.search(shown) and shown.isprintable()
        shown.encode("utf-8")
        assert safe.terminal(shown) == shown
    assert safe.terminal(f"ok {text} ok").startswith("ok ") and safe.terminal(f"ok {text} ok").endswith(" ok")


@pytest.mark.parametrize(
    "text", ["plain", "näïve 模型 مدل 🙂 ✓ …", "two\nlines\tand a tab", "[red]no markup[/]", "\\x1b"]
)
def test_a_terminal_shows_text_as_it_is(text: str) -> None:
    assert safe.terminal(text) == text


def test_one_line_stays_one() -> None:
    assert safe.line("a\n  error: fake\r\nhint:\u2028x\ty\x0bz\n") == "a error: fake hint: x y z"
    assert safe.line("\x1b[1A\nerror") == "\\x1b[1A error"
    assert safe.line("a\udcfe") == "a\\xfe"


@pytest.mark.parametrize("text", OBEYED.values(), ids=OBEYED.keys())
def test_the_console_shows_it_too_and_takes_no_markup(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    console = make_console()
    grid = Grid.grid()
    grid.add_row(text, Text(text))
    for shown in (text, Text(text, style="bold"), grid, f"[red]{text}[/] [link=file:///x]y[/link] :smile:"):
        console.print(shown)
    assert not BAD.search(stream.getvalue().replace("\n", ""))
    assert "[red]" in stream.getvalue() and ":smile:" in stream.getvalue()


MARKUP = {
    "HTML": "<img src=x onerror=alert(1)> & <script>alert(1)</script>",
    "a comment": "<!-- hidden --> seen",
    "a heading": "# Owned",
    "a rule": "--- ",
    "an underline": "===",
    "lists": "- item",
    "a number": "1. item",
    "a quote": "> quote",
    "a fence": "```\nraw\n```",
    "code": "`code` ``more``",
    "emphasis": "*a* **b** _c_ __d__ ~~e~~ snake_case_name",
    "a link": "[text](http://x.example) ![image](http://x.example/i.png) [ref][1]",
    "a definition": "[1]: http://x.example",
    "addresses": "http://x.example www.x.example a@x.example <http://x.example> HTTPS://X.example",
    "a table": "a | b",
    "entities": "&lt;b&gt; &#60;",
    "backslashes": "\\*a\\* \\\\ end\\",
    "lines": "first\n\n# second\n---\n| a |\n|---|",
    "front matter": "x\n---\nlicense: evil\n---",
    "math": "$x$ $$y$$",
    "indented": "      code",
    "a tab": "\tcode",
    "quiet": "plain text, with (brackets), dots. And: colons!",
}
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _shown(html: str) -> str:
    import html as entities

    return entities.unescape(re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("text", [*MARKUP.values(), *OBEYED.values()], ids=[*MARKUP, *OBEYED])
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    html = RENDERER.render(safe.markdown(text)).strip()
    assert set(re.findall(r"</?(\w+)", html)) <= {"p", "code"}
    assert " ".join(_shown(html).split()) == " ".join(safe.line(text).split())
    cell = RENDERER.render(f"| a | b |\n|---|---|\n| {safe.markdown_cell(text)} | end |\n")
    assert cell.count("<td") == 2 and "<td>end</td>" in cell.replace("\n", "")
    span = RENDERER.renderInline(safe.code(text))
    assert span.startswith("<code>") and span.endswith("</code>") and span.count("<") == 2


@pytest.mark.parametrize("text", ["see http://x.example/a", "www.x.example", "mail a@x.example now", "ftp://x.example"])
def test_addresses_are_code_which_nothing_turns_into_links(text: str) -> None:
    assert RENDERER.renderInline(safe.markdown(text)).count("<code>") == 1


HOSTILE = "\n\n---\n".join([*MARKUP.values(), *OBEYED.values()])


def test_a_model_card_has_its_own_structure_whatever_is_in_it(tmp_path: Path) -> None:
    quiet, hostile = tmp_path / "quiet.md", tmp_path / "hostile.md"
    libraries = {"openvino": "1", "nncf": "1", "optimum-intel": "1", "transformers": "1"}
    document = manifest("model", libraries=libraries)
    write_card(quiet, document)
    document = json.loads(json.dumps(document))
    document |= {"description": HOSTILE, "name": HOSTILE}
    document["model"] |= {"source": "huggingface", "id": HOSTILE, "revision": HOSTILE, "task": HOSTILE}
    document["hardware"] |= {"cpu": HOSTILE}
    document["libraries"] = dict.fromkeys(libraries, HOSTILE)
    document["datasets"] = {HOSTILE: {"source": HOSTILE, "sha256": "0"}}
    document["checks"][0] |= {"metric": HOSTILE, "dataset": HOSTILE}
    for stage in document["stages"]:
        stage["label"] = HOSTILE
    write_card(hostile, document)
    heads = [_structure(path.read_text(encoding="utf-8")) for path in (quiet, hostile)]
    assert heads[0] == heads[1]
    assert not BAD.search(hostile.read_text(encoding="utf-8").replace("\n", ""))


def _structure(card: str) -> list[str]:
    """The tags of a card's body that make its structure, after its head, which is one YAML document."""
    start, head, body = re.split(r"^---$", card, maxsplit=2, flags=re.MULTILINE)
    assert start == "" and isinstance(yaml.safe_load(head), dict)
    tags = re.findall(r"</?\w+", RENDERER.render(body))
    return [tag for tag in tags if tag not in ("<code", "</code", "<p", "</p")]


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\0=1", "-", "+", "\uff1d1"],
)
def test_a_cell_is_no_formula(cell: str) -> None:
    assert safe.csv_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-1", "+1.5", "-1e-05", ".5", "-.5", "text", "a=b", "a@b", "", 1, -1.5, None, True])
def test_numbers_and_text_stay_as_they_are(cell: Any) -> None:
    assert safe.csv_cell(cell) == cell


def test_no_cell_of_a_report_is_a_formula(tmp_path: Path) -> None:
    evil = "=HYPERLINK(1)"
    document = manifest("a", description=evil)
    document["checks"][0] |= {"metric": evil}
    document["recipe"]["compression"] |= {evil: evil, "group_size": -1}
    write(tmp_path, document)
    write(tmp_path, manifest("b"))
    sweep(tmp_path, "s", {}, extra=[point(evil, {evil: evil}, "failed", evil)])
    table = Table(collect(tmp_path).rows)
    rows = list(csv.reader(io.StringIO(as_csv(table, table.rows))))
    cells = [cell for row in rows for cell in row]
    assert f"'{evil}" in cells and not [cell for cell in cells if cell.startswith("=")]


def test_json_is_utf8_and_has_no_control_in_it() -> None:
    document = {text: [text, float("nan"), float("-inf"), 1.5, None, True] for text in OBEYED.values()}
    for indent in (2, None):
        text = safe.json_text(document, indent=indent)
        assert not BAD.search(text.replace("\n", "")) and text.encode("utf-8")
        read = json.loads(text, parse_constant=lambda word: pytest.fail(word))
        assert read == {text: [text, None, None, 1.5, None, True] for text in OBEYED.values()}
    assert safe.json_text({"a": "é"}, ascii_only=True).isascii()


TOKEN = "hf_" + "Ab1" * 8


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("403 for url: https://user:pa55word@proxy.example:8080/x", "https://***@proxy.example:8080/x"),
        ("https://pa55word@pypi.example/simple", "https://***@pypi.example/simple"),
        (
            "https://cdn.example/f?Expires=1&Signature=pa55word&Key-Pair-Id=K",
            "https://cdn.example/f?Expires=1&Signature=***",
        ),
        ("https://cdn.example/f?X-Amz-Security-Token=pa55word", "X-Amz-Security-Token=***"),
        ("{'authorization': 'Bearer pa55word1234'}", "Bearer ***"),
        (f"invalid token {TOKEN}!", "invalid token ***!"),
        ("the value s3cret-value-of-a-variable is wrong", "the value *** is wrong"),
    ],
)
def test_secrets_are_taken_out(text: str, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "s3cret-value-of-a-variable")
    for found in (without_secrets(text), SourceError(text, hint=text).message, str(SourceError(text))):
        assert kept in found and "pa55word" not in found and "Ab1" not in found
    assert "pa55word" not in (SourceError("x", hint=text).hint or "")


@pytest.mark.parametrize(
    "text", ["https://x.example/a?b=c", "a key: compression.ratio", "the token count is 5", "hf_hub", "a@b"]
)
def test_what_is_no_secret_stays(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("HF_TOKEN", "")
    assert without_secrets(text) == text


def test_a_log_keeps_no_secret_and_no_escape(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as raw:
        log = streams.Log(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
        print(f"\x1b[2J 10%\r20%\r\nlogin {TOKEN}", file=log)
        log.detach()
    assert (tmp_path / "log").read_text() == "\\x1b[2J 10%\n20%\nlogin ***\n"


def test_columns_count_places_not_characters() -> None:
    lines = aligned([["模型", "1"], ["e\u0301", "22"], ["a\x1bb", "3"]], right=[1])
    assert lines == ["模型     1", "e\u0301       22", "a\\x1bb   3"]
    assert {width(line) for line in lines} == {10}
    assert [cut(text, 5) for text in ("模型模型", "abcde", "abcdef")] == ["模型…", "abcde", "abcd…"]
    assert cut("abcdef", None) == "abcdef"
