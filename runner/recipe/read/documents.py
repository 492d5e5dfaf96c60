"""The files that make up a recipe: the recipe itself and what its `defaults` name, read and checked before Hydra.

One rule covers presets: a group chosen nearer to the person replaces the whole section of what lies farther. A group
on the command line replaces the recipe's section; a group in a recipe replaces that of the recipe it builds on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.base.paths import is_file
from runner.base.words import enumerate_names, near, shorten
from runner.errors import RecipeError
from runner.recipe.origins import Found, KeyPath, Origin, found
from runner.recipe.read import rawcheck, yamlfile
from runner.recipe.read.search import ALL, NAME, presets
from runner.recipe.read.yamlfile import YamlFile

GROUPS = {"model": "model", "data": "datasets", "compression": "compression", "accuracy": "accuracy"}
"""Group of presets -> the section that it fills."""

MOST_PRESETS = 100
"""Names in a list of defaults."""

PRIMARY = "_recipe_"
"""Key of the recipe that was asked for, among its documents."""


@dataclass(frozen=True)
class Document:
    """One file as Hydra gets it.

    Attributes:
        key: `group/name`, the name of a recipe that is built on, or PRIMARY.
        package: the section that its values go to; empty for a recipe.
        defaults: its defaults list, rewritten.
        body: its values without `defaults` and without what is replaced.
    """

    key: str
    package: str
    file: YamlFile
    defaults: tuple[object, ...]
    body: Mapping[str, object]

    @property
    def prefix(self) -> KeyPath:
        """The section that its values go to, as a key path."""
        return () if self.package in ("", "_global_") else tuple(self.package.split("."))


@dataclass(frozen=True)
class Choice:
    """Presets chosen for a group on the command line; none of them empties the section."""

    names: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True)
class _Entry:
    """An entry of a defaults list; group None stands for another recipe, or for `_self_`."""

    group: str | None
    names: tuple[str, ...]
    origin: Origin
    path: KeyPath


def collect(path: Path, folders: Sequence[Path], choices: Mapping[str, Choice]) -> tuple[list[Document], list[Found]]:
    """Read a recipe and all that it names, in no special order; the problems are those of the `defaults` lists.

    Raises:
        RecipeError: a file can't be read as YAML.
    """
    collector = _Collector(folders)
    collector.recipe(path, PRIMARY, dict(choices), ())
    return list(collector.documents.values()), collector.problems


class _Collector:
    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = folders
        self.documents: dict[str, Document] = {}
        self.chosen: dict[str, _Entry] = {}
        self.problems: list[Found] = []

    def recipe(self, path: Path, key: str, taken: Mapping[str, Choice | None], stack: tuple[Path, ...]) -> None:
        """Read a recipe; the sections of the `taken` groups come from nearer, in PRIMARY from the command line."""
        file = self._read(path)
        entries = self._entries(file, None)
        own = {entry.group for entry in entries if entry.group} - set(taken)
        chosen = {group: choice for group, choice in taken.items() if choice} if key == PRIMARY else {}
        entries = [entry for entry in entries if entry.group not in taken]
        entries += [_Entry(g, c.names, c.origin, ("defaults", g)) for g, c in chosen.items()]
        dropped = {"defaults", *(GROUPS[group] for group in taken)}
        body = {name: value for name, value in file.data.items() if name not in dropped}
        self.documents[key] = Document(key, "", file, _rewritten(entries), body)
        for entry in entries:
            if entry.group:
                self._choose(entry)
                self._presets(entry, stack)
            elif entry.names != ("_self_",):
                self._base(entry, {**taken, **dict.fromkeys(own)}, (*stack, path))

    def _base(self, entry: _Entry, taken: Mapping[str, Choice | None], stack: tuple[Path, ...]) -> None:
        (name,) = entry.names
        path = self._find("", name, entry)
        if path in stack:
            chain = " -> ".join(p.stem for p in (*stack[stack.index(path) :], path))
            what = "a recipe can't build on itself" + (f": {chain}" if len(stack) > 1 else "")
            self.problems.append(found(entry.path, entry.origin, what, "name a preset by its group"))
        elif path and name in self.documents:
            self.problems.append(found(entry.path, entry.origin, f"{name} is listed twice"))
        elif path:
            self.recipe(path, name, taken, stack)

    def _choose(self, entry: _Entry) -> None:
        """A group has one choice; two of equal rank contradict each other."""
        assert entry.group
        first = self.chosen.setdefault(entry.group, entry)
        if first.names != entry.names:
            chosen = shorten(", ".join(first.names)) or "null"
            what = f"{entry.group} is {chosen} already in {first.origin.where}"
            self.problems.append(found(entry.path, entry.origin, what, "choose one, or list both in one entry"))

    def _presets(self, entry: _Entry, stack: tuple[Path, ...]) -> None:
        assert entry.group
        for name in entry.names:
            key = f"{entry.group}/{name}"
            path = self._find(entry.group, name, entry)
            if path in stack:
                what = "a preset can't build on itself"
                self.problems.append(found(entry.path, entry.origin, what))
            elif path and key not in self.documents:
                self._preset(path, entry.group, key, stack)

    def _preset(self, path: Path, group: str, key: str, stack: tuple[Path, ...]) -> None:
        file = self._read(path)
        entries = self._entries(file, group)
        body = {name: value for name, value in file.data.items() if name != "defaults"}
        self.documents[key] = Document(key, file.package or GROUPS[group], file, _rewritten(entries, group), body)
        for entry in entries:
            if entry.group and entry.group != group:
                self._choose(entry)
            if entry.group:
                self._presets(entry, (*stack, path))

    def _read(self, path: Path) -> YamlFile:
        try:
            file = yamlfile.read(path, rank=len(self.documents))
        except RecipeError as error:
            raise RecipeError([*(known.problem for known in self.problems), *error.problems]) from error
        rawcheck.clean(file)
        return file

    def _find(self, group: str, name: str, entry: _Entry) -> Path | None:
        """The file of a preset, or of a recipe where group is empty; None, with a problem, when there is none."""
        if NAME.fullmatch(name):
            for folder in self.folders:
                if is_file(path := folder / group / f"{name}.yaml"):
                    return path
        known = presets(group, self.folders)
        named = shorten(name)
        what = f"no {group} preset named {named}" if group else f"no recipe named {named}"
        self.problems.append(found(entry.path, entry.origin, what, enumerate_names(known, more=ALL), near(name, known)))
        return None

    def _entries(self, file: YamlFile, group: str | None) -> list[_Entry]:
        defaults = file.data.get("defaults", [])
        if not isinstance(defaults, list):
            self._problem(file, ("defaults",), "not a list", "a list of `group: preset` and `_self_`")
            return []
        entries = [self._entry(file, ("defaults", index), item, group) for index, item in enumerate(defaults)]
        kept = [entry for entry in entries if entry]
        if sum(len(entry.names) for entry in kept) > MOST_PRESETS:
            self._problem(file, ("defaults",), "too many entries", f"at most {MOST_PRESETS}")
            return []
        if sum(entry.names == ("_self_",) for entry in kept) > 1:
            self._problem(file, ("defaults",), "`_self_` is listed twice")
        return kept

    def _entry(self, file: YamlFile, path: KeyPath, item: object, own_group: str | None) -> _Entry | None:
        if isinstance(item, str):
            group = None if item == "_self_" else own_group
            return _Entry(group, (item,), file.origins[path], path)
        if not isinstance(item, dict) or len(item) != 1:
            self._problem(file, path, "not an entry of defaults", "`group: preset`, the name of a recipe, or `_self_`")
            return None
        ((key, value),) = item.items()
        group = key.removeprefix("override ").removeprefix("optional ").strip().lstrip("/")
        names = tuple(value) if isinstance(value, list) else () if value is None else (value,)
        if group not in GROUPS:
            self._problem(file, (*path, key), "unknown group", f"allowed: {', '.join(GROUPS)}", near(group, GROUPS))
        elif not all(isinstance(name, str) for name in names):
            self._problem(file, (*path, key), "not the name of a preset", "a name, a list of names, or null")
        else:
            return _Entry(group, names, file.origins[(*path, key)], (*path, key))
        return None

    def _problem(
        self, file: YamlFile, path: KeyPath, what: str, allowed: str | None = None, suggestion: str | None = None
    ) -> None:
        self.problems.append(found(path, file.origins[path], what, allowed, suggestion))


def _rewritten(entries: Sequence[_Entry], own_group: str | None = None) -> tuple[object, ...]:
    """The defaults list for Hydra, with `_self_` always in it: last, where the file doesn't say."""
    rewritten: list[object] = []
    for entry in entries:
        if entry.group is None or entry.group == own_group:
            rewritten += entry.names
        elif entry.names:
            rewritten.append({f"/{entry.group}": list(entry.names) if len(entry.names) > 1 else entry.names[0]})
    return tuple(rewritten if "_self_" in rewritten else [*rewritten, "_self_"])
