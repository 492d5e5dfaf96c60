"""Configurations of other tools -> recipes with a remark beside each key.

    import_words(words)   a file, or a command line, as a `Draft` that passed the checks of a recipe
    save(text, path)      a recipe's text as a file

One module a format: nncf_config (NNCF before 3.0), olive (workflows with OpenVINO passes), optimum_config
(openvino_config.json), optimum_cli (a command line of optimum-cli). What they know:

    training                                        what old NNCF configurations ask of training
    olive_parameters, olive_passes, olive_export    what Olive's passes take and do
    optimum_export, optimum_formats                 what optimum-cli does with its options
    optimum, optimum_steps, optimum_defaults        what Optimum Intel's settings mean, and those for models by name
    runtime_info                                    what NNCF wrote into a model of how it was compressed

draft holds the recipe in the making, source reads what is handed over, writer writes the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.base.paths import is_file, is_folder
from runner.base.words import near
from runner.errors import Problem, RecipeError, UsageError
from runner.importers import nncf_config, olive, optimum_cli, optimum_config, source
from runner.importers.draft import Draft
from runner.recipe.origins import show_path
from runner.recipe.read import yamlfile

FORMATS = (olive, optimum_config, nncf_config)
"""Formats of files, the most telling first; each has `recognizes(data)`, `convert(source)` and `KIND`."""

_TELLING = ("passes", "input_model", "quantization_config", "compression", "input_info")


def import_words(words: Sequence[str]) -> Draft:
    """Turn what a command line hands over into a recipe.

    Args:
        words: the path of a file; or a command line of optimum-cli, as words or as one quoted word.

    Raises:
        RecipeError: it is none of the formats, or wrong; every mistake at its place.
    """
    draft = _draft(words)
    draft.check()
    return draft


def _draft(words: Sequence[str]) -> Draft:
    if not words:
        what = "nothing to import"
        allowed = "name a file, or write a command line of optimum-cli"
        raise UsageError([Problem("command line", "", what, allowed)])
    path = Path(words[0])
    if len(words) == 1 and (is_file(path) or not source.is_command(words[0])):
        return _of_file(path)
    if not source.is_command(" ".join(words)):
        what = f"{len(words)} words, which are no command line of optimum-cli"
        raise UsageError([Problem("command line", "", what, "one file, or a command line of optimum-cli")])
    return optimum_cli.convert(*source.words(words), name="")


def _of_file(path: Path) -> Draft:
    if is_folder(path):
        inside = path / "openvino_config.json"
        said = f"name {show_path(inside)}" if is_file(inside) else "name a file"
        raise UsageError([Problem(show_path(path), "", "a folder", said)])
    text = yamlfile.decode(path)
    if not text.lstrip().startswith("{") and source.is_command(text):
        return optimum_cli.convert(*source.words_of_file(path, text), name=path.name)
    read = source.document(path, text)
    for recognizes, convert in ((form.recognizes, form.convert) for form in FORMATS):
        if recognizes(read.data):
            draft: Draft = convert(read)
            return draft
    raise RecipeError([_unrecognized(path, read.data)])


def _unrecognized(path: Path, data: dict[str, object]) -> Problem:
    if isinstance(data.get("model"), dict) or "defaults" in data:
        what = "this is a recipe already"
        return Problem(f"{show_path(path)}:1:1", "", what, f"run it with `ovrun optimize {show_path(path)}`")
    kinds = ", ".join([*(form.KIND for form in FORMATS), optimum_cli.KIND])
    what = "nothing tells what this is"
    guesses = [guess for key in data if (guess := near(key, _TELLING))]
    return Problem(f"{show_path(path)}:1:1", "", what, f"allowed: {kinds}", guesses[0] if guesses else None)


def save(text: str, path: Path, *, replace: bool) -> None:
    """Write a recipe, and never over another file unless that was asked for.

    Raises:
        UsageError: the path can't be a recipe's, or there is a file and `replace` is false, or it can't be written.
    """
    where = show_path(path)
    if path.suffix != ".yaml":
        raise UsageError([Problem(f"command line: --output {path}", "", "recipes end in .yaml")])
    try:
        with path.open("w" if replace else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError([Problem(where, "", "there is a file already", "--force replaces it")]) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError([Problem(where, "", f"can't be written: {why}")]) from error
