"""The command line promises what it does, and answers before anything heavy is imported."""

from __future__ import annotations

import json
import os
import pkgutil
import re
from pathlib import Path

import pytest

from runner import commands
from runner.cli import build_parser, main, parse
from runner.commands import COMMANDS, listing
from runner.commands.loading import split_words
from tests.conftest import Ovrun
from tests.reports import manifest, write

ROOT = Path(__file__).parents[2]


def test_every_module_of_commands_is_a_command_with_help_of_its_own() -> None:
    helpers = {"options", "loading"}
    there = {module.name for module in pkgutil.iter_modules(commands.__path__)} - helpers
    assert {command.module or command.name for command in COMMANDS} == there
    for command in COMMANDS:
        assert command.text[1:] in build_parser().format_help()
        assert "--json" in build_parser(command).format_help()


def test_the_readme_says_which_command_takes_what() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    every = {command.name: build_parser(command).options() for command in COMMANDS}
    told = {"--json": set(every)} if "All take `--json`;" in readme else {}
    for option, who in re.findall(r"^\| `(--[\w-]+)[^|]*\| (.*) \|$", readme, re.MULTILINE):
        named = set(re.findall(r"`(\w+)`", who))
        assert named <= set(every)
        told[option] = set(every) - named if who.startswith("all but") else named
    assert set(told) == {"--json", "--outputs", "--quiet", "--recipes", "--allow-remote-code", "--allow-code"}
    for option, names in told.items():
        assert names == {name for name, options in every.items() if option in options}, option


def test_names_and_overrides_are_told_apart() -> None:
    words = ["a", "compression.ratio=0.6", "./b.yaml", "~accuracy", "compression=int8", "runs/lr=1/c.yaml", "~/d.yaml"]
    assert split_words(words) == (
        ["a", "./b.yaml", "runs/lr=1/c.yaml", "~/d.yaml"],
        ["compression.ratio=0.6", "~accuracy", "compression=int8"],
    )


def test_a_recipe_whose_name_has_an_equals_sign_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "name=x.yaml").write_text("name: y\n", encoding="utf-8")
    assert split_words(["name=x.yaml", "name=z.yaml"]) == (["name=x.yaml"], ["name=z.yaml"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--nonsense", "ovrun has no option --nonsense"),
        ("optimise x", "there is no command optimise; the commands are optimize, plan,"),
        ("optimise x", "(did you mean optimize?)"),
        ("list --jsn", "ovrun list has no option --jsn (did you mean --json?)"),
        ("sweep x --job=2", "ovrun sweep has no option --job (did you mean --jobs?)"),
        ("sweep x --jobs 0", "argument --jobs: 0 is not a whole number"),
        ("sweep x --jobs \N{SUPERSCRIPT TWO}", "is not a whole number"),
        ("sweep x --jobs 2 --cluster slurm", "not allowed with argument --jobs"),
        ("list x", "x is one word too many"),
        ("compare a", "the following arguments are required: B"),
        ("help optimise", "did you mean optimize?"),
    ],
)
def test_a_wrong_command_line_is_2_and_says_what_was_meant(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.startswith("error: command line: ") and said.out == ""
    assert main([*words.split(), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["exit_code"] == 2


@pytest.mark.parametrize("words", ["", "help", "--help", "-h"])
def test_help_is_an_answer(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    said = capsys.readouterr()
    assert "commands (`ovrun COMMAND --help` tells more of one):\n  optimize " in said.out and said.err == ""


def test_help_of_a_command_is_the_same_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "sweep"]) == 0
    said = capsys.readouterr().out
    assert main(["sweep", "--help"]) == 0 and capsys.readouterr().out == said
    assert "NAME… [key=value,value …]" in said and "--fail-fast" in said


def test_no_recipe_is_2(ovrun: Ovrun) -> None:
    assert "no recipe is named" in ovrun("validate", code=2).stderr


def test_an_error_with_json_is_one_document(ovrun: Ovrun) -> None:
    done = ovrun("validate", "dialogpt-mini-int5", "--json", code=2)
    document = json.loads(done.stdout)
    assert document["exit_code"] == 2 and "dialogpt-mini-int4" in document["errors"][0] + (document["hint"] or "")
    assert "error: " in done.stderr


def test_all_built_in_recipes_are_valid(ovrun: Ovrun) -> None:
    told = ovrun("validate", "--all").stdout
    assert {"dialogpt-mini-int4: valid", "digits-int8: valid", "nncf-legacy: valid"} <= set(told.splitlines())


def test_show_without_a_version_names_what_there_is(ovrun: Ovrun) -> None:
    told = ovrun("show", "dialogpt-mini-int4", code=2).stderr
    assert "holds no published version of dialogpt-mini-int4" in told
    assert "ovrun optimize dialogpt-mini-int4" in told


def test_show_does_not_leave_the_outputs_folder(ovrun: Ovrun, tmp_path: Path) -> None:
    secret = tmp_path / "secret" / "1"
    secret.mkdir(parents=True)
    (secret / "manifest.json").write_text("{}")
    (tmp_path / "outputs").mkdir()
    assert "holds no published version" in ovrun("show", "../secret", code=2).stderr


def test_words_and_options_come_in_any_order() -> None:
    _, parsed = parse(["optimize", "a", "--outputs", "o", "seed=1", "--json", "b"])
    assert parsed.words == ["a", "seed=1", "b"] and parsed.json and parsed.outputs == Path("o")


def test_an_unexpected_error_is_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listing, "run", lambda arguments, output: 1 // 0)
    assert main(["list"]) == 5
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told and "Traceback" not in told
    path = Path(re.search(r"in (\S+\.log)", told).group(1))  # type: ignore[union-attr]
    assert "Traceback" in path.read_text()
    path.unlink()


def test_list_knows_versions_by_the_name_that_a_recipe_states(ovrun: Ovrun, tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    base = "defaults: [{model: dialogpt-mini}, _self_]\n"
    (tmp_path / "recipes" / "file.yaml").write_text(f"{base}name: stated\n")
    (tmp_path / "recipes" / "odd.yaml").write_text(f"{base}name: ${{seed}}\n")
    for name in ("stated", "stated--ratio-0.6", "file"):
        write(tmp_path / "outputs", manifest(name))
    rows = {row["name"]: row for row in reversed(json.loads(ovrun("list", "--json").stdout))}
    assert rows["file"]["publishes"] == "stated" and rows["file"]["versions"] == [1]
    assert rows["file"]["published_points"] == 1 and rows["odd"]["publishes"] == "odd"
    told = ovrun("list").stdout.splitlines()
    assert sum(line.startswith("file ") for line in told) == 2  # the recipe, and what no recipe stands for
    assert any("yours" in line and "1 point" in line and "[as stated]" in line for line in told)


def test_quiet_leaves_what_a_script_needs(ovrun: Ovrun, tmp_path: Path) -> None:
    place = write(tmp_path / "outputs", manifest("dialogpt-mini-int8"))
    assert ovrun("list", "-q").stdout.splitlines()[0] == "dialogpt-grid"
    assert ovrun("show", "dialogpt-mini-int8", "-q").stdout == f"outputs/{place}\n"
    assert ovrun("plan", "dialogpt-mini-int8", "-q").stdout.splitlines()[:2] == [
        "convert to fp16",
        "compress to int8_asym",
    ]
    assert ovrun("plan", "dialogpt-mini-grid", "-q").stdout.splitlines()[0] == "1 convert to fp16"
    assert ovrun("validate", "--all", "-q").stdout == ""
    assert ovrun("report", "-q").stdout == "outputs/report.html\n"


@pytest.mark.parametrize(
    ("word", "told"),
    [("", "an empty word is no folder"), ("file", "file is not a folder"), ("pipe", "pipe is not a folder")],
)
def test_outputs_that_is_no_folder(
    word: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for command in ("plan dialogpt-mini-int4", "show a", "report", "list"):
        assert main([*command.split(), "--outputs", word]) == 2
        assert told in capsys.readouterr().err


_FOLDERS = [
    f"{words} --outputs" for words in ("list", "show a", "report", "compare a b", "verify --all", "gc", "verify a")
]
_FOLDERS += [f"{words} --outputs" for words in ("optimize digits-int8", "plan digits-int8", "sweep digits-int8")]
_PLACES = ["reproduce a --outputs", "reproduce a --model", "reproduce a --into", "report --format csv --output"]
_PLACES += ["import x --output", "list --recipes", "validate a --recipes", "sweep a --cluster-config"]


@pytest.mark.parametrize("words", [*_FOLDERS, *_PLACES])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("a" * 300, "has a name of 300 bytes, and 255 are the most"),
        ("b/" * 3000 + "c", "6001 bytes are too long for a path"),
        ("~nosuchuser/x", "starts with the name of no user"),
        ("", "an empty word is no "),
    ],
    ids=["name", "path", "user", "empty"],
)
def test_a_path_that_nothing_can_have_is_2(
    words: str,
    path: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command, _, option = words.rpartition(" ")
    assert main([*command.split(), f"{option}={path}"]) == 2
    assert told in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("word", ["a" * 300, "b/" * 3000 + "c", "~nosuchuser/x", "a\nb"])
@pytest.mark.parametrize("command", [one.name for one in COMMANDS])
def test_a_word_that_nothing_can_be_called_is_told_as_such(
    command: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command, word, *(["b"] if command == "compare" else [])]) in (2, 4)
    told = capsys.readouterr().err
    assert told.startswith("error: ") and "mistake in ovrun" not in told and len(told) < 10_000


def test_text_from_versions_reaches_the_terminal_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = "\x1b[2J\x9b0m\n  fake: line [red]\u202e"
    document = manifest("evil", description=evil)
    document["libraries"] |= {evil: evil}
    document["model"] |= {"id": evil}
    for stage in document["stages"]:
        stage["label"], stage["result"] = evil, {"notes": [evil]}
    document["recipe"]["compression"] |= {evil: evil}
    write(tmp_path / "outputs", document)
    write(tmp_path / "outputs", manifest("good"))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "odd.yaml").write_text(f"description: {json.dumps(evil)}\n{json.dumps(evil)}: 1\n")
    codes = {main(words.split()) for words in ("list", "show evil", "report", "compare good evil", "validate odd")}
    codes |= {main(["validate", evil]), main([evil]), main(["explain", evil]), main(["list", f"--{evil}"])}
    said = capsys.readouterr()
    assert codes == {0, 2}
    for text in (said.out, said.err):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert not re.search("(?m)^ *fake:", text) and "[red]" in text


def test_a_setting_of_the_environment_that_is_not_known_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OVRUN_PROCESSES", "thread")
    monkeypatch.setenv("OVRUN_LINKS", "none")
    assert main(["validate", "digits-int8"]) == 2
    told = capsys.readouterr().err
    assert 'environment: OVRUN_PROCESSES: "thread" is not known; allowed: fork, fresh' in told and "LINKS" not in told
