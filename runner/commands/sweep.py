"""`ovrun sweep`: every point of recipes as one graph; one recipe's failures do not keep the others from running."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from runner.commands import options
from runner.commands.loading import load_sweeps, permit_all
from runner.errors import OvrunError
from runner.report.output import Output

if TYPE_CHECKING:
    from runner.engine.watcher import Execute
    from runner.recipe import Sweep


def arguments(parser: ArgumentParser) -> None:
    """Which points, and where they run."""
    options.recipe_words(parser, "value,value")
    options.recipes(parser)
    options.outputs(parser)
    options.code(parser)
    options.undecided(parser)
    options.quiet(parser, "only the folders of the versions")
    options.json(parser, "print JSON instead of text, an event a line")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=options.count, metavar="N", help="run on N worker processes of this machine")
    where.add_argument("--scheduler", metavar="ADDRESS", help="run on a Dask scheduler, such as tcp://host:8786")
    where.add_argument("--cluster", choices=("slurm",), help="start a Dask cluster there, and run on it")
    parser.add_argument(
        "--cluster-config",
        type=options.place,
        metavar="FILE",
        help="YAML of the resources that a job of --cluster asks for",
    )
    parser.add_argument(
        "--workers", type=options.count, metavar="N", help="how many workers --cluster starts (default: 1)"
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first point that fails")


def run(arguments: Namespace, output: Output) -> int:
    """Run all sweeps; the exit code is that of the worst failure."""
    execute = _engine(arguments, output)
    sweeps = load_sweeps(arguments)
    for sweep in sweeps:
        permit_all(sweep, arguments)
    codes = []
    for sweep in sweeps:
        try:
            codes.append(_sweep_one(sweep, execute, arguments, output))
        except OvrunError as error:
            output.failed(error)
            codes.append(error.exit_code)
    return max(codes)


def _engine(arguments: Namespace, output: Output) -> Execute:
    """What runs the stages; a mistake in its options comes before all others."""
    from runner.engine.pick import NOT_ENCRYPTED, engine

    execute = engine(
        arguments.jobs,
        scheduler=arguments.scheduler,
        cluster=arguments.cluster,
        cluster_config=arguments.cluster_config,
        workers=arguments.workers,
    )
    if arguments.scheduler is not None:
        from runner.engine.start import is_encrypted

        if not is_encrypted(arguments.scheduler):
            output.warn(f"warning: {NOT_ENCRYPTED}")
    return execute


def _sweep_one(sweep: Sweep, execute: Execute, arguments: Namespace, output: Output) -> int:
    from runner import api

    with contextlib.closing(output.sweep(sweep)) as display:
        finished = api.sweep(
            sweep,
            outputs=arguments.outputs,
            fail_fast=arguments.fail_fast,
            allow_remote_code=arguments.allow_remote_code,
            allow_code=arguments.allow_code,
            accept_undecided=arguments.accept_undecided,
            observer=display,
            execute=execute,
        )
    output.damaged(sentence for point in finished.points for sentence in point.damaged)
    output.after_sweep(sweep.name, arguments.outputs)
    return finished.exit_code
