"""Entries and memories that are damaged in every way: the store heals, and never crashes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runner.base.files as fs
from runner.engine.estimate import Costs
from runner.errors import StageError
from runner.store import Entry, Store
from tests import cheap

KEY = "ab" + "0" * 62
WRONG: list[Any] = [
    [],
    {},
    0,
    1e308,
    "text",
    None,
    True,
    [[]],
    [None],
    {"a": {"b": []}},
    10**400,
    -1,
    "\udcff",
    {"": 0},
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store) -> Entry:
    folder = store.begin(KEY)
    (folder / "files" / "sub").mkdir()
    (folder / "files" / "model.bin").write_text("weights")
    (folder / "files" / "sub" / "config.json").write_text("{}")
    return store.publish(KEY, folder, cheap.record("convert", {"a": 1}))


def heals(store: Store) -> None:
    """A damaged entry is told, dropped, and made anew."""
    assert store.damaged(KEY)
    assert dict(store.verify_all())[KEY]
    assert store.find(KEY) is None
    put(store)
    assert not store.damaged(KEY) and dict(store.verify_all()) == {KEY: []}


def reseal(record: dict[str, Any]) -> dict[str, Any]:
    """A record with a digest that fits, as somebody would write it who knows how."""
    record.pop("self", None)
    return {**record, "self": fs.sha256_json(record)}


@pytest.mark.parametrize("content", WRONG, ids=lambda one: repr(one)[:20])
def test_a_record_of_a_wrong_shape(content: Any, store: Store) -> None:
    put(store)
    (store.folder(KEY) / "entry.json").write_text(json.dumps(content))
    heals(store)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: repr(one)[:20])
@pytest.mark.parametrize("name", ["format", "key", "files", "document", "result", "label", "seconds", "hardware"])
def test_a_part_of_a_record_of_a_wrong_shape(name: str, wrong: Any, store: Store) -> None:
    record = dict(put(store).record)
    kinds = {"document": dict, "result": dict, "hardware": dict, "label": str, "files": dict}
    right = isinstance(wrong, kinds.get(name, ())) and wrong != "\udcff"
    right = (right and name != "files") or (name == "seconds" and wrong == 0 and wrong is not False)
    (store.folder(KEY) / "entry.json").write_text(json.dumps(reseal({**record, name: wrong})))
    if right:
        assert store.find(KEY) is not None
    else:
        heals(store)


@pytest.mark.parametrize("name", ["stage", "label", "document", "result", "files", "peak_memory", "created", "self"])
def test_a_record_that_lacks_a_part(name: str, store: Store) -> None:
    record = reseal(dict(put(store).record))
    record.pop(name)
    (store.folder(KEY) / "entry.json").write_text(json.dumps(record if name == "self" else reseal(record)))
    heals(store)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ".", "", "a//b", "./model.bin", "a\0b", "sub/"])
def test_a_record_that_names_files_elsewhere(name: str, store: Store) -> None:
    record = dict(put(store).record)
    files = {**record["files"], name: record["files"]["model.bin"]}
    (store.folder(KEY) / "entry.json").write_text(json.dumps(reseal({**record, "files": files})))
    heals(store)


@pytest.mark.parametrize("told", [*WRONG, {"size": 7}, {"size": "7", "sha256": "0" * 64}, {"size": 7, "sha256": "x"}])
def test_a_record_that_tells_nonsense_of_a_file(told: Any, store: Store) -> None:
    record = dict(put(store).record)
    files = {**record["files"], "model.bin": told}
    (store.folder(KEY) / "entry.json").write_text(json.dumps(reseal({**record, "files": files})))
    heals(store)


def test_each_byte_of_a_record_counts(store: Store) -> None:
    path = put(store).files.parent / "entry.json"
    content = path.read_bytes()
    plain = json.loads(content)
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        try:
            same = json.loads(changed) == plain
        except ValueError:
            same = False
        assert store.damaged(KEY) is not same, changed[position - 20 : position + 20]


def test_a_record_that_is_nested_too_deep(store: Store) -> None:
    put(store)
    (store.folder(KEY) / "entry.json").write_text("[" * 100_000)
    heals(store)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to("nowhere"),
    ],
    ids=["folder", "fifo", "link", "dangling"],
)
@pytest.mark.parametrize("name", ["files/model.bin", "files/sub/config.json", "files/stray", "entry.json"])
def test_a_file_that_became_something_else(name: str, make: Callable[[Path], None], store: Store) -> None:
    path = put(store).files.parent / name
    path.unlink(missing_ok=True)
    make(path)
    heals(store)


@pytest.mark.parametrize(
    "name", ["stray", "sub/stray", "new/stray", ".hidden", b"\xff".decode("utf-8", "surrogateescape")]
)
def test_a_stray_file_makes_an_entry_damaged(name: str, store: Store) -> None:
    path = put(store).files / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("stray")
    heals(store)


@pytest.mark.parametrize("content", WRONG, ids=lambda one: repr(one)[:20])
def test_memories_of_a_wrong_shape_are_forgotten(content: Any, store: Store, tmp_path: Path) -> None:
    put(store)
    source = tmp_path / "source"
    source.write_text("source")
    os.utime(source, (1, 1))
    memory = store.digest_memory("source")
    digest = fs.digest_paths({"source": source}, memory)
    store.remember_recent("recipe", {"convert": {"a": 1}})
    text = json.dumps(content)
    for nest in (text, json.dumps({"model.bin": content}), json.dumps({"files": content, "last": content})):
        (store.folder(KEY) / "stat.json").write_text(nest)
        memory.write_text(nest)
        (store.root / "recent" / "recipe.json").write_text(nest)
        (store.root / "costs.json").write_text(nest)
        assert store.find(KEY) is not None
        assert fs.digest_paths({"source": source}, memory) == digest
        assert isinstance(store.recent("recipe"), dict)
        store.remember_recent("recipe", {"convert": {"a": 2}})
        assert store.recent("recipe") == {"convert": {"a": 2}}
        costs_work(store)


@pytest.mark.parametrize("row", [*WRONG, [1, 2, 3, 4, 5], [1], {"memory": "x", "seconds": []}, {"memory": 1e400}])
def test_rows_of_memories_of_a_wrong_shape_are_forgotten(row: Any, store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("source")
    memory = store.digest_memory("source")
    digest = fs.digest_paths({"source": source}, memory)
    memory.write_text(json.dumps({"source": row, "files": {"source": row}}))
    assert fs.digest_paths({"source": source}, memory) == digest
    memory.write_text(json.dumps({"source": row, "files": {"source": [*fs.stat_of(source), row]}}))
    assert fs.digest_paths({"source": source}, memory) == digest
    stage = cheap.stage(1)
    (like,) = Costs(store).known or [Costs(store)._like(stage)]
    (store.root / "costs.json").write_text(json.dumps({like: row}))
    costs_work(store)


def costs_work(store: Store) -> None:
    """Costs can be asked for, noted and saved."""
    stage = cheap.stage(1)
    costs = Costs(store)
    ((_, estimate),) = costs.estimate([stage])
    assert estimate.memory > 0 and estimate.seconds > 0
    costs.note(stage, Entry(stage.key, store.root, cheap.record("cheap")))
    costs.save()
    assert [one.known for _, one in Costs(store).estimate([stage])] == [True]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd")], ids=["fifo", "link"])
def test_what_a_stage_makes_has_to_be_files(make: Callable[[Path], None], store: Store) -> None:
    folder = store.begin(KEY)
    make(folder / "files" / "odd")
    with pytest.raises(StageError, match=r"convert made a (named pipe|symbolic link), 'odd'"):
        store.publish(KEY, folder, cheap.record("convert"))
    assert not store.has(KEY)


def test_a_stages_file_names_have_to_be_unicode(store: Store) -> None:
    folder = store.begin(KEY)
    (folder / "files" / os.fsdecode(b"caf\xe9")).write_text("x")
    with pytest.raises(StageError, match=r"not UTF-8: b'caf\\xe9'"):
        store.publish(KEY, folder, cheap.record("convert"))
    assert not store.has(KEY)


def test_a_result_that_is_no_plain_data_is_told(store: Store) -> None:
    with pytest.raises(StageError, match="not plain data"):
        store.publish(KEY, store.begin(KEY), cheap.record("convert", {"a": float("nan")}))


def test_empty_folders_of_a_stage_are_no_part_of_its_entry(store: Store) -> None:
    folder = store.begin(KEY)
    (folder / "files" / "a" / "b").mkdir(parents=True)
    (folder / "files" / "c").mkdir()
    (folder / "files" / "c" / "file").write_text("x")
    entry = store.publish(KEY, folder, cheap.record("convert"))
    assert sorted(path.name for path in entry.files.rglob("*")) == ["c", "file"]
    assert store.find(KEY) is not None


def test_every_byte_is_read_when_all_is_verified(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(store).files / "model.bin"
    info = path.stat()
    path.chmod(0o644)
    path.write_text("weightz")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    stat = {name: fs.stat_of(store.folder(KEY) / "files" / name) for name in ("model.bin", "sub/config.json")}
    fs.write_json(store.folder(KEY) / "stat.json", stat)  # as if its change had gone unseen
    assert not store.damaged(KEY)
    assert dict(store.verify_all()) == {KEY: ["model.bin was changed: its SHA-256 does not fit"]}
    assert store.has(KEY), "to verify is to look, and no more"
