"""What a sweep asks of Slurm: a YAML file, checked like a recipe, becomes the arguments of dask-jobqueue's cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from runner.errors import RecipeError


def read(path: Path) -> dict[str, object]:
    """The resource requests in a file, as keyword arguments of `dask_jobqueue.SLURMCluster`.

    Raises:
        RecipeError: every mistake in it, or it can't be read.
    """
    from runner.recipe.judge.schemas import Validator, load_schema
    from runner.recipe.judge.validate import place
    from runner.recipe.judge.wording import findings
    from runner.recipe.read import yamlfile

    file = yamlfile.read(path)
    errors = Validator(load_schema("slurm.schema.json")).iter_errors(file.data)
    mistakes = [place(finding, file.origins) for error in errors for finding in findings(error)]
    problems = [one.problem for one in sorted([*file.problems, *mistakes], key=lambda one: one.order)]
    if problems:
        raise RecipeError(problems)
    return file.data


def cluster_arguments(requests: dict[str, Any], logs: Path) -> dict[str, Any]:
    """The requests with what is always so: a job is one worker that runs one stage at a time."""
    return {
        "job_name": "ovrun",
        "log_directory": str(logs),
        **requests,
        "python": f"{requests.get('python', sys.executable)} -P",
        "job_script_prologue": ["export PYTHONSAFEPATH=1", *requests.get("job_script_prologue", [])],
        "processes": 1,
        "worker_extra_args": ["--nthreads", "1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"],
        "scheduler_options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
