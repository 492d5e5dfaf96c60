"""Random command lines: every command and option, right and wrong, with words that no file, recipe or number should be.

What would do real work is only asked for things that are not there.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.cli import build_parser
from runner.commands import COMMANDS, Command
from tests import reports
from tests.campaigns import harness
from tests.campaigns.harness import Campaign, Trial

WORKING = {"optimize", "sweep", "reproduce"}
"""Commands that start processes where they find something to do."""
THERE = (
    "ok",
    "ok.yaml",
    "./recipes/ok.yaml",
    "grid",
    "single",
    "single/1",
    "outputs/single/1",
    "dialogpt-mini-int4",
    "*",
)
HOSTILE = (
    *("", " ", "-", "--", "=", "~", "*", "?", "[", "[red]x[/]", "..", "../..", ".", "a/b", "single/2", "single/0"),
    *(
        "single/x",
        "single/-1",
        "single/1/1",
        "single/²",
        "nothing",
        "x" * 300,
        "y/" * 3000,
        "a\0b",
        "\x1b[2J",
        "\x9b0m",
    ),
    *(
        "\u202eevil",
        "a\nb",
        "a\rb",
        "\udcff",
        "\ud83d",
        "名前",
        "e\u0301",
        "~nosuchuser/x",
        "~nosuchuser/x.yaml",
        "~/x.yaml",
    ),
    *("$HOME", "%s", "{0}", "${oc.env:HOME}", "'; rm -rf", '"', "\\", "folder", "folder.yaml", "file", "file.json"),
    *(
        "pipe",
        "pipe.yaml",
        "loop",
        "loop.yaml",
        "dangling.yaml",
        "empty.yaml",
        "binary.yaml",
        "deep.json",
        "locked.yaml",
    ),
    *(
        "/dev/null",
        "/dev/full",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        "/nowhere/x.yaml",
        "file/x.yaml",
        "9" * 5000,
    ),
    *("1e999", "nan", "-1", "0", "1", "2.5", "optimum-cli", "export", "openvino", "report.html", "latest", "x.yaml "),
)
OVERRIDES = (
    *(
        "seed=1",
        "seed=x",
        "seed=",
        "=1",
        "~seed",
        "~nothing",
        "+x=1",
        "++x=1",
        "compression=int8",
        "compression=nothing",
    ),
    *("compression.ratio=0.6,0.8", "compression.ratio=range(1,99999999)", "a.b.c.d=1", "accuracy.checks.0.max=1"),
    *(
        "accuracy.checks.99=1",
        "name=..",
        "name=a/b",
        "name=x\ny",
        "description=\x1b[2J",
        "seed=${seed}",
        "x=${oc.env:HOME}",
    ),
    *(
        "seed=1,2",
        "compression=glob(*)",
        "seed=" + "9" * 4000,
        "model.path=/",
        "[=1",
        "a=[1,",
        "a={b:",
        "a='",
        "é=1",
        "a=\0",
    ),
    *("seed=sort(3,1)", "seed=choice()", "target_device=[red]", "hydra.run.dir=x", "_target_=x", "a=" + "[" * 900),
)
VALUES = {
    "--format": ("text", "csv", "json", "html", "xml", ""),
    "--jobs": ("1", "2", "0", "-1", "x", "9" * 50, "²"),
    "--workers": ("1", "0", "x"),
    "--cluster": ("slurm", "cloud", ""),
    "--sort": ("size", "name", "kl_divergence", "nothing", "", "\x1b"),
    "--outputs": (
        "outputs",
        "new",
        "file",
        "pipe",
        "loop",
        "",
        "\udcff",
        "a\0b",
        "x" * 300,
        "/dev/null",
        "file/x",
        "recipes",
    ),
    "--output": (
        "new.yaml",
        "new.html",
        "folder",
        "file",
        "pipe",
        "loop",
        "",
        "a\0b",
        "x" * 300,
        "/dev/full",
        "/nowhere/x",
    ),
    "--recipes": ("recipes", "folder", "file", "pipe", "loop", "", "a\0b", "x" * 300, "nothing"),
    "--cluster-config": ("file", "folder", "pipe", "empty.yaml", "binary.yaml", "deep.json", "nothing", "", "a\0b"),
    "--scheduler": ("", "x", "tcp://", "tcp://127.0.0.1:1", "tls://127.0.0.1:1", "http://x", "tcp://a b:1"),
}


def case(trial: Trial) -> None:
    """One command line in a folder with a bit of everything."""
    _furnish(trial.folder)
    os.chdir(trial.folder)
    # Folders above are named here, and devices: what lies there may be looked at.
    trial.run(
        *words(trial.random), reads=(trial.folder.parent, trial.folder.parent.parent, Path("/dev"), Path("/nowhere"))
    )


def words(random: random.Random) -> list[str]:
    """A command line."""
    if random.random() < 0.05:
        return random.choices((*HOSTILE, "help", "--help", "--version", "-h", *(one.name for one in COMMANDS)), k=2)
    command = random.choice(COMMANDS)
    pool = (*HOSTILE, *OVERRIDES) if command.name in WORKING else (*HOSTILE, *OVERRIDES, *THERE, *THERE, *THERE)
    found = [random.choice(pool) for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 5)))]
    if command.name in WORKING:
        found = [word for word in found if word not in ("*", "?", "[")]
    found += [word for option in _options(command, random) for word in option]
    if random.random() < 0.2:
        random.shuffle(found)
    return [command.name, *found]


def _options(command: Command, random: random.Random) -> list[list[str]]:
    """Some options of a command, each with a value where it takes one, mostly."""
    parser = build_parser(command)
    chosen = random.sample(parser._actions, k=min(len(parser._actions), random.choice((0, 1, 1, 2, 3))))
    found = [_option(action, random) for action in chosen if action.option_strings]
    if random.random() < 0.1:
        found.append([random.choice(("--nothing", "-x", "--jsno", "--=", "---", "-", "--quiet=1"))])
    return found


def _option(action: argparse.Action, random: random.Random) -> list[str]:
    name = action.option_strings[0]
    if action.nargs == 0:
        return [name]
    hostile = random.random() < 0.3 or name not in VALUES
    value = random.choice(HOSTILE if hostile else VALUES[name])
    return [f"{name}={value}"] if random.random() < 0.5 else [name, value]


def _furnish(folder: Path) -> None:
    (folder / "recipes").mkdir()
    text = "name: ok\ndefaults: [{model: dialogpt-mini}, _self_]\n"
    text += "compression: {algorithm: weight_compression, mode: int8_asym}\n"
    for path in ("recipes/ok.yaml", "ok.yaml"):
        (folder / path).write_text(text)
    (folder / "recipes" / "grid.yaml").write_text(text.replace("name: ok", "sweep: {seed: [1, 2]}"))
    reports.write(folder / "outputs", reports.manifest("single"))
    (folder / "folder").mkdir()
    (folder / "folder.yaml").mkdir()
    for name in ("file", "empty.yaml"):
        (folder / name).touch()
    (folder / "file.json").write_text("[1]")
    (folder / "deep.json").write_text("[" * 5000)
    (folder / "binary.yaml").write_bytes(bytes(range(256)))
    (folder / "locked.yaml").write_text("a: 1")
    (folder / "locked.yaml").chmod(0)
    for name in ("pipe", "pipe.yaml"):
        os.mkfifo(folder / name)
    for name in ("loop", "loop.yaml"):
        (folder / name).symlink_to(name)
    (folder / "dangling.yaml").symlink_to("nowhere")


CAMPAIGN = Campaign("arguments", 5_000, case)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it."""
    return harness.main(CAMPAIGN, argv)


if __name__ == "__main__":
    sys.exit(main())
