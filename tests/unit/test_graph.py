"""The graph of a sweep: what points share is one stage, what is in the store is not needed, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.engine.estimate import Estimate
from runner.engine.forecast import forecast
from runner.errors import RecipeError, SourceError
from runner.plan.builder import make_plan
from runner.plan.graph import Graph, make_graph, plan_points
from runner.plan.types import Plan, Stage
from runner.recipe import load_recipe, load_sweep
from runner.store import Store
from tests import cheap
from tests.conftest import Ovrun

GRID = ["compression.mode=int4_sym,int4_asym", "compression.ratio=0.6,0.8,1", "compression.group_size=32,128"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "outputs" / ".store")


def graph_of(store: Store, *overrides: str, name: str = "dialogpt-mini-int4") -> Graph:
    return make_graph(plan_points(load_sweep(name, overrides), store))


def fill(store: Store, *stages: Stage) -> None:
    """Put entries into the store as if the stages had run."""
    for stage in stages:
        folder = store.begin(stage.key)
        (folder / "files" / "made").write_text(stage.label)
        store.publish(stage.key, folder, cheap.record(stage.name, label=stage.label))


def by_name(graph: Graph, name: str) -> list[Stage]:
    return [stage for stage in graph.stages.values() if stage.name == name]


def test_shared_work_is_one_stage(store: Store) -> None:
    graph = graph_of(store, *GRID)
    assert graph.total == 12 * 8
    names = ("convert", "compress", "verify", "reference", "predict", "evaluate")
    counts = {name: len(by_name(graph, name)) for name in names}
    # Two families a point; what the uncompressed model answers is asked once.
    assert counts == {"convert": 1, "compress": 12, "verify": 12, "reference": 1, "predict": 13, "evaluate": 24}
    assert len(graph.stages) == sum(counts.values())
    (converted,) = by_name(graph, "convert")
    assert graph.uses[converted.key] == 12
    assert {graph.uses[stage.key] for stage in by_name(graph, "compress")} == {1}


def test_a_stage_comes_after_what_it_reads(store: Store) -> None:
    graph = graph_of(store, *GRID, "sweep.include=[{compression: null}]")
    seen: set[str] = set()
    for key, stage in graph.stages.items():
        assert seen.issuperset(stage.after.values()), stage.label
        seen.add(key)


def test_a_point_has_the_keys_that_it_has_alone(store: Store) -> None:
    plan = plan_points(load_sweep("dialogpt-mini-int4", ["compression.ratio=0.6,0.8"]), store)[0]
    alone = make_plan(load_recipe("dialogpt-mini-int4", ["compression.ratio=0.6"]), store)
    assert [stage.key for stage in plan.stages] == [stage.key for stage in alone.stages]
    assert plan.targets == alone.targets


def test_points_that_come_to_the_same_are_the_same_stages(store: Store) -> None:
    """128 is NNCF's own group size only to NNCF; but a gate's limit is in no key."""
    graph = graph_of(store, "accuracy.checks.0.max=0.01,0.02,0.03")
    assert (graph.total, len(graph.stages)) == (24, 8)


def test_nothing_is_done_twice(store: Store) -> None:
    graph = graph_of(store, *GRID)
    assert [stage.key for stage in graph.needed(store)] == list(graph.stages)
    done = [*by_name(graph, "convert"), *by_name(graph, "compress")[:3]]
    fill(store, *done)
    assert [stage.key for stage in graph.needed(store)] == [
        key for key in graph.stages if key not in {s.key for s in done}
    ]


def test_what_only_finished_stages_need_is_not_needed(store: Store) -> None:
    graph = graph_of(store, "compression.ratio=0.6,0.8")
    first, second = graph.plans
    fill(store, *(stage for stage in first.stages if stage.key in first.targets))
    needed = {stage.key for stage in graph.needed(store)}
    assert needed == {stage.key for stage in second.stages if stage.key not in first.targets}
    fill(store, *(stage for stage in second.stages if stage.key in second.targets))
    assert graph.needed(store) == []
    assert not store.has(by_name(graph, "convert")[0].key)


def test_an_entry_is_looked_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(store, *GRID)
    fill(store, *graph.stages.values())
    asked: list[str] = []
    find = Store.find
    monkeypatch.setattr(Store, "find", lambda self, key: asked.append(key) or find(self, key))
    assert graph.needed(store) == []
    assert len(asked) == len(set(asked)) == len({key for plan in graph.plans for key in plan.targets})


def test_damaged_entry_is_needed_again(store: Store) -> None:
    graph = graph_of(store, "compression.ratio=0.6,0.8")
    fill(store, *graph.stages.values())
    victim = by_name(graph, "compress")[0]
    made = store.folder(victim.key) / "files" / "made"
    made.chmod(0o644)
    made.write_text("something else")
    assert [stage.key for stage in graph.needed(store)] == [victim.key]


def test_a_model_and_a_dataset_are_looked_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner import data, sources

    looked: list[str] = []
    for module, name in ((sources, "locate"), (data, "check"), (data, "digest")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, n=name, r=real: looked.append(n) or r(*a))
    graph_of(store, *GRID)
    assert sorted(looked) == ["check", "check", "digest", "digest", "digest", "locate"], "questions by themselves too"


def test_points_that_do_not_fit_their_model_are_all_told(store: Store) -> None:
    with pytest.raises(RecipeError) as caught:
        graph_of(store, "compression.group_size=32,48,56,-1", "compression.ratio=0.6,0.8")
    (problem,) = map(str, caught.value.problems)
    assert "48 doesn't divide" in problem
    assert "(in 4 of 8 points: --ratio-0.6--group_size-48, --ratio-0.8--group_size-48, --ratio-0.6--" in problem
    assert "exclude: [{compression.group_size: 48}, {compression.group_size: 56}]" in str(caught.value.hint)


def test_sources_that_are_not_there_are_all_told(store: Store, tmp_path: Path) -> None:
    sweep = ["datasets.dialogue_eval.limit=5,6,7", f"model.path={tmp_path}/a,{tmp_path}/b"]
    with pytest.raises(SourceError) as caught:
        graph_of(store, *sweep, "model={source: local, task: text-generation-with-past}", "~model.id")
    message = f"there is no folder {tmp_path}/a (3 of 6 points); there is no folder {tmp_path}/b (3 of 6 points)"
    assert caught.value.message == message


def described(ovrun: Ovrun, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ovrun("plan", *words, "--json").stdout)
    return found


def test_plan_says_what_is_shared_and_cached(ovrun: Ovrun, tmp_path: Path) -> None:
    plan = described(ovrun, "dialogpt-mini-int4", *GRID)
    assert plan["stages"] == {"all": 96, "distinct": 63, "cached": 0, "to do": 63}
    assert plan["keys"] == ["compression.mode", "compression.ratio", "compression.group_size"]
    assert plan["points"][0] == {
        "name": "dialogpt-mini-int4--mode-int4_sym--ratio-0.6--group_size-32",
        "settings": {"compression.mode": "int4_sym", "compression.ratio": 0.6, "compression.group_size": 32},
        "stages": 8,
        "own": 5,
        "shared": 3,
    }
    store = Store(tmp_path / "outputs" / ".store")
    graph = graph_of(store, *GRID)
    fill(store, *by_name(graph, "convert"), *by_name(graph, "compress")[:3])
    text = ovrun("plan", "dialogpt-mini-int4", *GRID).stdout
    assert "\n12 points, 96 stages, 63 distinct, 4 cached\n" in text
    assert "compress to int4_sym" in text
    assert "  int4_asym  1      128                 5             2\n" in text
    assert described(ovrun, "dialogpt-mini-int4", *GRID)["stages"]["cached"] == 4


def test_plan_says_what_the_stages_to_do_will_take(ovrun: Ovrun, tmp_path: Path) -> None:
    plan = described(ovrun, "dialogpt-mini-int4", *GRID)
    rows = plan["graph"]
    assert len(rows) == 63 and {row["state"] for row in rows} == {"to do"}
    sums = {name: sum(row[name] for row in rows) for name in ("seconds", "disk")}
    most = max(row["memory"] for row in rows)
    assert plan["expected"] == {"jobs": 1, "memory": most, **sums, "seconds": pytest.approx(sums["seconds"])}
    assert sum(kind["disk"] for kind in plan["kinds"]) == sums["disk"] > 0
    assert next(kind for kind in plan["kinds"] if kind["stage"] == "convert")["memory"] == most
    wide = described(ovrun, "dialogpt-mini-int4", *GRID, "--jobs", "4")["expected"]
    assert sums["seconds"] / 4 < wide["seconds"] < sums["seconds"] / 2 and wide["memory"] > most
    told = ovrun("plan", "dialogpt-mini-int4", *GRID, "--jobs", "4").stdout.splitlines()[-1]
    assert told.startswith("expected with up to 4 stages side by side: ") and told.endswith(" of disk")

    one = described(ovrun, "dialogpt-mini-int4", *(word.partition(",")[0] for word in GRID))["stages"]
    alike = {row["key"]: row for row in rows}
    for row in one:
        assert {name: alike[row["key"]][name] for name in ("seconds", "memory", "disk", "label")}.items() <= row.items()

    graph = graph_of(Store(tmp_path / "outputs" / ".store"), *GRID)
    fill(Store(tmp_path / "outputs" / ".store"), *graph.stages.values())
    done = described(ovrun, "dialogpt-mini-int4", *GRID)
    assert done["expected"] is None and {row["memory"] for row in done["graph"]} == {None}
    assert "expected" not in ovrun("plan", "dialogpt-mini-int4", *GRID).stdout


@pytest.mark.parametrize(("jobs", "wanted"), [(1, (10.0, 9, 35)), (2, (6.0, 11, 35)), (9, (5.0, 12, 35))])
def test_stages_side_by_side(jobs: int, wanted: tuple[float, int, int]) -> None:
    """After the root come a long one of much memory and two short ones, of which the second needs the first."""
    root = cheap.stage(0)
    long, short = cheap.stage(1, root), cheap.stage(2, root)
    last, beside = cheap.stage(3, short), cheap.stage(4, root)
    costs = [(root, 1.0, 2), (long, 4.0, 9), (short, 2.0, 1), (last, 1.0, 1), (beside, 2.0, 2)]
    found = forecast([(stage, Estimate(memory, time, 7, known=True)) for stage, time, memory in costs], jobs)
    assert (found.seconds, found.memory, found.disk) == wanted


def test_plan_of_many_points_is_short(ovrun: Ovrun) -> None:
    text = ovrun("plan", "dialogpt-mini-int4", "compression.ratio=range(0.01,1,0.01)").stdout
    assert "99 points, 792 stages, 498 distinct, 0 cached" in text
    assert len(text.splitlines()) < 20
    assert "--ratio-0.01, --ratio-0.02, --ratio-0.03 …" in text


def test_wrong_points_end_with_2_and_nothing_is_made(ovrun: Ovrun, tmp_path: Path) -> None:
    done = ovrun("plan", "dialogpt-mini-int4", "compression.mode=int8_sym,int4_sym", code=2)
    assert "error: " in done.stderr and "(in 1 of 2 points: --mode-int8_sym)" in done.stderr
    assert "hint: 1 of 2 points are right." in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_validate_and_list_know_sweeps(ovrun: Ovrun) -> None:
    assert ovrun("validate", "dialogpt-mini-grid", "digits-int8").stdout == (
        "dialogpt-mini-grid: valid, 13 points\ndigits-int8: valid\n"
    )
    rows = {row["name"]: row["points"] for row in json.loads(ovrun("list", "--json").stdout)}
    assert (rows["dialogpt-mini-grid"], rows["dialogpt-mini-int4"]) == (13, None)
    assert "[13 points] The embedded dialogue model" in ovrun("list").stdout


def test_list_counts_the_points_of_a_recipe(ovrun: Ovrun, tmp_path: Path) -> None:
    for name in ("digits-grid--preset-mixed", "digits-grid--preset-performance", "nobody--seed-1"):
        (tmp_path / "outputs" / name / "1").mkdir(parents=True)
        (tmp_path / "outputs" / name / "1" / "manifest.json").write_text("{}")
    lines = {line.split()[0]: line for line in ovrun("list").stdout.splitlines()}
    assert "2 points" in lines["digits-grid"]
    assert "nobody--seed-1" in lines and "digits-grid--preset-mixed" not in lines
    assert {"digits-grid--preset-mixed", "nobody--seed-1"} <= {
        row["name"] for row in json.loads(ovrun("list", "--json").stdout)
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--jobs", "0"], "argument --jobs: 0 is not a whole number of at least 1"),
        (["--jobs", "2", "--scheduler", "tcp://a:1"], "not allowed with argument --jobs"),
        (["--cluster", "cloud"], "invalid choice: 'cloud'"),
    ],
)
def test_where_a_sweep_runs_is_one_place(ovrun: Ovrun, options: list[str], said: str) -> None:
    assert said in ovrun("sweep", "digits-grid", *options, code=2).stderr


def test_a_plan_keeps_its_own_recipe(store: Store) -> None:
    plans: list[Plan] = plan_points(load_sweep("digits-grid"), store)
    assert [plan.recipe.name for plan in plans] == [point.name for point in load_sweep("digits-grid").points]
