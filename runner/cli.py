"""The command line: from words to a command, and how a failure ends. What a command does is in `runner.commands`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from runner import __version__
from runner.base import streams
from runner.base.words import near
from runner.commands import COMMANDS, Command
from runner.errors import INTERRUPTED, OvrunError, Problem, StageError, UsageError, without_secrets
from runner.report.output import Output, first_output, output_of

_CODES = """\
exit codes: 0 done · 2 the recipe or the command line is wrong · 3 an accuracy gate was missed ·
4 the model or its data can't be had or read · 5 a stage failed, or what it made can't be written · 130 interrupted"""

_EPILOG = f"""\
NAME is a recipe's name or a path to its file. key=value changes one value of it, in Hydra's grammar:
compression.ratio=0.6, or compression=int8 for another preset; sweep and plan take several values, as in
compression.ratio=0.6,0.8 or compression=glob(int4-*). Your own ./recipes come before the built-in ones.

{_CODES}"""


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are errors like all others, and whose help a terminal takes as text."""

    def error(self, message: str) -> NoReturn:
        """Raise the mistake."""
        raise UsageError([Problem("command line", "", message)], hint=f"`{self.prog} --help` shows what there is.")

    def print_help(self, file: object = None) -> None:
        """Print the help."""
        streams.put(self.format_help(), end="")

    def options(self) -> list[str]:
        """All its options."""
        return list(self._option_string_actions)


def build_parser(command: Command | None = None) -> Parser:
    """The parser of one command, or the one that helps with all."""
    if command is None:
        return _overview()
    module = command.load()
    parser = Parser(
        prog=f"ovrun {command.name}",
        usage=getattr(module, "USAGE", None),
        description=command.text[0].upper() + command.text[1:] + ".",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    return parser


def _overview() -> Parser:
    width = 2 + max(len(command.name) for command in COMMANDS)
    commands = "\n".join(f"  {command.name:<{width}}{command.text}" for command in COMMANDS)
    parser = Parser(
        prog="ovrun",
        usage="ovrun COMMAND …",
        description="A batch optimizer for OpenVINO: one YAML recipe in, one checked and versioned model folder out.",
        epilog=f"commands (`ovrun COMMAND --help` tells more of one):\n{commands}\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ovrun {__version__}")
    return parser


def parse(words: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """The command and its arguments; `words` of a command may stand before, between and after its options.

    Raises:
        UsageError: there is no such command or option.
    """
    command = _command(words[0])
    parser = build_parser(command)
    arrange = getattr(command.load(), "arrange", list)
    arguments, rest = parser.parse_known_args(arrange(words[1:]))
    wrong = [word for word in rest if word.startswith("-") or not hasattr(arguments, "words")]
    if wrong:
        raise UsageError(
            [_unknown(word, parser) for word in wrong], hint=f"`{parser.prog} --help` shows what there is."
        )
    if hasattr(arguments, "words"):
        arguments.words += rest
    return command, arguments


def _command(word: str) -> Command:
    for command in COMMANDS:
        if command.name == word:
            return command
    names = [command.name for command in COMMANDS]
    what = f"{'ovrun has no option' if word.startswith('-') else 'there is no command'} {word}"
    guess = near(word, [*names, "help", "--help", "--version"])
    raise UsageError([Problem("command line", "", what, f"the commands are {', '.join(names)}", guess)])


def _unknown(word: str, parser: Parser) -> Problem:
    if not word.startswith("-"):
        return Problem("command line", "", f"{word} is one word too many")
    option = word.partition("=")[0]
    return Problem("command line", "", f"{parser.prog} has no option {option}", None, near(option, parser.options()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    output = first_output(words)
    try:
        if _only_told(words):
            return 0
        command, arguments = _asked(words)
        output = output_of(arguments)
        return command.load().run(arguments, output)
    except SystemExit as end:  # argparse, after --help and --version
        return int(end.code or 0)
    except (Exception, KeyboardInterrupt) as error:
        return _end(error, output)


def _only_told(words: list[str]) -> bool:
    """Whether it was help or the version that was asked for, which is told then."""
    if words[:1] in ([], ["help"], ["-h"], ["--help"]):
        named = [word for word in words[1:] if not word.startswith("-")]
        build_parser(_command(named[0]) if named else None).print_help()
        return True
    if words[0] == "--version":
        streams.put(f"ovrun {__version__}")
        return True
    return False


def _asked(words: list[str]) -> tuple[Command, argparse.Namespace]:
    """The command and its arguments, with which it could begin here and now."""
    if any("\0" in word for word in words):
        raise UsageError([Problem("command line", "", "no word of a command line holds a NUL byte")])
    command, arguments = parse(words)
    _stand_somewhere()
    _refuse_unknown_settings()
    return command, arguments


def _stand_somewhere() -> None:
    """Names of files are read from the current folder, which may have been deleted."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        what = f"the current folder is not there: {error.strerror}"
        raise UsageError([Problem("command line", "", what, "cd into one that is")]) from error


_SETTINGS = {"OVRUN_PROCESSES": ("fork", "fresh"), "OVRUN_LINKS": ("none",), "OVRUN_PREFLIGHT": ("off",)}
"""The environment's variables of ovrun, and what they may say."""


def _refuse_unknown_settings() -> None:
    problems = [
        Problem(f"environment: {name}", "", f'"{given}" is not known', f"allowed: {', '.join(allowed)}")
        for name, allowed in _SETTINGS.items()
        if (given := os.environ.get(name)) and given not in allowed
    ]
    if problems:
        raise UsageError(problems)


def _end(error: BaseException, output: Output) -> int:
    """Tell why a command did not come to its end; the exit code."""
    if _interrupted(error):
        streams.tell("\ninterrupted: finished stages are kept, the next run goes on from there")
        return INTERRUPTED
    if isinstance(error, OvrunError):
        output.ended(error)
        return error.exit_code
    return _unforeseen(error, output)


def _interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt is behind it, which some libraries answer by an error of their own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _unforeseen(error: BaseException, output: Output) -> int:
    """What escaped from a command: the machine's refusal in words, or a mistake of ovrun's with its story in a file."""
    if isinstance(error, OSError) and error.filename is not None:
        output.ended(StageError(f"{os.fsdecode(error.filename)}: {error.strerror}"))
    elif isinstance(error, MemoryError):
        output.ended(StageError("memory ran out"))
    else:
        what = f"{type(error).__name__}: {error}".strip().splitlines()[-1]
        failure = OvrunError(f"this is a mistake in ovrun itself: {what}", hint=_story())
        output.ended(failure)
    return OvrunError.exit_code


def _story() -> str:
    """Keep the traceback for a report: in a file, or if there is no place for one, in the hint itself."""
    import tempfile
    import traceback

    text = without_secrets(traceback.format_exc())
    try:
        handle, path = tempfile.mkstemp(prefix="ovrun-", suffix=".log", text=True)
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:  # noqa: PTH123
            stream.write(text)
    except OSError:
        return f"please report it with this:\n{text}"
    return f"the whole story is in {path}; please report it"


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def script() -> int:
    """The console script: `main` on steady streams, after which an interrupt has nothing left to stop."""
    try:
        streams.settle()
        signal.signal(signal.SIGTERM, _interrupt)
        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return streams.finish(code)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(script())
