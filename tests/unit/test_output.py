"""The form of an answer: what each prints, and that no command asks for it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from runner.errors import SourceError
from runner.report.output import Json, Output, Quiet, Text, first_output

RUNNER = Path(__file__).parents[2] / "runner"
OWNER = RUNNER / "report" / "output.py"
HANDED = {"Output", "first_output", "output_of"}
"""What others may know of the forms' module: what a command is handed, and how the command line picks it."""


def questions(tree: ast.AST) -> list[int]:
    """Lines that could tell forms apart: of a form's class, of an attribute `form`, of the options behind it."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "runner.report.output":
            lines += [node.lineno] * bool({alias.name for alias in node.names} - HANDED)
        elif isinstance(node, ast.ImportFrom) and node.module == "runner.report":
            lines += [node.lineno] * ("output" in {alias.name for alias in node.names})
        elif isinstance(node, ast.Attribute):
            asked = isinstance(node.value, ast.Name) and node.value.id == "arguments" and node.attr in ("json", "quiet")
            lines += [node.lineno] * (asked or node.attr == "form")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "type"):
            first = node.args[0]
            lines += [node.lineno] * (isinstance(first, ast.Name) and first.id == "output")
    return lines


@pytest.mark.parametrize(
    "text",
    [
        "if output.form == 'json': pass",
        "from runner.report.output import Output, Quiet",
        "from runner.report import output",
        "if arguments.quiet: pass",
        "isinstance(output, object)",
    ],
)
def test_a_question_is_seen(text: str) -> None:
    assert questions(ast.parse(text)) == [1]


def test_no_module_asks_which_form_it_is() -> None:
    asked = {}
    for path in RUNNER.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path != OWNER and (found := questions(ast.parse(text))):
            asked[path.relative_to(RUNNER).as_posix()] = [text.splitlines()[number - 1].strip() for number in found]
    own = asked.pop("commands/report.py")  # its --json is a format of the report, beside csv and html
    assert own == ['form = "json" if arguments.json else arguments.format']
    assert not asked


def said(output: Output) -> None:
    """All that a command may say."""
    output.say(["beside"], ["few"])
    output.answer({"a": 1}, ["text"], ["quiet"])
    output.content({"b": 2}, "file\n")
    output.lines([output.either(lambda: "brief", lambda: "whole")])
    output.passing("")
    output.ended(SourceError("it is away", hint="look"))


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        (Text, "beside\ntext\nfile\nbrief\n"),
        (Quiet, "few\nquiet\nfile\nbrief\n"),
        (Json, '{"a":1}{"b":2}whole{"status":"error","exit_code":4,"errors":["itisaway"],"hint":"look","log":null}'),
    ],
)
def test_each_form_takes_what_its_readers_need(
    form: type[Output], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said(form())
    told = capsys.readouterr()
    assert "".join(told.out.split()) == "".join(answer.split())
    assert told.err == "error: it is away\n\nhint: look\n"


def test_words_alone_tell_a_program_from_a_person() -> None:
    assert isinstance(first_output(["optimise", "--json"]), Json) and isinstance(first_output([]), Text)
