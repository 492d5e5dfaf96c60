"""`ovrun reproduce`: a version made again from its manifest, and compared."""

from __future__ import annotations

import contextlib
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.commands import options
from runner.commands.loading import permit
from runner.errors import OvrunError, Problem, SourceError, StageError, UsageError
from runner.report.output import Output

if TYPE_CHECKING:
    from runner.artifact.types import Manifest
    from runner.recipe.types import Recipe
    from runner.run.reproduce import Reproduction

_CODES = {"same": 0, "inputs differ": SourceError.exit_code, "differs": StageError.exit_code}


def arguments(parser: ArgumentParser) -> None:
    """One version, and where things are."""
    what = "a recipe's latest version, its version N, or a version's folder that lies anywhere"
    parser.add_argument("version", metavar="NAME[/N]|FOLDER", help=what)
    parser.add_argument(
        "--model", type=options.place, metavar="PATH", help="where the model is, if not where the manifest says"
    )
    parser.add_argument(
        "--data", type=_named_path, action="append", default=[], metavar="NAME=PATH", help="the same of a dataset"
    )
    parser.add_argument(
        "--into", type=options.place, metavar="DIR", help="make it here, and keep it (default: removed again)"
    )
    parser.add_argument(
        "--with-versions",
        action="store_true",
        help="install the versions that the manifest names with pip first, and run with them; if you trust its maker",
    )
    options.outputs(parser)
    options.code(parser)
    options.quiet(parser, "only what differs first")
    options.json(parser)


def _named_path(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        message = f"{text} is not a dataset's name, an equals sign, and a path"
        raise ArgumentTypeError(message)
    return name, Path(path)


def run(arguments: Namespace, output: Output) -> int:
    """Make it again; 0 for the same, 4 where the inputs differ, 5 where the result does."""
    from runner.artifact.named import named
    from runner.run.reproduce import trusted_manifest

    folder = named(arguments.version, arguments.outputs)
    manifest = trusted_manifest(folder)
    _refuse_unknown(arguments, manifest)
    with _place(arguments) as into:
        again = _in_environment if arguments.with_versions else _here
        document = again(arguments, output, folder, manifest, into)
        if arguments.into is None:
            document["made"] = None
        output.answer(document, _text(document), _told(document)[:1])
        return _CODES[document["status"]]


def _refuse_unknown(arguments: Namespace, manifest: Manifest) -> None:
    known = manifest["recipe"].get("datasets", {})
    unknown = [name for name, _ in arguments.data if name not in known]
    if unknown:
        allowed = f"its datasets are {', '.join(known)}" if known else "it has none"
        raise UsageError([Problem("command line", "--data", f"the version has no dataset {unknown[0]}", allowed)])


@contextlib.contextmanager
def _place(arguments: Namespace) -> Iterator[Path]:
    """The outputs folder of the second one, which is new."""
    if arguments.into is None:
        with tempfile.TemporaryDirectory(prefix="ovrun-reproduce-") as folder:
            yield Path(folder)
        return
    if _is_taken(arguments.into):
        what = f"{arguments.into} is not an empty folder, and nothing that lies there may count"
        raise UsageError([Problem("command line", "--into", what, "name a new one")])
    try:
        arguments.into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{arguments.into} can't be made: {error.strerror}"
        raise StageError(message) from error
    yield arguments.into


def _is_taken(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True
    except OSError as error:
        message = f"{folder} can't be read: {error.strerror}"
        raise StageError(message) from error


def _here(arguments: Namespace, output: Output, folder: Path, manifest: Manifest, into: Path) -> dict[str, Any]:
    from runner.run.reproduce import recipe_of

    recipe = recipe_of(manifest, folder, into, arguments.model, dict(arguments.data))
    permit(recipe, arguments)
    return _again(manifest, recipe, into, output).document(folder)


def _again(manifest: Manifest, recipe: Recipe, into: Path, output: Output) -> Reproduction:
    from runner.run.reproduce import reproduce

    with contextlib.closing(output.stages(recipe)) as display:
        return reproduce(manifest, recipe, into, display)


def _in_environment(
    arguments: Namespace, output: Output, folder: Path, manifest: Manifest, into: Path
) -> dict[str, Any]:
    """Build the manifest's environment and run there, by the same command."""
    from runner.run import rebuild

    words = [str(folder.absolute()), "--into", str(into / "outputs")]
    words += ["--model", str(arguments.model.absolute())] if arguments.model else []
    words += [word for name, path in arguments.data for word in ("--data", f"{name}={path.absolute()}")]
    words += ["--allow-remote-code"] if arguments.allow_remote_code else []
    words += ["--allow-code"] if arguments.allow_code else []
    log = into / "install.log"
    output.say([f"installing {len(rebuild.requirements(manifest))} distributions in {into / 'venv'} …"])
    try:
        code, document = rebuild.run(rebuild.build(into, manifest, log), words, log)
    except OvrunError as error:
        raise _with_log(error, log, keep=arguments.into is not None) from error
    if document["status"] not in _CODES:
        raise _Passed(document, code)
    return document


def _with_log(error: OvrunError, log: Path, *, keep: bool) -> OvrunError:
    """A log in a folder that goes away is of no use; its last words are told already."""
    error.log = log if keep and log.exists() else None
    return error


class _Passed(OvrunError):
    """What failed in the virtual environment, as it was told there."""

    def __init__(self, document: Mapping[str, Any], code: int) -> None:
        super().__init__("; ".join(map(str, document.get("errors", ["it failed"]))), hint=document.get("hint"))
        self.exit_code = code


def _text(document: Mapping[str, object]) -> Iterator[str]:
    differences = _told(document)
    made = f", in {document['made']}" if document["made"] else ""
    if document["status"] == "same":
        yield f"the same: {document['path']} was made again, byte for byte{made}"
        yield from (f"  although {difference}" for difference in differences)
        return
    what = "its inputs are not there" if document["status"] == "inputs differ" else "the result is another"
    yield f"not the same: {what}{made}; what differs first is"
    yield from (f"  {difference}" for difference in differences)


def _told(document: Mapping[str, Any]) -> list[str]:
    from runner.run.reproduce import Difference

    return [str(Difference(**one)) for one in document["differences"]]
