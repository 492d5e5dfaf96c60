"""A command line `optimum-cli export openvino …` -> a recipe that does what the command did."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.base.words import near, shorten
from runner.errors import Problem, UsageError
from runner.importers import optimum_export, source
from runner.importers.draft import Draft, slug
from runner.importers.optimum import Settings
from runner.recipe.origins import Origin, found, show_path

KIND = "a command line of optimum-cli export openvino"


@dataclass(frozen=True)
class Option:
    """An option: the field that it fills, and how its text is read; None for a flag."""

    field: str
    read: Callable[[str], object] | None = str
    choices: tuple[str, ...] = ()


_WEIGHT_FORMATS = ("fp32", "fp16", "int8", "int4", "mxfp4", "nf4", "cb4")
_QUANT_MODES = ("int8", "f8e4m3", "f8e5m2", "cb4_f8e4m3", "int4_f8e4m3", "int4_f8e5m2")
_LIBRARIES = ("transformers", "diffusers", "timm", "sentence_transformers", "open_clip", "kokoro")

OPTIONS: Mapping[str, Option] = {
    "--model": Option("model"),
    "--task": Option("task"),
    "--framework": Option("framework", choices=("pt",)),
    "--trust-remote-code": Option("trust_remote_code", None),
    "--weight-format": Option("weight_format", choices=_WEIGHT_FORMATS),
    "--quant-mode": Option("quant_mode", choices=_QUANT_MODES),
    "--library": Option("library", choices=_LIBRARIES),
    "--cache_dir": Option("cache_dir"),
    "--pad-token-id": Option("pad_token_id", int),
    "--variant": Option("variant"),
    "--ratio": Option("ratio", float),
    "--sym": Option("sym", None),
    "--group-size": Option("group_size", int),
    "--group-size-fallback": Option("group_size_fallback", choices=("error", "ignore", "adjust")),
    "--backup-precision": Option("backup_precision", choices=("none", "int8_sym", "int8_asym")),
    "--dataset": Option("dataset"),
    "--all-layers": Option("all_layers", None),
    "--awq": Option("awq", None),
    "--scale-estimation": Option("scale_estimation", None),
    "--gptq": Option("gptq", None),
    "--lora-correction": Option("lora_correction", None),
    "--sensitivity-metric": Option("sensitivity_metric"),
    "--quantization-statistics-path": Option("quantization_statistics_path"),
    "--num-samples": Option("num_samples", int),
    "--disable-stateful": Option("disable_stateful", None),
    "--disable-convert-tokenizer": Option("disable_convert_tokenizer", None),
    "--smooth-quant-alpha": Option("smooth_quant_alpha", float),
    "--model-kwargs": Option("model_kwargs", json.loads),
}
"""All options of the command, as optimum/commands/export/openvino.py has them."""

_TYPED = "command line: "

_KINDS: Mapping[object, str] = {int: "a whole number", float: "a number", json.loads: "JSON"}


def convert(words: Sequence[str], origins: Sequence[Origin], path: Path, *, name: str) -> Draft:
    """The recipe of a command line; what is wrong in it is among the draft's problems.

    Raises:
        UsageError: it is another command of optimum-cli.
    """
    start = next((index for index, word in enumerate(words) if word.rpartition("/")[2] == source.TOOL), None)
    if start is None:
        where = origins[0].where if origins else show_path(path)
        raise UsageError([Problem(where, "", "no command of optimum-cli", "allowed: optimum-cli export openvino …")])
    if list(words[start + 1 : start + 3]) != ["export", "openvino"]:
        what = "not a command that exports to OpenVINO"
        raise UsageError([Problem(origins[start].where, "", what, "allowed: optimum-cli export openvino …")])
    draft = Draft(source.from_words(name, path, {(): origins[start]}), KIND, command=shlex.join(words[start:]))
    reader = _Reader(draft, words[start + 3 :], origins[start + 3 :])
    reader.read()
    values, names, places = reader.values, reader.names, reader.places
    settings = Settings(values, names, places, origins[start], "the command")
    for required, said in (("model", "--model"), ("output", "the output folder")):
        if required not in values:
            draft.problems.append(found((), origins[start], f"{said} is missing"))
    if not draft.problems:
        draft.put(("name",), slug(Path(str(values["output"])).name), "the command's output folder", places["output"])
        optimum_export.fill(draft, settings)
        draft.drop("", f"output {values['output']}", "recipes publish in outputs/<name>/<N>")
    return draft


class _Reader:
    """Reads options as argparse does: `--key value`, `--key=value`, and any unique beginning of a key."""

    def __init__(self, draft: Draft, words: Sequence[str], origins: Sequence[Origin]) -> None:
        self.draft, self.words, self.origins = draft, words, origins
        self.values: dict[str, object] = {}
        self.names: dict[str, str] = {}
        self.places: dict[str, Origin] = {}
        self.index = 0

    def read(self) -> None:
        """Read all words; what can't be read becomes problems of the draft."""
        while self.index < len(self.words):
            word, place = self.words[self.index], self.origins[self.index]
            self.index += 1
            if word.startswith("-") and len(word) > 1 and not _is_number(word):
                self._option(word, place)
            elif "output" in self.values:
                self._wrong(place, word, "a second output folder", "the command takes one")
            else:
                self._keep("output", "output", word, place)

    def _keep(self, field: str, name: str, value: object, place: Origin) -> None:
        shown = name if value is True or field == "output" else f"{name} {value}"
        self.values[field], self.names[field], self.places[field] = value, name, _typed(place, shown)

    def _wrong(self, place: Origin, word: str, what: str, allowed: str | None, guess: str | None = None) -> None:
        path = () if place.where.startswith(_TYPED) else (word,)
        self.draft.problems.append(found(path, _typed(place, word), what, allowed, guess))

    def _option(self, word: str, place: Origin) -> None:
        key, equals, text = word.partition("=")
        if word.startswith("-m") and not word.startswith("--"):
            key, equals, text = "--model", word[2:], word[2:].removeprefix("=")
        matches = [key] if key in OPTIONS else [option for option in OPTIONS if option.startswith(key)]
        if len(matches) != 1 or not key.startswith("--"):
            guess = near(key, OPTIONS)
            what = f"may be {', '.join(matches)}" if matches else "unknown option"
            self._wrong(place, key, what, None if guess else "`optimum-cli export openvino --help` lists all", guess)
            return
        option = OPTIONS[matches[0]]
        if option.read is None:
            if equals:
                self._wrong(place, matches[0], "takes no value", None)
            self._keep(option.field, matches[0], True, place)
            return
        if not equals:
            if self.index >= len(self.words) or self._is_option(self.words[self.index]):
                self._wrong(place, matches[0], "needs a value", _allowed(option))
                return
            text, place = self.words[self.index], self.origins[self.index]
            self.index += 1
        self._value(matches[0], option, text, place)

    def _is_option(self, word: str) -> bool:
        return word.startswith("-") and len(word) > 1 and not _is_number(word)

    def _value(self, name: str, option: Option, text: str, place: Origin) -> None:
        assert option.read
        try:
            value = option.read(text)
        except (ValueError, RecursionError):
            self._wrong(place, name, f'"{shorten(text)}" is not {_KINDS[option.read]}', _allowed(option))
            return
        if option.choices and value not in option.choices:
            self._wrong(place, name, f'"{shorten(text)}" is not known', _allowed(option), near(text, option.choices))
            return
        self._keep(option.field, name, value, place)


def _typed(place: Origin, shown: str) -> Origin:
    """The place of a word; one that was typed on our own command line is shown with its option."""
    if not place.where.startswith(_TYPED):
        return place
    return dataclasses.replace(place, where=f"{_TYPED}{shown}", key_where=f"{_TYPED}{shown}")


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _allowed(option: Option) -> str | None:
    if option.choices:
        return f"allowed: {', '.join(option.choices)}"
    return f"allowed: {_KINDS[option.read]}" if option.read in _KINDS else None
