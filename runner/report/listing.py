"""`ovrun list` and `ovrun show`: recipes, published versions, one version's manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.artifact import versions
from runner.base.words import near
from runner.errors import Problem, UsageError
from runner.manifest import read_manifest
from runner.recipe import list_recipes
from runner.report.layout import aligned, cut
from runner.report.words import check_lines, megabytes, plural, seconds


def listing(recipes_dir: Path | None, outputs: Path, *, points: bool = True) -> list[dict[str, Any]]:
    """Recipes with their versions, then the names in `outputs` that no recipe stands for.

    Without `points`, the points of the recipes' sweeps are only counted, in `published_points` of their recipe.
    """
    rows = []
    published = _published(outputs)
    for entry in list_recipes(recipes_dir):
        origin = "built in" if entry.builtin else str(entry.path)
        rows.append(_row(entry.name, entry.description, origin, outputs) | {"points": entry.points})
    known = {row["name"]: row for row in rows}
    others = [name for name in published if name not in known]
    for name in others:
        if owner := known.get(name.partition("--")[0]):
            owner["published_points"] += 1
    return rows + [_row(name, "", None, outputs) for name in others if points or name.partition("--")[0] not in known]


def _published(outputs: Path) -> list[str]:
    if not outputs.is_dir():
        return []
    names = sorted(path.name for path in outputs.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [name for name in names if any(versions(outputs / name))]


def _row(name: str, description: str, origin: str | None, outputs: Path) -> dict[str, Any]:
    found = list(versions(outputs / name))
    manifest = read_manifest(found[-1][1]) if found else None
    return {
        "name": name,
        "description": description,
        "recipe": origin,
        "points": None,
        "published_points": 0,
        "versions": [n for n, _ in found],
        "size": manifest["size"]["optimized"] if manifest else None,
        "created": manifest["created"] if manifest else None,
    }


def listing_lines(rows: list[dict[str, Any]], width: int | None = None) -> list[str]:
    """The table; no line is longer than a terminal of this width."""
    head = ("recipe", "from", "versions", "size", "description")
    return [cut(line, width) for line in aligned([head, *map(_cells, rows)])]


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    made = ", ".join(map(str, row["versions"][-4:]))
    made = ", ".join(filter(None, [made, row["published_points"] and plural(row["published_points"], "point")])) or "-"
    size = megabytes(row["size"]) if row["size"] else "-"
    origin = "built in" if row["recipe"] == "built in" else "yours" if row["recipe"] else "no recipe"
    points = f"[{row['points']} points] " if row["points"] else ""
    return row["name"], origin, made, size, f"{points}{row['description']}"


def find_version(word: str, outputs: Path) -> tuple[dict[str, Any], Path]:
    """The manifest and folder of `NAME` (its latest version) or `NAME/N`.

    Raises:
        UsageError: there is no such version.
    """
    name, _, wanted = word.strip("/").partition("/")
    found = dict(versions(outputs / name)) if name not in ("", "..", ".") else {}
    chosen = found.get(int(wanted)) if wanted.isdecimal() else None if wanted else max_version(found)
    manifest = read_manifest(chosen) if chosen else None
    if chosen is None or manifest is None:
        raise _unknown(word, name, found, outputs)
    return manifest, chosen


def max_version(found: Mapping[int, Path]) -> Path | None:
    """The folder of the highest number."""
    return found[max(found)] if found else None


def _unknown(word: str, name: str, found: Mapping[int, Path], outputs: Path) -> UsageError:
    if found:
        allowed = f"{name} has versions {', '.join(map(str, found))}"
        return UsageError([Problem("command line", "", f"there is no version {word}", allowed)])
    what = f"{outputs}/ holds no published version of {name}"
    problem = Problem("command line", "", what, None, near(name, _published(outputs)))
    return UsageError([problem], hint=f"Make one with `ovrun optimize {name}`; `ovrun list` shows what there is.")


def version_lines(manifest: Mapping[str, Any], path: Path) -> Iterator[str]:
    """One manifest so that a person sees what it is, how it was made and what it measured."""
    model, size = manifest["model"], manifest["size"]
    origin = model.get("id") or model.get("path")
    yield f"{manifest['name']}/{manifest['version']}  {path}"
    if manifest["description"]:
        yield f"  {manifest['description']}"
    yield f"  model     {origin} ({model['source']}){_revision(model)}, {model['task'] or 'no task'}"
    yield f"  made      {manifest['created']} by ovrun {manifest['ovrun']} on {manifest['hardware']['cpu']}"
    ratio = f", {size['optimized'] / size['converted']:.2f} x converted" if size["converted"] else ""
    yield f"  size      {megabytes(size['optimized'])}{ratio}"
    yield from ("", "  stages")
    yield from _stage_lines(manifest["stages"])
    if manifest["checks"]:
        yield from ("", "  checks")
    yield from (f"    {line}  {met}" for line, met in check_lines(manifest["checks"]))
    yield from ("", "  files")
    for name, described in sorted(manifest["files"].items()):
        yield f"    {described['sha256'][:12]}  {megabytes(described['size']):>8}  {name}"
    yield from ("", "  libraries")
    yield "    " + ", ".join(f"{name} {version}" for name, version in manifest["libraries"].items())


def _stage_lines(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = max((len(stage["label"]) for stage in stages), default=0)
    for stage in stages:
        cost = f"{seconds(stage['seconds']):>9}  {megabytes(stage['peak_memory']):>8} peak"
        yield f"    {stage['label']:<{width}} {cost}  {stage['key'][:12]}"
        for note in stage.get("result", {}).get("notes", ()):
            yield f"      note: {note}"


def _revision(model: Mapping[str, Any]) -> str:
    return f" at {model['revision'][:12]}" if "revision" in model else ""
