"""The Python API as a notebook uses it: a model made, loaded and used, a sweep, a table; nothing is printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from runner import api
from runner.embedded import DATASETS
from runner.run.outcome import Finished, Silent

README = Path(__file__).parents[2] / "README.md"


class Ends(Silent):
    """Remembers the ends of runs."""

    def __init__(self) -> None:
        self.seen: list[Finished] = []

    def ended(self, run: Finished) -> None:
        self.seen.append(run)


def test_a_version_is_made_loaded_and_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    version = api.optimize("digits-int8", outputs=tmp_path)
    assert (version.name, version.number, version.path) == ("digits-int8", 1, tmp_path / "digits-int8" / "1")
    assert version.checks[0]["metric"] == "accuracy" and all(gate["passed"] for gate in version.checks[0]["gates"])
    assert api.optimize(api.load("digits-int8"), outputs=tmp_path) == version
    assert all(stage.cached and not stage.needed for stage in api.plan("digits-int8", outputs=tmp_path))
    assert api.versions(outputs=tmp_path) == api.versions("digits-int8", outputs=tmp_path) == [version]
    assert api.versions("other", outputs=tmp_path) == []

    ends = Ends()
    with pytest.raises(api.AccuracyError, match="accuracy on digits_evaluation: min is 1"):
        api.optimize("digits-int8", ["accuracy.checks.0.min=1.0"], outputs=tmp_path, observer=ends)
    assert [point.status for end in ends.seen for point in end.points] == ["rejected"]
    assert capfd.readouterr() == ("", "")

    with np.load(DATASETS["digits-evaluation"]) as arrays:
        images = arrays["images"][:50].transpose(0, 3, 1, 2).astype(np.float32) / 16
        labels = arrays["labels"][:50]
    scores = version.load()(pixel_values=images).logits
    assert (np.asarray(scores).argmax(-1) == labels).mean() > 0.95


def test_a_sweep_gives_rows(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ends = Ends()
    done = api.sweep("digits-int8", ["compression.subset_size=10,20"], outputs=tmp_path, observer=ends)
    assert ends.seen == [done]
    assert [point.status for point in done.points] == ["published", "published"] and done.exit_code == 0
    rows = api.report(outputs=tmp_path)
    assert [row["compression.subset_size"] for row in rows] == [10, 20]
    assert all(row["accuracy"] > 0.9 and row["size"] < row["converted_size"] for row in rows)
    assert capfd.readouterr() == ("", "")


def test_the_readmes_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.read_text(encoding="utf-8").split("## From Python")[1].split("\n## ")[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    assert 4 <= len(lines) <= 8 and not re.search(r"pandas", "\n".join(line.split("#")[0] for line in lines))
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})
