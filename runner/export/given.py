"""What an original gives of some inputs: kept in a file beside the converted model, which is held against it later.

What runs an original is large; its process has ended, and given its memory back, before the runtime compiles the other.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.base.figures import megabytes
from runner.base.values import Array
from runner.export.damage import reason_of
from runner.model.feed import Feed
from runner.model.varied import PAST
from runner.recipe.conversion import SMALL_BYTES

_SHARE = 0.5
_NUMBERS = "biufc"
Outputs = dict[str, Array]
"""Name -> values."""
Run = Callable[[Feed], Outputs]


@dataclass(frozen=True)
class Trial:
    """What the converted model is fed, and what its original gave of that.

    Attributes:
        part: the part that it is of; empty for a model of one part.
        fed: the shapes that both get, in words.
        feeds: for the converted part, one after the other: it keeps its state between them.
        wanted: the original's outputs, those of the last feed or, along their second axis, of all.
    """

    part: str
    fed: str
    feeds: list[Feed]
    wanted: Outputs


@dataclass
class Given:
    """What an original gave in all trials.

    Attributes:
        original: what it was run by, in words.
        unchecked: what can't be compared, and why, a sentence each.
        trials: each of one part.
        by_place: outputs that are named otherwise are known by their place.
        draws_nothing: what the converted model draws at random has to be zero.
    """

    original: str
    unchecked: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    by_place: bool = False
    draws_nothing: bool = False

    def ask(
        self,
        run: Run,
        feeds: Iterable[Feed],
        part: str = "",
        steps: Callable[[Feed], list[Feed]] = lambda feed: [feed],
    ) -> list[tuple[Feed, Outputs]]:
        """Run the original on the first feed, and on the first other that it takes; what it gave is kept and returned.

        Args:
            steps: what the converted model gets in place of a feed, where that is another thing.
        """
        told = list(trials(run, feeds, self))
        for feed, wanted in told:
            self.add(part, steps(feed), wanted, shapes(feed))
        return told

    def add(self, part: str, feeds: list[Feed], wanted: Outputs, fed: str = "") -> None:
        """Keep what the original gave of some feeds."""
        self.trials.append(Trial(part, fed or shapes(feeds[-1]), feeds, wanted))

    def write(self, out: Path) -> None:
        """Keep all beside the converted model in `out`, for `read`."""
        import numpy as np

        arrays: list[Array] = []

        def placed(named: Mapping[str, Array]) -> dict[str, int]:
            kept = {name: array for name, array in named.items() if np.asarray(array).dtype.kind in _NUMBERS}
            arrays.extend(kept.values())
            return dict(zip(kept, range(len(arrays) - len(kept), len(arrays)), strict=True))

        told = [
            {**vars(one), "feeds": [placed(feed) for feed in one.feeds], "wanted": placed(one.wanted)}
            for one in self.trials
        ]
        folder = _place(out)
        folder.mkdir()
        (folder / "given.json").write_text(json.dumps({**vars(self), "trials": told}), encoding="utf-8")
        np.savez(folder / "arrays.npz", allow_pickle=False, **{str(index): one for index, one in enumerate(arrays)})


def is_there(out: Path) -> bool:
    """Whether something has been kept for the model in `out`."""
    return _place(out).is_dir()


def read(out: Path) -> Given:
    """What was kept; it is there no more then."""
    import numpy as np

    folder = _place(out)
    told = json.loads((folder / "given.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:

        def named(places: Mapping[str, int]) -> Outputs:
            return {name: arrays[str(index)] for name, index in places.items()}

        kept = [
            Trial(one["part"], one["fed"], [named(feed) for feed in one["feeds"]], named(one["wanted"]))
            for one in told["trials"]
        ]
    shutil.rmtree(folder)
    return Given(told["original"], told["unchecked"], kept, told["by_place"], told["draws_nothing"])


def _place(out: Path) -> Path:
    return out.with_name("given")


def trials(run: Run, feeds: Iterable[Feed], given: Given) -> Iterator[tuple[Feed, Outputs]]:
    """The first feed with what the original gives, and the first of the others that the original takes."""
    taken = 0
    for feed in feeds:
        try:
            outputs = run(feed)
        except Exception as error:  # whatever a model's own code raises
            if not taken:
                what = reason_of(error).rstrip(".")
                given.unchecked.append(f"the model, for its original does not take {shapes(feed)}: {what}")
                return
            continue
        yield feed, outputs
        taken += 1
        if taken == 2:
            return


def shapes(feed: Mapping[str, Array]) -> str:
    """`input_ids [2, 13], attention_mask [2, 13]`; a cache is one word."""
    told = {"past_key_values.*" if name.startswith(PAST) else name: array.shape for name, array in feed.items()}
    return ", ".join(f"{name} {list(shape)}" for name, shape in told.items())


def too_large(folder: Path, precision: str, check: str) -> str | None:
    """Why a model in a folder is not compared here: in 32 bits it would take more than a comparison may.

    Args:
        check: `small` for models that are compared in passing, `any` for all that fit into the free memory.
    """
    import psutil

    needed = sum(path.stat().st_size for path in folder.rglob("*.bin")) * (2 if precision == "fp16" else 1)
    if check == "small" and needed > SMALL_BYTES:
        return (
            f"the model, which takes {megabytes(needed)} in 32 bits; above {megabytes(SMALL_BYTES)} it is compared "
            "with conversion.check.large: true"
        )
    free = int(psutil.virtual_memory().available)
    if needed <= free * _SHARE:
        return None
    return (
        f"the model, which takes {megabytes(needed)} in 32 bits, more than half of the {megabytes(free)} that are free"
    )
