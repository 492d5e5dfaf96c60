"""The harness of the campaigns: it finds what it is there to find, and nothing else."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys

import pytest

from tests import planted
from tests.campaigns import harness
from tests.campaigns.__main__ import discover, main


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    harness.options(parser)
    return parser.parse_args(words)


@pytest.fixture(scope="module")
def result() -> harness.Result:
    return harness.run(planted.CAMPAIGN, options("--jobs", "2"))


@pytest.mark.parametrize("number, words", list(enumerate(planted.FAULTS)))
def test_finds_each_fault(result: harness.Result, number: int, words: str) -> None:
    complaints = [line for case, lines in result.failures if case == number for line in lines]
    assert bool(complaints) == bool(words), complaints
    looked_for = "opened to write" if words == "through a link" else words
    assert any(looked_for in line for line in complaints) or not words, complaints


def test_one_case_again_and_no_more_than_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.main(planted.CAMPAIGN, ["--only", "1"]) == 1
    assert "--seed 0 --only 1" in capsys.readouterr().out
    assert harness.main(planted.CAMPAIGN, ["--count", "1"]) == 0
    assert "1 cases, 0 failures" in capsys.readouterr().out
    assert harness.run(planted.CAMPAIGN, options("--minutes", "0")).done == 0


def test_what_can_not_be_tried_here_is_said_and_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    campaign = dataclasses.replace(planted.CAMPAIGN, impossible=lambda: "it takes the right to mount")
    assert harness.run(campaign, options()).done == 0
    assert "none of its" in (told := capsys.readouterr().out) and "it takes the right to mount" in told
    possible = dataclasses.replace(planted.CAMPAIGN, impossible=lambda: None)
    assert harness.run(possible, options("--only", "0")).done == 1


def test_every_campaign_is_found_and_named_like_its_module() -> None:
    for campaign in discover():
        assert campaign.module == f"tests.campaigns.{campaign.name}"


def test_unknown_campaigns_are_refused() -> None:
    with pytest.raises(SystemExit):
        main(["nosuch"])


def test_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.campaigns", "--count", "0"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "campaign" in done.stdout
