"""Artifacts: numbers only grow, what stands in the way is refused, what was changed is found and marked."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from runner.artifact import record, shape
from runner.artifact.named import named
from runner.artifact.portable import Places
from runner.artifact.verify import examine
from runner.artifact.versions import digest_of, load_manifest, versions
from runner.base import files as fs
from runner.base import resources
from runner.errors import SourceError, StageError, UsageError
from runner.recipe.types import ModelSource, Recipe
from runner.report.listing import listing
from runner.report.rows import collect
from tests.artifacts import MODEL, Project
from tests.campaigns import flips, harness
from tests.conftest import Ovrun


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def writable(path: Path) -> Path:
    path.chmod(0o644)
    return path


def test_a_manifest_fits_its_schema_and_has_its_own_digest(project: Project) -> None:
    manifest = load_manifest(project.publish().path)
    schema = json.loads((resources.schemas_dir() / "manifest.schema.json").read_text())
    Draft202012Validator(schema).validate(manifest)
    assert manifest["digest"] == digest_of(manifest)
    assert set(manifest["files"]) == {*MODEL, "README.md", "recipe.yaml"}


# --- numbers


def publish_other(project: Project, content: str) -> int | None:
    project.model = {**MODEL, "openvino_model.bin": content}
    return project.publish().version


@pytest.mark.parametrize(
    "lose",
    [
        lambda project: None,
        lambda project: (project.home / record.NAME).unlink(),
        lambda project: shutil.rmtree(project.outputs / ".store"),
        lambda project: (project.home / record.NAME).write_text('{"last": "no", "versions": [1]}'),
        lambda project: shutil.rmtree(project.home),
        lambda project: (project.outputs / ".store" / "numbers" / "r.json").write_text("[]"),
    ],
    ids=["nothing lost", "record lost", "store lost", "record damaged", "folder lost", "memory damaged"],
)
def test_no_number_is_used_twice(project: Project, lose: Callable[[Project], Any]) -> None:
    assert publish_other(project, "a") == 1
    assert publish_other(project, "b") == 2
    for number in ("1", "2"):
        shutil.rmtree(project.home / number)
    lose(project)
    assert publish_other(project, "c") == 3
    assert (project.home / "latest").readlink() == Path("3")


def test_without_links_latest_is_a_file_and_every_file_is_its_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVRUN_LINKS", "none")
    assert publish_other(project, "a") == 1
    assert publish_other(project, "b") == 2
    latest = project.home / "latest"
    assert not latest.is_symlink() and latest.read_text() == "2\n"
    assert named("r/latest", project.outputs) == project.home / "2"
    for word in (latest, latest / "manifest.json"):
        assert named(str(word), project.outputs) == project.home / "2"
    assert {path.stat().st_nlink for path in project.outputs.rglob("*") if path.is_file()} == {1}
    assert not [path for path in project.outputs.rglob("*") if path.is_symlink()]
    assert project.publish().status == "up to date"


@pytest.mark.parametrize("first", ["none", ""])
def test_an_outputs_folder_moves_between_systems_with_links_and_without(
    project: Project, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setenv("OVRUN_LINKS", first)
    assert publish_other(project, "a") == 1
    monkeypatch.setenv("OVRUN_LINKS", "" if first else "none")
    assert project.publish().status == "up to date"
    assert named("r/latest", project.outputs) == project.home / "1"
    assert publish_other(project, "b") == 2
    assert (project.home / "latest").is_symlink() == bool(first)
    assert named("r/latest", project.outputs) == project.home / "2"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_others_named_like_a_version_is_passed_over(project: Project, kind: str) -> None:
    project.publish()
    theirs = project.home / "2"
    if kind == "folder":
        theirs.mkdir()
        (theirs / "notes.txt").write_text("mine")
    elif kind == "file":
        theirs.write_text("mine")
    else:
        theirs.symlink_to(project.folder)
    assert publish_other(project, "b") == 3
    assert [number for number, _ in versions(project.home)] == [1, 3]
    assert os.path.lexists(theirs) and (kind != "folder" or (theirs / "notes.txt").read_text() == "mine")


@pytest.mark.parametrize("name", ["01", "0", "1.2", "٣", "-1", "99999999999999999999", "1 "])
def test_names_that_are_no_numbers(project: Project, name: str) -> None:
    project.publish()
    shutil.copytree(project.home / "1", project.home / name)
    assert publish_other(project, "b") == 2
    assert [number for number, _ in versions(project.home)] == [1, 2]


# --- what stands in the way


def a_folder(link: Path) -> None:
    link.mkdir()
    (link / "mine").write_text("x")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (a_folder, "latest is a folder"),
        (lambda link: link.write_text("x"), "latest is a file"),
        (lambda link: link.write_text("1"), "latest is a file"),
        (lambda link: link.write_text("1\n2\n"), "latest is a file"),
        (lambda link: link.write_text("../1\n"), "latest is a file"),
        (lambda link: link.write_text("1\n" * 100), "latest is a file"),
        (os.mkfifo, "latest is a named pipe"),
        (lambda link: link.symlink_to("/etc"), "latest leads to /etc"),
        (lambda link: link.symlink_to("../elsewhere"), "latest leads to ../elsewhere"),
        (lambda link: link.symlink_to("1/../1"), "latest leads to 1/../1"),
    ],
)
def test_a_latest_that_is_not_ours_is_refused(project: Project, make: Callable[[Path], Any], told: str) -> None:
    project.home.mkdir(parents=True)
    make(project.home / "latest")
    with pytest.raises(StageError, match="latest") as caught:
        project.publish()
    assert told in caught.value.message and caught.value.hint
    assert not list(versions(project.home))


def test_a_latest_that_leads_nowhere_is_mended(project: Project) -> None:
    project.publish()
    (project.home / "latest").unlink()
    (project.home / "latest").symlink_to("7")
    assert project.publish().status == "up to date"
    assert (project.home / "latest").readlink() == Path("1")
    assert publish_other(project, "b") == 2


@pytest.mark.parametrize("name", ["r", "r/rejected"])
def test_a_folder_that_is_a_link_is_refused(project: Project, name: str) -> None:
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir()
    (project.outputs / name).parent.mkdir(parents=True, exist_ok=True)
    (project.outputs / name).symlink_to(elsewhere)
    project.value = 5.0
    with pytest.raises(StageError, match="symbolic link"):
        project.publish()
    assert not list(elsewhere.iterdir())


# --- what was changed


def flip(path: Path) -> None:
    content = bytearray(writable(path).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a byte of the weights": lambda folder: flip(folder / "openvino_model.bin"),
    "a byte in a folder": lambda folder: flip(folder / "parts" / "vocabulary.txt"),
    "a byte of the card": lambda folder: flip(folder / "README.md"),
    "a byte of the recipe": lambda folder: flip(folder / "recipe.yaml"),
    "a byte of the manifest": lambda folder: flip(folder / "manifest.json"),
    "white space in the manifest": lambda folder: writable(folder / "manifest.json").write_text(
        (folder / "manifest.json").read_text().replace('": ', '":  ', 1)
    ),
    "another manifest": lambda folder: writable(folder / "manifest.json").write_text("[]"),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "no weights": lambda folder: (folder / "openvino_model.bin").unlink(),
    "shorter": lambda folder: writable(folder / "openvino_model.bin").write_text("w"),
    "longer": lambda folder: writable(folder / "openvino_model.bin").write_text("w" * 3001),
    "a file more": lambda folder: (folder / "openvino_model.bin.bak").write_text(""),
    "a folder more": lambda folder: (folder / "empty").mkdir(),
    "a link": lambda folder: ((folder / "config.json").unlink(), (folder / "config.json").symlink_to("/etc/passwd")),
    "a pipe": lambda folder: ((folder / "config.json").unlink(), os.mkfifo(folder / "config.json")),
    "a folder in place of a file": lambda folder: ((folder / "config.json").unlink(), (folder / "config.json").mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_marked_and_made_good(project: Project, damage: Callable[[Path], Any]) -> None:
    first = project.publish().path
    assert examine(first).whole
    damage(first)
    assert not examine(first).whole
    placed = project.publish()
    assert (placed.status, placed.version) == ("published", 2)
    assert len(placed.damaged) == 1 and str(first) in placed.damaged[0]
    assert examine(placed.path).whole
    again = project.publish()
    assert (again.status, again.version, again.damaged) == ("up to date", 2, ())
    (row,) = [row for row in listing(None, project.outputs) if row["name"] == "r"]
    assert row["changed"][1].startswith("damaged: ") and 2 not in row["changed"]


@pytest.mark.parametrize("damage", [damage for name, damage in DAMAGE.items() if "manifest" not in name])
def test_lists_see_what_can_be_seen_without_reading(project: Project, damage: Callable[[Path], Any]) -> None:
    damage(project.publish().path)
    (row,) = collect(project.outputs).rows
    assert (row.reason or "").startswith("changed since publishing: ")
    (listed,) = [row for row in listing(None, project.outputs) if row["name"] == "r"]
    assert listed["changed"][1] == row.reason


def test_an_edit_through_the_store_is_found(project: Project) -> None:
    first = project.publish().path
    (stored,) = [p for p in project.store.root.glob("entries/*/*/files/openvino_model.bin") if p.stat().st_size == 3000]
    flip(stored)
    shared = stored.samefile(first / "openvino_model.bin")
    assert examine(first).whole != shared
    assert project.publish().version == (2 if shared else 1)


def test_an_edit_that_keeps_size_and_times_is_found(project: Project) -> None:
    first = project.publish().path
    weights = first / "openvino_model.bin"
    before = weights.stat()
    flip(weights)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert project.publish().version == 2


def test_a_mark_goes_away_with_the_damage(project: Project, ovrun: Ovrun) -> None:
    first = project.publish().path
    whole = (first / "README.md").read_bytes()
    flip(first / "README.md")
    project.publish()
    assert record.load(project.home).of(1).damaged
    (first / "README.md").write_bytes(whole)
    ovrun("verify", "r/1", "--outputs", project.outputs)
    assert not record.load(project.home).of(1).damaged
    assert all(not row["changed"] for row in listing(None, project.outputs))


def test_a_rejected_model_is_verified_like_a_version(project: Project) -> None:
    project.value = 5.0
    aside = project.publish().path
    assert aside.parent.name == "rejected"
    inode = (aside / "manifest.json").stat().st_ino
    assert project.publish().path == aside and (aside / "manifest.json").stat().st_ino == inode
    (aside / "openvino_model.bin").unlink()
    assert project.publish().path == aside and examine(aside).whole


def test_an_undecided_model_is_kept_aside_unless_it_is_accepted(project: Project) -> None:
    project.value, project.interval = 0.09, [0.07, 0.12]
    placed = project.publish()
    assert (placed.status, placed.version, placed.path.parent.name) == ("undecided", None, "rejected")
    assert load_manifest(placed.path)["checks"][0]["gates"] == [
        {"gate": "max", "limit": 0.1, "measured": 0.09, "passed": False, "interval": [0.07, 0.12], "undecided": True}
    ]
    assert "| 0.09 [0.07, 0.12] | - | max 0.1 | **undecided** |" in (placed.path / "README.md").read_text()
    (row,) = collect(project.outputs).rows
    assert row.status == "undecided"
    assert row.reason == "kl_divergence on eval: max is 0.1, measured 0.09, 95 % interval 0.07 to 0.12"
    project.accept_undecided = True
    assert project.publish().version == 1


def test_a_narrow_interval_decides(project: Project) -> None:
    project.value, project.interval = 0.09, [0.085, 0.095]
    assert project.publish().version == 1
    project.value, project.interval = 0.11, [0.105, 0.12]
    assert project.publish().status == "rejected"


def test_a_rejected_folder_of_others_stays(project: Project) -> None:
    project.value = 5.0
    theirs = project.publish().path
    shutil.rmtree(theirs)
    theirs.mkdir()
    (theirs / "notes.txt").write_text("mine")
    assert project.publish().path.name == f"{theirs.name}-2"
    assert [path.name for path in theirs.iterdir()] == ["notes.txt"]


# --- manifests of a wrong shape


def edited(manifest: dict[str, Any], *keys: str | int, value: Any) -> str:
    part: Any = manifest
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    return json.dumps(manifest)


WRONG: dict[str, Callable[[dict[str, Any]], str]] = {
    "list": lambda manifest: "[]",
    "number": lambda manifest: "7",
    "nothing": lambda manifest: "",
    "binary": lambda manifest: "\x00\x01\ufffd",
    "half": lambda manifest: json.dumps(manifest)[:500],
    "no files": lambda manifest: json.dumps({key: value for key, value in manifest.items() if key != "files"}),
    "deep": lambda manifest: edited(manifest, "recipe", "x", value=0).replace(
        '"x": 0', '"x": ' + "[" * 900 + "]" * 900
    ),
    "deeper": lambda manifest: "[" * 100_000,
    "NaN": lambda manifest: edited(manifest, "size", "optimized", value=float("nan")),
    "infinity": lambda manifest: edited(manifest, "stages", 0, "seconds", value=0).replace(
        '"seconds": 0', '"seconds": 1e999'
    ),
    "huge": lambda manifest: edited(manifest, "size", "optimized", value=10**400),
    "digits": lambda manifest: edited(manifest, "size", "optimized", value=0).replace("0", "9" * 5000),
    "half a character": lambda manifest: edited(manifest, "description", value="\ud800"),
    "stage": lambda manifest: edited(manifest, "stages", 0, value=[1]),
    "seconds": lambda manifest: edited(manifest, "stages", 0, "seconds", value="fast"),
    "notes": lambda manifest: edited(manifest, "stages", 0, "result", value={"notes": 5}),
    "checks": lambda manifest: edited(manifest, "checks", value=[{"metric": []}]),
    "sweep": lambda manifest: edited(manifest, "sweep", value={"name": [], "settings": 5}),
    "libraries": lambda manifest: edited(manifest, "libraries", value={"nncf": {}}),
    "true": lambda manifest: edited(manifest, "version", value=True),
    "newer": lambda manifest: edited(manifest, "manifest_version", value=3),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_bad_manifest_is_named_and_left_out(project: Project, wrong: Callable[[dict[str, Any]], str]) -> None:
    first = project.publish().path
    publish_other(project, "b")
    text = wrong(json.loads((first / "manifest.json").read_text()))
    writable(first / "manifest.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    found = collect(project.outputs)
    assert [row.version for row in found.rows] == [2]
    (note,) = found.notes
    assert str(first) in note and note.endswith("left out")
    with pytest.raises(SourceError, match=r"manifest\.json"):
        load_manifest(named("r/1", project.outputs))
    assert not examine(first).whole


def test_each_command_answers_for_a_bad_manifest(project: Project, ovrun: Ovrun) -> None:
    first = project.publish().path
    publish_other(project, "b")
    writable(first / "manifest.json").write_text('{"manifest_version": 2}')
    assert "r/1" in ovrun("list", "--outputs", project.outputs).stderr
    assert "left out" in ovrun("report", "--outputs", project.outputs).stderr
    for command in (["show", "r/1"], ["compare", "r/1", "r/2"], ["verify", "r/1"]):
        assert "manifest" in str(ovrun(*command, "--outputs", project.outputs, code=4))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"sweep_version": 1, "name": [], "points": []}',
        '{"sweep_version": 1, "name": "s", "points": [5]}',
        '{"sweep_version": 1, "name": "s", "points": [{"name": "p", "settings": [], "status": "x", "path": null}]}',
        '{"sweep_version": 1, "name": "s", "points": [{"name": "p", "settings": {}, "status": {}, "path": 7}]}',
        '{"sweep_version": 1, "name": "s", "points": [{"name": "p", "settings": {}, "status": "x", "path": null, '
        '"seconds": "long"}]}',
    ],
)
def test_a_bad_record_of_a_sweep_is_named_and_left_out(project: Project, text: str) -> None:
    project.publish()
    (project.outputs / ".sweeps").mkdir()
    (project.outputs / ".sweeps" / "s.json").write_text(text)
    found = collect(project.outputs)
    assert len(found.rows) == 1 and len(found.notes) == 1 and "s.json" in found.notes[0]


def test_a_manifest_of_the_first_version_is_read(project: Project) -> None:
    folder = project.publish().path
    manifest = json.loads((folder / "manifest.json").read_text())
    old = {key: value for key, value in manifest.items() if key not in ("digest", "environment")}
    old["manifest_version"] = 1
    writable(folder / "manifest.json").write_text(json.dumps(old, indent=2, ensure_ascii=False) + "\n")
    examined = examine(folder)
    assert examined.whole and "no digest of itself" in examined.notes[0]
    del manifest["digest"]
    assert shape.mistake(manifest, "manifest") == "lacks digest"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("r/7", "r has versions 1"),
        ("r/latest", "where no version is"),
        ("q", "no published version of q"),
        ("r/rejected/x", "r has versions 1"),
        ("../outputs/r/1", "no published version of .."),
    ],
)
def test_what_is_not_there_is_told(project: Project, word: str, told: str) -> None:
    project.publish()
    (project.home / "latest").unlink()
    (project.home / "latest").symlink_to("9")
    with pytest.raises(UsageError) as caught:
        named(word, project.outputs, paths=False)
    assert told in str(caught.value)


# --- what an artifact tells


def test_paths_are_told_from_the_artifact(project: Project) -> None:
    project.sweep = {"name": "s", "settings": {"model.path": str(project.folder / "models" / "m")}}
    folder = project.publish().path
    manifest = load_manifest(folder)
    assert manifest["model"]["path"] == manifest["recipe"]["model"]["path"] == "../../../models/m"
    assert manifest["recipe"]["datasets"]["eval"]["path"] == "../../../data/eval.jsonl"
    assert manifest["sweep"]["settings"] == {"model.path": "../../../models/m"}
    assert manifest["origins"] == {
        "model": "r.yaml:2:1",
        "seed": "command line",
        "datasets": manifest["origins"]["datasets"],
    }
    for path in folder.rglob("*"):
        assert path.is_dir() or str(project.folder).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("asked", ["main", "main\nname: evil\n#", "v1\u0085name: evil", "v1\u2028name: evil"])
def test_the_commit_of_a_hub_model_is_pinned(project: Project, asked: str) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    project.hub = {"id": "somebody/something", "revision": commit, "requested_revision": asked}
    folder = project.publish().path
    text = (folder / "recipe.yaml").read_text()
    recipe = yaml.safe_load(text)
    assert (recipe["name"], recipe["model"]["revision"]) == ("r", commit)
    assert f"asked for was {json.dumps(asked)}\n" in text
    manifest = load_manifest(folder)
    assert (manifest["model"]["revision"], manifest["model"]["requested_revision"]) == (commit, asked)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/a/home/me/p/data/x", "../../../data/x"),
        ("/a/home/me/p/outputs/x", "../../x"),
        ("/a/home/me/x", "../../../../x"),
        ("/a/home/you/x", "x"),
        ("/mnt/disk/x", "x"),
        ("/a/x", "x"),
        ("/x", "x"),
        ("data/x", "data/x"),
        ("~/x", "../../../../x"),
    ],
)
def test_how_a_path_is_told(monkeypatch: pytest.MonkeyPatch, path: str, said: str) -> None:
    monkeypatch.setenv("HOME", "/a/home/me")
    recipe = Recipe("r", Path("/a/home/me/p/recipes/r.yaml"), ModelSource("local", path=Path("/m")))
    places = Places(recipe, Path("/a/home/me/p/outputs"), Path("/a/home/me/p/outputs/r/1"))
    assert places.path(path) == said


def test_what_is_asked_for_stays_relative_in_a_root_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")
    recipe = Recipe("r", Path("/app/recipes/r.yaml"), ModelSource("local", path=Path("/m")))
    places = Places(recipe, Path("/app/outputs"), Path("/app/outputs/r/1"))
    assert places.path("/app/data/x") == "../../../data/x"
    assert places.said(["log in /app/outputs/.logs", {"a": "/root/x and /rootless"}]) == [
        "log in outputs/.logs",
        {"a": "~/x and /rootless"},
    ]


# --- every byte


def test_every_changed_byte_is_found(project: Project) -> None:
    """All positions of the manifest, and each seventh of the others."""
    folder = project.publish().path
    chance = random.Random(0)
    for path in fs.walk(folder):
        whole = writable(path).read_bytes()
        for at in range(0, len(whole), 3 if path.name == "manifest.json" else 41):
            changed = bytearray(whole)
            changed[at] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            assert not examine(folder).whole, f"{path.name}: byte {at}"
        path.write_bytes(whole)
    assert examine(folder).whole


def test_a_share_of_the_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.main(flips.CAMPAIGN, ["--count", "60", "--jobs", "1"]) == 0, capsys.readouterr().out


# --- the command


def test_verify_answers(project: Project, ovrun: Ovrun) -> None:
    project.publish()
    publish_other(project, "b")
    outputs = ("--outputs", project.outputs)
    assert "2 of 2 entries whole" not in ovrun("verify", "--all", *outputs).stdout
    document = json.loads(ovrun("verify", "r/1", "r", "--store", "--json", *outputs).stdout)
    assert [one["status"] for one in document["versions"]] == ["whole", "whole"]
    assert document["store"] == {"entries": 3, "damaged": {}}
    (project.home / "2" / "openvino_model.bin").unlink()
    flip(next(project.store.root.glob("entries/*/*/files/config.json")))
    told = ovrun("verify", "--all", "--store", *outputs, code=4).stdout
    assert "openvino_model.bin: missing" in told and "1 of 3" not in told and "config.json" in told
    assert ovrun("verify", "r/1", "--quiet", *outputs, code=4 if shares(project) else 0).stderr == ""
    assert "nothing is named" in ovrun("verify", *outputs, code=2).stderr
    told = ovrun("verify", "q", "r/9", *outputs, code=2).stderr
    assert "of q" in told and "r/9" in told


def shares(project: Project) -> bool:
    """Whether versions share their inodes with the store here."""
    stored = next(project.store.root.glob("entries/*/*/files/config.json"))
    return stored.samefile(project.home / "1" / "config.json")


def test_verify_reads_a_carried_folder(project: Project, ovrun: Ovrun, tmp_path: Path) -> None:
    carried = shutil.copytree(project.publish().path, tmp_path / "carried")
    ovrun("verify", "./carried")
    ovrun("verify", carried / "manifest.json")
    (carried / "notes").mkdir()
    assert "notes: was not published with it" in ovrun("verify", carried, code=4).stdout
    assert "holds no manifest.json" in ovrun("verify", carried / "notes", code=4).stdout
