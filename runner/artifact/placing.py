"""Placing: the next version is made whole under a hidden name, then renamed into view; numbers only grow."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner import __version__
from runner.artifact import latest, openvino_config, record
from runner.artifact.manifest import build_manifest
from runner.artifact.portable import Places
from runner.artifact.status import Status
from runner.artifact.verify import examine
from runner.artifact.versions import (
    MANIFEST,
    REJECTED,
    digest_of,
    is_number,
    load_manifest,
    manifest_text,
    read_manifest,
    versions,
)
from runner.base import keys
from runner.base.values import listing
from runner.errors import StageError
from runner.metrics.gates import Judged, stated
from runner.plan.types import Plan
from runner.store import Entry, Store, cannot_write

if TYPE_CHECKING:
    from runner.artifact.types import FileRecord, Manifest, SweepRecord

RECIPE, CARD = "recipe.yaml", "README.md"


@dataclass(frozen=True)
class Placed:
    """Where an artifact is.

    Attributes:
        status: published, up to date, rejected, or undecided.
        version: its number; only versions have one.
        damaged: versions of the same content that were found damaged now, a sentence each.
    """

    status: Status
    path: Path
    version: int | None
    damaged: tuple[str, ...] = ()


def identity_of(plan: Plan) -> str:
    """What makes two runs the same artifact: the same model, the same measurements, the same gates."""
    gates = [stated(measurement.check) for measurement in plan.measurements]
    ordered = sorted(listing(keys.canonical(gates)), key=str)
    return keys.digest({"ovrun": __version__.split(".")[0], "targets": sorted(plan.targets), "gates": ordered})


def place(
    plan: Plan,
    store: Store,
    entries: Mapping[str, Entry],
    checks: Sequence[Judged],
    outputs: Path,
    sweep: SweepRecord | None = None,
    *,
    accept_undecided: bool = False,
) -> Placed:
    """Publish a version, say which one it already is, or put a model aside that missed a gate or is undecided.

    `sweep` is what the manifest of a sweep's point says of that. `accept_undecided` publishes an undecided one.

    Raises:
        OSError: outputs can't be written; earlier versions are untouched.
        StageError: something that ovrun did not make stands in the way.
    """
    refuse_foreign(outputs / plan.recipe.name)
    work = _Placing(plan, store, entries, checks, outputs, sweep)
    passed = all(judged.lets_pass(undecided=accept_undecided) for judged in checks)
    open_yet = not passed and all(judged.lets_pass(undecided=True) for judged in checks)
    found = work.up_to_date() if passed else None
    if found is not None and not work.news:
        return found
    try:
        with store.locked(f"publish-{plan.recipe.name}"):
            work.look()
            found = work.up_to_date() if passed else None
            if found is not None:
                work.remember()
                return found
            return work.publish() if passed else work.put_aside(Status.UNDECIDED if open_yet else Status.REJECTED)
    except OSError:
        if found is None:
            raise
        return found  # what is known of it can't be written down, which may be so


def put_converted_aside(
    plan: Plan, store: Store, entry: Entry, outputs: Path, sweep: SweepRecord | None = None
) -> Path:
    """Keep a converted model, `entry`, with those that miss a gate, and say where; raises as `place` does."""
    with store.locked(f"publish-{plan.recipe.name}"):
        return _Placing(plan.of_converted, store, {plan.converted: entry}, (), outputs, sweep).put_aside().path


def refuse_foreign(home: Path) -> None:
    """Refuse what ovrun did not make where it would write: a recipe's folder or `latest` of another kind.

    Raises:
        StageError: with what is in the way.
    """
    try:
        fs.own_folder(home.parent, home.name, REJECTED, make=False)
    except OSError as error:
        raise cannot_write(home, error) from error
    latest.refuse_foreign(home)


class _Placing:
    """One artifact on its way into its recipe's folder, whose lock is held."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        entries: Mapping[str, Entry],
        checks: Sequence[Judged],
        outputs: Path,
        sweep: SweepRecord | None,
    ) -> None:
        self.plan, self.store, self.entries, self.checks, self.sweep = plan, store, entries, checks, sweep
        self.outputs, self.home = outputs, outputs / plan.recipe.name
        self.identity, self.model = identity_of(plan), entries[plan.model]
        self.look()

    def look(self) -> None:
        """Read what is known of the recipe's versions; again once the lock is held."""
        self.record = record.load(self.home)
        self.damaged: list[str] = []
        self.news = False

    def up_to_date(self) -> Placed | None:
        """The newest version that holds the same content, unchanged; damaged ones of that content are marked."""
        for number, folder in reversed(record.folders(self.home, self.record).items()):
            manifest = read_manifest(folder)
            identities = (self.record.of(number).identity, manifest and manifest["identity"])
            if self.identity in identities and self._is_whole(number, folder):
                if self.plan.recipe.publish == "copy":
                    fs.separate(folder)
                self.news = self.news or not latest.leads_to_version(self.home)
                return Placed(Status.UP_TO_DATE, folder, number, tuple(self.damaged))
        return None

    def _is_whole(self, number: int, folder: Path) -> bool:
        """Whether a version still holds what was published; the record says it if not."""
        before = self.record.of(number)
        examined = examine(folder, known=lambda name: self._is_known(before, name, folder / name))
        wrong = tuple(map(str, examined.faults))
        if wrong and not before.damaged:
            self.damaged.append(f"{folder} was changed since it was published: {record.words(wrong)}")
        if wrong or examined.manifest is None:
            after = record.Version(before.identity or self.identity, before.files, before.seen, wrong)
        else:
            names = (*examined.manifest["files"], MANIFEST)
            known = not before.damaged and all(before.unchanged(name, folder / name) for name in names)
            after = before if known else record.see(folder, examined.manifest)
        if after != before:
            self.record.versions[number], self.news = after, True
        return not wrong

    def _is_known(self, before: record.Version, name: str, file: Path) -> bool:
        """Whether a file need not be read: it is the verified store entry's own, by a hard link, or as it was seen."""
        stored = self.model.files / name
        return (stored.is_file() and file.samefile(stored)) or before.unchanged(name, file)

    def publish(self) -> Placed:
        """Make the next version."""
        number = self._next_number()
        target = self.home / str(number)
        self._assemble(target, number, lambda: self._take(number))
        manifest = load_manifest(target)
        kept = record.folders(self.home, self.record)
        self.record.versions = {n: one for n, one in self.record.versions.items() if n in kept}
        self.record.versions[number] = record.see(target, manifest)
        self.remember()
        return Placed(Status.PUBLISHED, target, number, tuple(self.damaged))

    def remember(self) -> None:
        """Write down what is known of the versions, and let `latest` lead to the newest."""
        record.save(self.home, self.record)
        newest = max(number for number, _ in versions(self.home))
        if latest.latest_number(self.home) != newest:
            latest.point(self.home, newest)

    def _next_number(self) -> int:
        """A number above all that were ever used; whatever lies under such a name already is passed over."""
        known = [number for number, _ in versions(self.home)]
        kept = record.number_in(fs.recall(self._memory()).get("last"))
        number = max([*known, self.record.last, kept, latest.latest_number(self.home) or 0]) + 1
        while os.path.lexists(self.home / str(number)):
            number += 1
        if not is_number(str(number)):
            message = f"{self.home} has a version {number - 1}, and there is no higher number that a model server reads"
            raise StageError(message, hint="Move that version away, or give the recipe another name.")
        return number

    def _memory(self) -> Path:
        """The second place where the highest number stands."""
        return self.store.room("numbers") / f"{self.plan.recipe.name}.json"

    def _take(self, number: int) -> None:
        """Use a number up, in both places, before anything is seen under it."""
        self.record.last = number
        record.save(self.home, self.record)
        fs.write_json(self._memory(), {"last": number})

    def put_aside(self, status: Status = Status.REJECTED) -> Placed:
        """Keep a model that is not published; one that lies there already stays if it is whole."""
        for name in _names(self.identity[:12]):
            target = self.home / REJECTED / name
            manifest = read_manifest(target)
            ours = manifest is not None and manifest["identity"] == self.identity
            if ours and self._is_kept(target):
                return Placed(status, target, None)
            if ours or not os.path.lexists(target):
                self._assemble(target, None, partial(fs.remove_tree, target))
                return Placed(status, target, None)
        message = f"{self.home / REJECTED} is full of folders that ovrun did not make"
        raise StageError(message)

    def _is_kept(self, folder: Path) -> bool:
        nothing = record.Version()
        return examine(folder, known=lambda name: self._is_known(nothing, name, folder / name)).whole

    def _assemble(self, target: Path, number: int | None, ready: Callable[[], None]) -> None:
        """Make the whole folder under a hidden name, then rename it into view; `ready` is called right before that."""
        for stale in target.parent.glob(".new-*"):
            fs.discard_tree(stale)
        folder = target.parent / f".new-{target.name}-{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        try:
            self._fill(folder, number)
            ready()
            folder.rename(target)
        except BaseException:
            fs.discard_tree(folder)
            raise

    def _fill(self, folder: Path, number: int | None) -> None:
        from runner.artifact.card import write_card
        from runner.recipe.dump import dump_data

        plan, places = self.plan, Places(self.plan.recipe, self.outputs, folder)
        fs.link_tree(self.model.files, folder, independent=plan.recipe.publish == "copy")
        self.store.refresh(self.model)
        manifest = build_manifest(plan, self.store, self.entries, self.checks, self.identity, number, places)
        if self.sweep is not None:
            manifest["sweep"] = {
                "name": places.settings(self.sweep["name"]),
                "settings": places.settings(self.sweep["settings"]),
            }
        text = dump_data(manifest["recipe"], _remarks(manifest))
        (folder / RECIPE).write_text(text, encoding="utf-8")
        write_card(folder / CARD, manifest)
        written = (CARD, RECIPE, *openvino_config.put(folder, plan, manifest))
        manifest["files"] |= {name: _described(folder / name) for name in written}
        manifest["digest"] = digest_of(manifest)
        (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8", newline="\n")
        fs.make_read_only(folder, fs.scan(folder))


def _names(first: str) -> Sequence[str]:
    """A name, and others to take where somebody else has it."""
    return [first, *(f"{first}-{number}" for number in range(2, 100))]


def _remarks(manifest: Manifest) -> list[tuple[str, str]]:
    """What recipe.yaml says of itself: the revision that was asked for, and data that lie elsewhere."""
    remarks = []
    asked = manifest["model"].get("requested_revision")
    if asked != manifest["model"].get("revision"):
        remarks.append(("model.revision is the commit that was used; asked for was", str(asked)))
    recipe = manifest["recipe"]
    for data in (recipe["model"], *recipe.get("datasets", {}).values()):
        if "path" in data and "/" not in data["path"]:
            remarks.append(("outside of the project lay, and beside this file is looked for,", data["path"]))
    return remarks


def _described(path: Path) -> FileRecord:
    return {"sha256": fs.sha256_file(path), "size": path.stat().st_size}
