"""5,000 command lines with overrides that were changed: `validate`, and `plan` for some."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

from tests.campaigns import harness, mutate
from tests.campaigns.harness import Campaign, Trial
from tests.campaigns.recipes import complain_of_places

RECIPES = ("dialogpt-mini-int4", "digits-int8", "dialogpt-mini-grid", "nncf-legacy", "dialogpt-mini-ptq", "dialogpt-*")
WHOLE = (
    *(
        "compression.ratio=0.6",
        "compression=int8",
        "compression=int4-sym,int4-asym",
        "compression=glob(int4-*)",
        "~accuracy",
    ),
    *(
        "accuracy=null",
        "seed=range(0,5)",
        "compression.mode=int4_sym,nf4",
        "compression={mode: nf4, ratio: 0.5}",
        "name=x",
    ),
    *(
        "datasets.d={source: file, path: x.npz}",
        "accuracy.checks.0.max=0.2",
        "~compression.ratio",
        "++seed=3",
        "+seed=3",
    ),
    *(
        "sweep.seed=[1,2]",
        "sweep.exclude=[{compression.ratio: 0.6}]",
        "select={minimize: size}",
        "data=[dialogue,digits]",
    ),
    *(
        "model=digits-cnn",
        "description='a b'",
        "seed=choice(1,2)",
        "seed=sort(3,1,2)",
        "compression.ratio=interval(0,1)",
    ),
    *(
        "seed=shuffle(range(1,5))",
        "seed=int(3.5)",
        "description=str([1,2])",
        "seed=tag(a,b,choice(1,2))",
        "compression@x=int8",
    ),
)
PIECES = (
    *(
        "=",
        "==",
        "~",
        "+",
        "++",
        ".",
        "..",
        ",",
        ",,",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "'",
        '"',
        "\\",
        ":",
        "@",
        "/",
        "$",
        "%",
        "#",
    ),
    *(
        "${name}",
        "${oc.env:HOME}",
        "${now:x}",
        "???",
        "null",
        "1e999",
        "9" * 5000,
        "inf",
        "nan",
        "-",
        "0x",
        "1_0",
        "a" * 300,
    ),
    *(
        "range(0,1e12)",
        "range(0,10,0)",
        "range(5,0)",
        "range(0,1,1e-9)",
        "choice()",
        "glob(*)",
        "glob([a,b],exclude=c)",
        "int(x)",
    ),
    *(
        "_target_",
        "hydra",
        "hydra.run.dir",
        "defaults",
        "defaults.0",
        "sweep",
        "select",
        "name",
        "model.path",
        "compression.0.mode",
    ),
    *(
        "\n",
        "\t",
        " ",
        "\x00",
        "\x1b[31m",
        "é",
        "\u2028",
        "\udc80",
        "~nosuchuser/x",
        "../x",
        "/dev/zero",
        "x.yaml",
        "a/b.yaml",
        "-x",
    ),
    *("[" * 200, "{a:" * 100, "1," * 900, "1," * 4000, "a." * 500, "f(" * 100, "'" * 100, "\\" * 500, "${" * 100),
)


def _word(random: Random) -> str:
    """An override, right or wrong."""
    word = random.choice(WHOLE)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        start = random.randrange(len(word) + 1)
        end = min(len(word), start + random.choice((0, 0, 1, 3, 20)))
        piece = random.choice(PIECES) if random.random() < 0.8 else str(random.choice(mutate.TEXTS))
        word = word[:start] + piece + word[end:]
    if random.random() < 0.1:
        key = random.choice(("compression.", "accuracy.", "datasets.", "", "model.")) + mutate.a_key(random)
        word = f"{key}={mutate.dumped(random, mutate.junk(random)).strip()}"
    return word


def case(trial: Trial) -> None:
    """One command line with one or several overrides."""
    random = trial.random
    many = random.choice((1, 1, 1, 2, 3)) if random.random() < 0.98 else random.choice((50, 490, 3000))
    words = [word for word in (_word(random) for _ in range(many)) if "\x00" not in word and word[:1] != "-"]
    if random.random() < 0.02:
        words = [f"compression.k{number}=1" for number in range(many)]
    command = random.choice(("validate",) * 5 + ("plan",))
    codes = (0, 2, 4) if command == "plan" else (0, 2)
    outcome = trial.run(command, random.choice(RECIPES), *words, codes=codes, reads=[Path.home()])
    complain_of_places(trial, outcome)


CAMPAIGN = Campaign(
    "overrides", 5_000, case, warm=("runner.recipe.points.sweep", "runner.recipe.compose.hydra", "runner.plan.graph")
)

if __name__ == "__main__":
    sys.exit(harness.main(CAMPAIGN))
