"""`ovrun list` and `ovrun show`: recipes, published versions, one version's manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.artifact import record
from runner.artifact.checks import check_lines
from runner.artifact.named import named, published
from runner.artifact.noise import looked_up, reader
from runner.artifact.parts import part_lines
from runner.artifact.versions import is_number, load_manifest
from runner.base.figures import megabytes, seconds
from runner.base.figures import number as figure
from runner.base.words import plural
from runner.errors import SourceError
from runner.recipe import list_recipes
from runner.report.layout import aligned, cut
from runner.store import store_of

if TYPE_CHECKING:
    from runner.artifact.types import Manifest, ModelRecord, StageRecord


def listing(recipes_dir: Path | None, outputs: Path, *, points: bool = True) -> list[dict[str, Any]]:
    """Recipes with their versions, then the names in `outputs` that no recipe stands for.

    Without `points`, the points of the recipes' sweeps are only counted, in `published_points` of their recipe.
    """
    rows = []
    for entry in list_recipes(recipes_dir):
        origin = "built in" if entry.builtin else str(entry.path)
        rows.append(_row(entry.name, entry.publishes, entry.description, origin, outputs) | {"points": entry.points})
    known = {row["publishes"]: row for row in rows}
    others = [name for name in published(outputs) if name not in known]
    for name in others:
        if owner := known.get(name.partition("--")[0]):
            owner["published_points"] += 1
    shown = [name for name in others if points or name.partition("--")[0] not in known]
    return rows + [_row(name, name, "", None, outputs) for name in shown]


def _row(name: str, publishes: str, description: str, origin: str | None, outputs: Path) -> dict[str, Any]:
    """A row of `name`, whose versions are called `publishes`."""
    home = outputs / publishes
    kept = record.load(home)
    found = record.folders(home, kept)
    manifest, states = None, {}
    for number, folder in found.items():
        known, newest = kept.of(number), number == max(found)
        try:
            manifest = load_manifest(folder) if newest else None
        except SourceError as error:
            states[number] = error.message
            continue
        if state := record.state(folder, known, manifest):
            states[number] = state
    return {
        "name": name,
        "publishes": publishes,
        "description": description,
        "recipe": origin,
        "points": None,
        "published_points": 0,
        "versions": list(found),
        "size": manifest["size"]["optimized"] if manifest else None,
        "created": manifest["created"] if manifest else None,
        "changed": states,
    }


def listing_lines(rows: list[dict[str, object]], width: int | None = None) -> list[str]:
    """The table; no line is longer than a terminal of this width."""
    head = ("recipe", "from", "versions", "size", "description")
    return [cut(line, width) for line in aligned([head, *map(_cells, rows)])]


def states(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each version that is not as it was published."""
    for row in rows:
        yield from (f"{row['name']}/{number}: {state}" for number, state in row["changed"].items())


def _cells(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    made = ", ".join(map(str, row["versions"][-4:]))
    made = ", ".join(filter(None, [made, row["published_points"] and plural(row["published_points"], "point")])) or "-"
    size = megabytes(row["size"]) if row["size"] else "-"
    origin = "built in" if row["recipe"] == "built in" else "yours" if row["recipe"] else "no recipe"
    points = f"[{row['points']} points] " if row["points"] else ""
    points += f"[as {row['publishes']}] " if row["publishes"] != row["name"] else ""
    return row["name"], origin, made, size, f"{points}{row['description']}"


def find_version(word: str, outputs: Path) -> tuple[Manifest, Path]:
    """The manifest and folder of `NAME` (its latest version) or `NAME/N`.

    Raises:
        UsageError: there is no such version.
        SourceError: its manifest can't be read.
    """
    folder = named(word, outputs, paths=False)
    manifest = load_manifest(folder)
    return manifest, folder


def state_of(manifest: Manifest, folder: Path) -> str | None:
    """What is to be said of a version that is not as it was published; None for one that is, as far as is visible."""
    known = record.load(folder.parent).of(int(folder.name)) if is_number(folder.name) else record.Version()
    return record.state(folder, known, manifest)


def version_lines(manifest: Manifest, path: Path, outputs: Path) -> Iterator[str]:
    """One manifest so that a person sees what it is, how it was made and what it measured.

    The store of `outputs` has noise floors that were measured since.
    """
    model, size = manifest["model"], manifest["size"]
    origin = model.get("id") or model.get("path")
    yield f"{manifest['name']}/{manifest['version']}  {path}"
    if manifest["description"]:
        yield f"  {manifest['description']}"
    yield f"  model     {origin} ({model['source']}){_revision(model)}, {model['task'] or 'no task'}"
    yield f"  made      {manifest['created']} by ovrun {manifest['ovrun']} on {manifest['hardware']['cpu']}"
    ratio = f", {size['optimized'] / size['converted']:.2f} x converted" if size["converted"] else ""
    yield f"  size      {megabytes(size['optimized'])}{ratio}"
    yield from (f"    {line}" for line in part_lines(size))
    yield from ("", "  stages")
    yield from _stage_lines(manifest["stages"])
    if manifest["checks"]:
        yield from ("", "  checks")
    yield from (f"    {line}  {met}" for line, met in check_lines(looked_up(manifest, reader(store_of(outputs)))))
    yield from ("", "  files")
    for name, described in sorted(manifest["files"].items()):
        yield f"    {described['sha256'][:12]}  {megabytes(described['size']):>8}  {name}"
    yield from ("", "  libraries")
    yield "    " + ", ".join(f"{name} {version}" for name, version in manifest["libraries"].items())


def flipped_lines(manifest: Manifest) -> Iterator[str]:
    """Which rows of each check's data are worse with the model than with the reference, the worst first."""
    for check in manifest["checks"]:
        flipped = check.get("flipped")
        yield ""
        yield f"  rows of {check['metric']} on {check['dataset']}"
        if flipped is None:
            yield "    this metric has no number a row, or no reference beside it"
            continue
        counts = f"{flipped['worse']} worse than with the reference, {flipped['better']} better"
        yield f"    {counts}, of {check.get('rows')}"
        for row in flipped["rows"]:
            yield f"    row {row['row']}: reference {figure(row['reference'])}, model {figure(row['model'])}"
        if (more := flipped["worse"] - len(flipped["rows"])) > 0:
            yield f"    … and {more} more"


def _stage_lines(stages: Sequence[StageRecord]) -> Iterator[str]:
    width = max((len(stage["label"]) for stage in stages), default=0)
    for stage in stages:
        cost = f"{seconds(stage['seconds']):>9}  {megabytes(stage['peak_memory']):>8} peak"
        yield f"    {stage['label']:<{width}} {cost}  {stage['key'][:12]}"
        for note in stage.get("result", {}).get("notes", ()):
            yield f"      note: {note}"


def _revision(model: ModelRecord) -> str:
    return f" at {model['revision'][:12]}" if "revision" in model else ""
