"""`ovrun gc`: what is needed stays, what goes is told with the bytes that it frees, and others may run meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import runner.base.files as fs
from runner.base import keys
from runner.cli import main
from runner.store import Store
from runner.store.collect import Rules, collect, remove
from runner.store.runs import under_way
from tests import cheap
from tests.entries import BLOCK, DAY, document, gone, put


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    (tmp_path / "outputs").mkdir()
    return tmp_path / "outputs"


@pytest.fixture
def store(outputs: Path) -> Store:
    return Store(outputs / ".store")


def version(outputs: Path, store: Store, key: str, name: str = "recipe") -> Path:
    """A version that was made of one stage, whose files it shares."""
    folder = outputs / name / "1"
    fs.link_tree(store.folder(key) / "files", folder)
    fs.write_json(folder / "manifest.json", {"stages": [{"key": key}]})
    return folder


def test_what_versions_and_recent_runs_need_stays(store: Store, outputs: Path) -> None:
    published, recent, earlier, nobodys = (put(store, number) for number in range(4))
    version(outputs, store, published)
    store.remember_recent("recipe", {"convert": document(2)})
    store.remember_recent("recipe", {"convert": document(1)})
    assert gone(store, outputs) == {earlier, nobodys}
    assert store.find(published) is not None and store.find(recent) is not None
    assert gone(store, outputs) == set()


@pytest.mark.parametrize("keep", range(5))
def test_as_many_runs_of_each_recipe_stay_as_are_wanted(keep: int, store: Store, outputs: Path) -> None:
    made = [put(store, number) for number in range(4)]
    for number in (3, 2, 1, 1, 0):
        store.remember_recent("recipe", {"convert": document(number)})
    assert gone(store, outputs, keep_last=keep) == set(made[keep:])


def test_what_a_run_under_way_needs_stays(store: Store, outputs: Path) -> None:
    wanted, held, nobodys = (put(store, number) for number in range(3))
    with under_way(store, [wanted]), store.locked(held):
        assert {item.key for item in collect(store, outputs, Rules()).items if item.kind == "stage"} == {held, nobodys}
        removed: list[Any] = []
        remove(store, collect(store, outputs, Rules()), removed.append)
        assert {item.key for item in removed if item.kind == "stage"} == {nobodys}
    assert gone(store, outputs) == {wanted, held}
    assert not list((store.root / "runs").iterdir())


def test_a_run_that_begins_between_looking_and_removing_is_minded(store: Store, outputs: Path) -> None:
    key = put(store, 0)
    collection = collect(store, outputs, Rules())
    removed: list[Any] = []
    with under_way(store, [key]):
        remove(store, collection, removed.append)
    assert store.find(key) is not None and not any(item.key == key for item in removed)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({"older_than": 5 * DAY}, {0, 1}),
        ({"older_than": 100 * DAY}, {0, 1, 2, 3}),
        ({"older_than": 0}, set()),
        ({"max_size": 25 * BLOCK + 10 * BLOCK}, {0, 1}),
        ({"max_size": 10**12}, {0, 1, 2, 3}),
        ({"max_size": 0}, set()),
        ({"max_size": 0, "older_than": 5 * DAY}, set()),
        ({"max_size": 10**12, "older_than": 5 * DAY}, {0, 1}),
    ],
    ids=str,
)
def test_age_and_size_choose_among_what_nothing_needs(
    rules: dict[str, Any], left: set[int], store: Store, outputs: Path
) -> None:
    made = [put(store, number, days) for number, days in enumerate((0, 3, 10, 50))]
    gone(store, outputs, **rules)
    assert {number for number, key in enumerate(made) if store.has(key)} == left


def test_size_does_not_take_what_is_needed(store: Store, outputs: Path) -> None:
    key = put(store, 0)
    version(outputs, store, key)
    assert gone(store, outputs, max_size=0) == set()


def test_a_use_makes_an_entry_young(store: Store, outputs: Path) -> None:
    used, unused = put(store, 0, days=40), put(store, 1, days=40)
    assert store.find(used) is not None
    assert gone(store, outputs, older_than=30 * DAY) == {unused}


def test_sizes_are_what_is_really_freed(store: Store, outputs: Path) -> None:
    alone, shared = put(store, 0, blocks=100), put(store, 1, blocks=200)
    twin = keys.digest(document(2))
    folder = store.begin(twin)
    os.link(store.folder(alone) / "files" / "model.bin", folder / "files" / "model.bin")
    store.publish(twin, folder, cheap.record("compress"))
    os.link(store.folder(shared) / "files" / "model.bin", outputs / "elsewhere")
    collection = collect(store, outputs, Rules())
    assert 100 * BLOCK <= collection.freed < 200 * BLOCK, "the twins' file is freed once, that of the version never"
    remove(store, collection, lambda item: None)
    assert (outputs / "elsewhere").stat().st_nlink == 1 and not store.has(twin)


def test_what_died_runs_left_goes(store: Store, outputs: Path) -> None:
    kept = put(store, 0)
    version(outputs, store, kept)
    half = store.begin("ab" * 32)
    (half / "files" / "half").write_text("half")
    running = store.begin("cd" * 32)
    (store.root / "recent").mkdir()
    old = store.root / "recent" / f".recipe.json.{'0' * 16}"
    old.write_text("half")
    os.utime(old, (1, 1))
    with store.locked("cd" * 32):
        gone(store, outputs)
    assert not half.exists() and running.exists() and not old.exists()


def test_who_is_killed_while_collecting_loses_nothing(store: Store, outputs: Path) -> None:
    key = put(store, 0)
    away = store.set_aside(key)
    assert away is not None and away.exists() and store.find(key) is None
    gone(store, outputs)
    assert not away.exists()


def test_locks_and_memories_of_what_is_gone_go(store: Store, outputs: Path, tmp_path: Path) -> None:
    kept, nobodys = put(store, 0), put(store, 1)
    version(outputs, store, kept, "here")
    for name in ("here", "gone"):
        (tmp_path / f"{name}.yaml").write_text("name: x")
        store.remember_recent(name, {"convert": document(7)}, tmp_path / f"{name}.yaml")
        fs.digest_paths({"a": tmp_path / f"{name}.yaml"}, store.digest_memory(name))
    (tmp_path / "gone.yaml").unlink()
    with store.locked("publish-here"):
        pass
    gone(store, outputs)
    names = {path.name for path in (store.root / "locks").iterdir()}
    assert f"{kept}.lock" in names and f"{nobodys}.lock" not in names and "publish-here.lock" in names
    assert [path.stem for path in (store.root / "recent").iterdir()] == ["here"]
    assert [path.name for path in (store.root / "digests").iterdir()] == [store.digest_memory("here").name]


@pytest.mark.parametrize("running", [False, True])
def test_old_logs_go(running: bool, store: Store, outputs: Path) -> None:
    store.check_writable()
    home = outputs / ".logs" / "recipe"
    for name in ("1.log", "2", "3.log"):
        path = home / name
        (path / "stage.log" if name == "2" else path).parent.mkdir(parents=True, exist_ok=True)
        (path / "stage.log" if name == "2" else path).write_text("log")
        for one in (path, *path.rglob("*")) if path.is_dir() else (path,):
            os.utime(one, (1, 1))
    (home / "0.log").write_text("young")
    gone(store, outputs)
    assert len(list(home.iterdir())) == 4
    (home / "0.log").rename(home / "9.log") if not running else (home / "0.log").unlink()
    with under_way(store, ["0" * 64] if running else []):
        gone(store, outputs, older_than=DAY)
    assert {path.name for path in home.iterdir()} == ({"3.log"} if running else {"9.log"})


@pytest.mark.parametrize("place", ["outputs", "nowhere"])
def test_an_empty_store_has_nothing_to_collect(
    place: str, outputs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["gc", "--outputs", str(tmp_path / place)]) == 0
    assert "freed 0 kB: 0 things that nothing needs" in capsys.readouterr().out
    assert main(["gc", "--dry-run", "--outputs", str(tmp_path / place), "--json"]) == 0
    assert not list(outputs.iterdir()) and not (tmp_path / "nowhere").exists()


def test_a_dry_run_tells_the_same_and_removes_nothing(
    store: Store, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = put(store, 1, days=3)
    store.remember_recent("my-recipe", {"convert": document(1)})
    store.remember_recent("my-recipe", {"convert": document(2)})
    told = []
    for words in (["--dry-run"], []):
        assert main(["gc", *words, "--json", "--outputs", str(outputs)]) == 0
        told.append(json.loads(capsys.readouterr().out))
        assert store.has(key) is bool(words)
    assert [one.pop("status") for one in told] == ["dry run", "done"]
    assert told[0] == told[1]
    (stage, *_) = told[0]["removed"]
    assert (stage["kind"], stage["label"], stage["recipe"], stage["key"]) == ("stage", "convert 1", "my-recipe", key)
    assert stage["size"] >= 10 * BLOCK and stage["why"] == "nothing needs it" and told[0]["kept"]["stages"] == 0


def test_the_table_names_what_goes(store: Store, outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(store, 1, days=3)
    assert main(["gc", "--outputs", str(outputs)]) == 0
    heading, row, _, total, kept = capsys.readouterr().out.splitlines()
    assert heading.split() == ["what", "recipe", "last", "used", "frees", "why"]
    assert row.startswith("convert 1  -") and row.endswith("nothing needs it")
    assert total.startswith("freed 4") and "1 thing that nothing needs, and 1 lock of stages that are gone" in total
    assert kept == "0 stages of 0 kB in the store stay"
    assert main(["gc", "--quiet", "--outputs", str(outputs)]) == 0
    assert capsys.readouterr().out == "0\n"


WRONG = [
    *(("--older-than", word) for word in ("30", "d", "-1d", "1y", "30 d", "1e9d", "nand", "٣d", "", "9" * 5000 + "d")),
    *(("--max-size", word) for word in ("50", "GB", "-1GB", "50gb", "50 GB", "1e3GB", "infGB", "", "1" * 5000 + "GB")),
    *(("--keep-last", word) for word in ("-1", "x", "1.5", "", "٣", "9" * 5000)),
]


@pytest.mark.parametrize(("option", "word"), WRONG, ids=lambda word: word[:20])
def test_wrong_limits_are_refused(option: str, word: str, outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", f"{option}={word}", "--outputs", str(outputs)]) == 2
    told = capsys.readouterr().err
    assert option in told and ("is not a" in told)


@pytest.mark.parametrize("word", ["12h", "30d", "4w", "1.5d", "0d"])
def test_times(word: str, outputs: Path) -> None:
    assert main(["gc", "--older-than", word, "--outputs", str(outputs)]) == 0


@pytest.mark.parametrize("word", ["500MB", "50GB", "1.5TB", "10GiB", "0kB"])
def test_sizes(word: str, outputs: Path) -> None:
    assert main(["gc", "--max-size", word, "--outputs", str(outputs)]) == 0


@pytest.mark.parametrize("content", ["", "[]", '{"stages": 3}', '{"stages": [3, {"key": []}]}'])
def test_a_manifest_that_says_nothing_is_told(
    content: str, store: Store, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = put(store, 0)
    path = version(outputs, store, key) / "manifest.json"
    path.write_text(content)
    assert main(["gc", "--outputs", str(outputs)]) == 0
    assert f"warning: {path} does not say what its version was made of" in capsys.readouterr().err


def make_link(path: Path, home: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home)


@pytest.mark.parametrize("name", [".store", ".store/tmp", ".store/locks", ".store/entries", ".store/runs", ".logs"])
def test_nothing_is_collected_through_links(name: str, outputs: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for inner in ("recipe", f"{'ab' * 32}.deadbeef", "ab/" + "ab" * 32):
        (home / inner).mkdir(parents=True)
        (home / inner / "old.log").write_text("precious")
        os.utime(home / inner / "old.log", (1, 1))
    make_link(outputs / name, home)
    assert main(["gc", "--older-than", "1d", "--outputs", str(outputs)]) == 5
    assert len(list(home.rglob("old.log"))) == 3


def test_links_and_strangers_within_are_left_alone(store: Store, outputs: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious").write_text("precious")
    store.check_writable()
    make_link(store.root / "tmp" / f"{'ab' * 32}.deadbeef", home)
    make_link(outputs / ".logs" / "recipe", home)
    make_link(outputs / ".logs" / "other" / "1.log", home)
    collection = collect(store, outputs, Rules(older_than=0))
    remove(store, collection, lambda item: None)
    assert (home / "precious").exists() and (outputs / ".logs" / "other" / "1.log").is_symlink()
