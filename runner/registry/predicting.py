"""What models give for the rows of a dataset, and which columns of it feed them; a task says it of its models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.registry.formats import TASK_FILE
from runner.registry.metric_settings import DRAWING

ARRAYS = "arrays"
"""The kind of data that feeds a model's inputs by their names, whatever its task."""
SEED = "seed"
"""Among the settings that shape what is kept, the one that the recipe states for all its checks."""
_GENAI = ("openvino", "openvino-genai", "openvino-tokenizers")


@dataclass(frozen=True)
class Predicts:
    """How rows feed a model, and what is kept of each.

    Attributes:
        gives: what is kept, as `runner.registry.metrics.Gives` names it.
        needs: roles of the columns that feed it.
        takes: further roles that feed it where the dataset has them.
        module: dotted name of the module with `predict(asked)`, as `runner.metrics.predicting` says.
        settings: those of a check that shape what is kept, with their defaults.
        revision: goes up when the same rows give other values.
        libraries: distributions whose versions shape the values.
        optimum: whether the process has to be one that Optimum Intel was imported in, and diffusers wasn't.
        network: whether it asks one network for each row, which `Asked.compiled` gives; accuracy control searches with
            those alone.
    """

    gives: str
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()
    module: str = "runner.metrics.predicting.network"
    settings: Mapping[str, object] = field(default_factory=dict)
    revision: int = 1
    libraries: tuple[str, ...] = ("openvino", "numpy")
    optimum: bool = False
    network: bool = True

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that feed it."""
        return (*self.needs, *self.takes)


OF_ARRAYS = tuple(
    Predicts(gives, (ARRAYS,), module="runner.metrics.predicting.arrays")
    for gives in ("class scores", "outputs", "embeddings")
)
"""What any model of one part gives for arrays: its first output."""
REPLIES = Predicts(
    "texts",
    ("prompt",),
    module="runner.metrics.predicting.replies",
    settings={"max_new_tokens": 64},
    libraries=(*_GENAI, "tokenizers"),
    network=False,
)
"""Greedy replies by OpenVINO GenAI."""
CHOICES = tuple(
    Predicts(
        "log-likelihoods",
        (role, "choices"),
        module="runner.metrics.predicting.continuations",
        settings={"delimiter": " "},
        libraries=("openvino", "tokenizers", "numpy"),
    )
    for role in ("prompt", "question")
)
"""How likely each of several choices is to follow a prompt."""
HARNESS = Predicts(
    "task scores",
    (TASK_FILE,),
    module="runner.metrics.predicting.harness",
    libraries=("openvino", "tokenizers", "numpy", "lm-eval", "datasets"),
    network=False,
)
"""What lm-evaluation-harness says of a model's answers, row by row of a task file."""

DESCRIPTIONS = tuple(
    Predicts(
        "texts",
        ("image", asks),
        module="runner.metrics.predicting.described",
        settings=REPLIES.settings,
        libraries=(*_GENAI, "numpy", "pillow"),
        network=False,
    )
    for asks in ("prompt", "text")
)
"""Greedy replies about images by OpenVINO GenAI."""

IMAGES = tuple(
    Predicts(
        "images",
        (role,),
        module="runner.metrics.predicting.drawn",
        settings={**dict.fromkeys(DRAWING), SEED: 0},
        libraries=("openvino", "optimum-intel", "diffusers", "transformers", "torch", "numpy"),
        network=False,
    )
    for role in ("prompt", "text")
)
"""Images that a pipeline of diffusers draws of texts."""


def written(*roles: str, most: int = 256, libraries: tuple[str, ...] = ()) -> Predicts:
    """Greedy replies by a class of Optimum Intel, of so many tokens at most unless a check says otherwise."""
    return Predicts(
        "texts",
        roles,
        module="runner.metrics.predicting.written",
        settings={"max_new_tokens": most},
        libraries=("openvino", "optimum-intel", "transformers", *libraries),
        optimum=True,
        network=False,
    )


def fitting(predicts: Iterable[Predicts], gives: str, kinds: Collection[str]) -> Predicts | None:
    """How data of these kinds feed a model so that it gives that; None if they don't.

    Args:
        predicts: what the models of its task give.
        gives: as `runner.registry.metrics.Gives` names it.
        kinds: what the dataset has, by `runner.recipe.datasets.kinds`.
    """
    return next((one for one in _all(predicts) if one.gives == gives and set(one.needs) <= set(kinds)), None)


def _all(predicts: Iterable[Predicts]) -> Iterator[Predicts]:
    yield from OF_ARRAYS
    yield from predicts


def wanted(predicts: Iterable[Predicts], gives: str) -> str:
    """In words, the columns with which a dataset feeds a model so that it gives that; "" where none does."""
    ways = [" and ".join(f"`{role}`" for role in one.needs) for one in predicts if one.gives == gives]
    return ", or ".join(dict.fromkeys(ways))


def not_searched(metric: str, gives: str, task: str | None) -> str:
    """What is wrong where accuracy control can't search by rows that a model gives."""
    model = f"a model for {task}" if task else "this model"
    return f"accuracy control runs one network for each row, and the {gives} of {model} take more, for {metric}"


def not_given(
    metric: str, rows: Iterable[str], dataset: str, task: str | None, predicts: Iterable[Predicts]
) -> tuple[str, str | None]:
    """What is wrong where a model gives none of the rows that a metric is measured on, and what would do."""
    predicts = list(predicts)
    model = f"a model for {task}" if task else "this model"
    what = f"{metric} is measured on {' or '.join(rows)}, and {model} gives none for the columns of {dataset}"
    ways = [f"{one} of {words}" for one in rows if (words := wanted(_all(predicts), one))]
    return what, f"needed: {'; or '.join(ways)}" if ways else None
