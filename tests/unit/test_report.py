"""Reports and comparisons: which rows there are, how they are chosen, sorted and written."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.base import resources
from runner.errors import UsageError
from runner.report.columns import Table
from runner.report.compare import compare, find
from runner.report.page import as_html
from runner.report.rows import Row, choose, collect
from runner.report.table import text_lines
from tests.conftest import Ovrun
from tests.reports import check, manifest, point, sha, sweep, write

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><!-- <script> & \u2028 'x'"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """A sweep of twelve with a failed point, one version outside of it, and a model that missed its gate."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    settings = {"compression.mode": "nf4", "compression.ratio": 0.6, "compression.group_size": 32}
    failed = point("grid--mode-nf4--ratio-0.6--group_size-32", settings, "failed", "its stage ended by signal 9")
    sweep(folder, "grid", extra=[failed])
    write(folder, manifest("single", size=4_000_000))
    write(folder, manifest("strict", None))
    return folder


def rows_of(outputs: Path, *words: str) -> list[Row]:
    """The rows that words name, without any trouble on the way."""
    found = collect(outputs)
    assert found.notes == ()
    return choose(found.rows, words, outputs)


def data_in(page: str) -> dict[str, Any]:
    """The data that travels in a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found.group(1)))


def page_of(outputs: Path) -> str:
    """The page of all there is."""
    found = collect(outputs)
    table = Table(found.rows)
    return as_html(table, table.rows, found.notes, outputs, outputs / "report.html")


def test_the_manifests_of_these_tests_are_as_runs_write_them() -> None:
    schema = json.loads((resources.schemas_dir() / "manifest.schema.json").read_text())
    for document in (manifest("a"), manifest("a", None)):
        Draft202012Validator(schema).validate(document)


def test_rows_are_points_then_versions(outputs: Path) -> None:
    rows = rows_of(outputs)
    assert len(rows) == 15
    assert rows[0].ident == "grid--mode-int4_sym--ratio-0.6--group_size-32/1" and rows[0].sweep == "grid"
    assert rows[0].settings == {"compression.mode": "int4_sym", "compression.ratio": 0.6, "compression.group_size": 32}
    failed, single, strict = rows[12:]
    assert (failed.status, failed.version, failed.size) == ("failed", None, None)
    assert (single.ident, single.status, single.sweep) == ("single/1", "published", None)
    assert single.seconds == pytest.approx(7.8) and single.peak_memory == 386_000_000
    assert (strict.status, strict.reason) == (
        "rejected",
        "kl_divergence on dialogue_eval: max is 0.0001, measured 0.001",
    )
    assert strict.ident == f"strict/rejected/{sha('strict')[:12]}"


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("grid", 13),
        ("single", 1),
        ("single/1", 1),
        ("*ratio-0.8*", 4),
        ("grid--mode-nf4--*", 1),
        ("str?ct", 1),
        ("*", 15),
    ],
)
def test_names_choose(outputs: Path, word: str, count: int) -> None:
    assert len(rows_of(outputs, word)) == count


def test_all_names_that_name_nothing_are_told(outputs: Path) -> None:
    with pytest.raises(UsageError) as caught:
        rows_of(outputs, "singel", "single", "nothing*")
    assert [str(problem).partition("holds ")[2] for problem in caught.value.problems] == [
        "nothing named singel (did you mean single?)",
        "nothing named nothing*",
    ]


def test_a_point_that_is_up_to_date_is_published_and_a_deleted_one_is_gone(tmp_path: Path) -> None:
    place = write(tmp_path, manifest("grid--ratio-0.6"))
    settings = {"compression.ratio": 0.6}
    kept = point("grid--ratio-0.6", settings, "up to date", path=place, version=1)
    gone = point(
        "grid--ratio-0.8", {"compression.ratio": 0.8}, "published", path="grid--ratio-0.8/1", version=1, size=5
    )
    sweep(tmp_path, "grid", {}, extra=[kept, gone])
    rows = {row.ident: row for row in rows_of(tmp_path)}
    assert rows["grid--ratio-0.6/1"].status == "published" and rows["grid--ratio-0.6/1"].settings == settings
    assert rows["grid--ratio-0.8/1"].status == "gone" and rows["grid--ratio-0.8/1"].size == 5


def test_what_can_not_be_read_is_told_and_left_out(outputs: Path, ovrun: Ovrun) -> None:
    (outputs / "single" / "1" / "manifest.json").write_text("{")
    (outputs / ".sweeps" / "other.json").write_text('{"sweep_version": 2}')
    (outputs / "single" / "12").mkdir()
    (outputs / "single" / ".new-2-abc").mkdir()
    (outputs / "single" / ".new-2-abc" / "manifest.json").write_text("{}")
    told = ovrun("report", "--outputs", outputs).stderr.splitlines()
    assert len(told) == 2 and all(line.startswith("warning: ") and line.endswith("left out") for line in told)
    assert "single/1/manifest.json" in told[1] + told[0] and "other.json" in told[1] + told[0]
    assert len(data_in((outputs / "report.html").read_text())["notes"]) == 2


def test_text_has_a_table_a_sweep_with_gates_and_reasons(outputs: Path) -> None:
    table = Table(rows_of(outputs))
    text = "\n".join(text_lines(table, table.rows))
    sweep_part, versions = text.split("\n\n")
    assert sweep_part.startswith("grid: 13 points\n") and versions.startswith("versions\n")
    head, gates, first = sweep_part.splitlines()[1:4]
    assert head.split() == ("mode ratio group_size status size x converted kl_divergence time peak memory name".split())
    assert gates.split() == ["≤", "0.01"]
    cells = "int4_sym 0.6 32 published 3.2 MB 0.400 0.0005 ✓ 7.8 s 386 MB"
    assert first.split() == [*cells.split(), "grid--mode-int4_sym--ratio-0.6--group_size-32/1"]
    assert "failed, its stage ended by signal 9" in sweep_part
    assert "0.001 ✓ ≤ 0.01" in versions and "0.001 ✗ ≤ 0.0001" in versions
    narrow = "\n".join(text_lines(table, table.rows, 100))
    assert "the first is grid--mode-int4_sym" in narrow and "name\n" not in narrow


def test_rows_are_sorted_from_best_to_worst_and_the_empty_ones_come_last(outputs: Path) -> None:
    more = {"metric": "exact_match", "values": {}}
    for name, value in (("low", 0.5), ("high", 0.9), ("nan", None)):
        document = manifest(name)
        document["checks"].append(check("exact_match", value, "min", 0.4, value is not None) | more)
        write(outputs, document)
    table = Table(rows_of(outputs, "low", "high", "nan", "single"))
    assert [row.name for row in table.sorted(table.find("exact_match"))][:2] == ["high", "low"]
    assert [row.name for row in table.sorted(table.find("exact_match"), reverse=True)][:2] == ["low", "high"]
    assert "- ✗" in "\n".join(text_lines(table, table.rows))
    grid = Table(rows_of(outputs))
    sizes = [row.size for row in grid.sorted(grid.find("size"))]
    assert sizes[:-1] == sorted(sizes[:-1]) and sizes[-1] is None  # type: ignore[type-var]
    ratios = [grid.value(row, grid.find("ratio")) for row in grid.sorted(grid.find("ratio"))]
    assert ratios[0] == 0.6 and ratios[-1] == 1.0 and grid.find("ratio") == grid.find("compression.ratio")


def test_an_unknown_column_is_told_with_the_nearest(outputs: Path, ovrun: Ovrun) -> None:
    told = ovrun("report", "--sort", "kl_divergance", "--outputs", outputs, code=2).stderr
    assert "there is no column kl_divergance" in told and "did you mean kl_divergence?" in told


def test_a_metric_on_two_datasets_has_two_columns(outputs: Path) -> None:
    document = manifest("other")
    document["checks"] += [check("kl_divergence", 0.5, "max", 1) | {"dataset": "mine"}, document["checks"][0]]
    write(outputs, document)
    table = Table(rows_of(outputs, "other", "single"))
    assert [column.ident for column in table.metrics] == [
        "kl_divergence@dialogue_eval",
        "kl_divergence@mine",
        "kl_divergence@dialogue_eval#2",
    ]
    assert [table.value(table.rows[0], column) for column in table.metrics] == [0.001, 0.5, 0.001]


def test_without_a_sweep_the_settings_that_differ_are_columns(outputs: Path) -> None:
    document = manifest("fine")
    document["recipe"]["compression"] |= {"group_size": 32, "awq": True}
    write(outputs, document)
    table = Table(rows_of(outputs, "fine", "single"))
    assert [column.label for column in table.settings] == ["group_size", "awq"]


def test_csv_has_raw_numbers(outputs: Path, ovrun: Ovrun) -> None:
    lines = list(csv.DictReader(io.StringIO(ovrun("report", "--format", "csv", "--outputs", outputs).stdout)))
    assert len(lines) == 15
    assert lines[0]["size"] == "3200000" and lines[0]["compression.ratio"] == "0.6"
    assert (lines[0]["kl_divergence"], lines[0]["kl_divergence gate"]) == ("0.0005", "max 0.01")
    assert lines[0]["kl_divergence met"] == "yes" and lines[-1]["kl_divergence met"] == "no"
    assert lines[12]["status"] == "failed" and lines[12]["size"] == ""


def test_json_is_one_document(outputs: Path, ovrun: Ovrun) -> None:
    said = ovrun("report", "single", "strict", "--json", "--outputs", outputs)
    single, strict = json.loads(said.stdout)["rows"]
    assert single["path"] == "single/1" and single["size_ratio"] == 0.5 and single["checks"][0]["passed"] is True
    assert strict["status"] == "rejected" and strict["version"] is None


def test_text_also_writes_the_page_and_output_names_a_file(outputs: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    assert ovrun("report").stdout.splitlines()[-1] == "page  outputs/report.html"
    assert ovrun("report", "--format", "html", "--output", "a/b.html").stdout == "a/b.html\n"
    page = (tmp_path / "a" / "b.html").read_text()
    assert data_in(page)["base"] == "./../outputs/" and data_in((outputs / "report.html").read_text())["base"] == "./"
    assert ovrun("report", "--format", "csv", "--output", "c.csv").stdout == "c.csv\n"
    assert not list(tmp_path.glob("**/.*.html.*"))
    told = ovrun("report", "--format", "html", "--output", outputs, code=5).stderr
    assert "can't be written" in told


def test_nothing_yet_is_no_mistake(ovrun: Ovrun, tmp_path: Path) -> None:
    assert "holds no version and no sweep yet" in ovrun("report").stdout
    assert json.loads(ovrun("report", "--json").stdout)["rows"] == []
    assert not (tmp_path / "outputs").exists()


def test_text_of_recipes_is_no_markup_in_the_page(tmp_path: Path) -> None:
    document = manifest("hostile", description=HOSTILE, notes=[HOSTILE])
    document["recipe"]["description"] = HOSTILE
    document["files"][HOSTILE.replace("/", "")] = {"sha256": sha("x"), "size": 1}
    write(tmp_path, document)
    failed = point("hostile--a", {"a": HOSTILE}, "failed", HOSTILE)
    sweep(tmp_path, "s", {}, extra=[failed])
    page = page_of(tmp_path)
    assert page.count("</script>") == 2 and "<img" not in page and "<!--" not in page and "\u2028" not in page
    data = data_in(page)
    assert HOSTILE in data["pool"] and any(row.get("r") == HOSTILE for row in data["rows"])


def test_the_page_needs_nothing_from_elsewhere_and_allows_no_other_script(outputs: Path) -> None:
    page = page_of(outputs)
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1))  # type: ignore[union-attr]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL).group(1)  # type: ignore[union-attr]
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy
    outside = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"(?m)^\s*//.*$", "", page)))
    assert outside == {"http://www.w3.org"}  # the name of SVG, which nobody asks for


def test_a_page_of_a_thousand_points_is_small_and_quick(tmp_path: Path) -> None:
    grid = {"compression.ratio": [n / 100 for n in range(1, 101)], "compression.group_size": list(range(1, 11))}
    sweep(tmp_path, "big", grid)
    page = page_of(tmp_path)
    assert len(page) < 3_000_000
    assert len(data_in(page)["rows"]) == 1000


def test_compare_tells_what_differs(outputs: Path, ovrun: Ovrun) -> None:
    other = manifest("single", 2, size=3_000_000, kld=0.002, libraries={"openvino": "2026.4.1", "nncf": "3.5.0"})
    other["recipe"]["compression"]["ratio"] = 0.6
    other["stages"][1:] = [manifest("x")["stages"][1]]
    write(outputs, other)
    compared = json.loads(ovrun("compare", "single/1", outputs / "single" / "2", "--json").stdout)
    assert compared["settings"] == {"compression.ratio": {"a": 0.8, "b": 0.6}}
    assert compared["size"]["optimized"] == {"a": 4_000_000, "b": 3_000_000, "ratio": 0.75}
    assert compared["metrics"]["kl_divergence"] == {"a": 0.001, "b": 0.002, "ratio": 2.0}
    assert compared["libraries"] == {"nncf": {"a": "3.4.0", "b": "3.5.0"}} and compared["made_with"] == {}
    convert, compress, evaluate = compared["stages"]
    assert convert["shared"] and not compress["shared"] and evaluate["seconds"]["b"] is None
    assert compress["stage"] == "compress single / compress x"
    text = ovrun("compare", "single/1", "single").stdout
    assert "A  single/1  published\nB  single/2  published\n" in text
    assert re.search(r"compression\.ratio +0\.8 +0\.6", text) and re.search(
        r"kl_divergence +0\.001 ✓ +0\.002 ✓ +x 2", text
    )
    assert "made with: none" in text and "the same run" in text


def test_compare_takes_rejected_models_and_names_what_is_missing(outputs: Path, ovrun: Ovrun) -> None:
    rejected = f"strict/rejected/{sha('strict')[:12]}"
    compared = compare(find("single", outputs), find(rejected, outputs))
    assert (
        compared["status"] == {"a": "published", "b": "rejected"} and compared["checks"]["kl_divergence"]["b"] is False
    )
    assert "did you mean single?" in ovrun("compare", "singel", "single", code=2).stderr
    (outputs / "single" / "1" / "manifest.json").write_text("[]")
    assert "is not a manifest" in ovrun("compare", "single", rejected, code=4).stderr
