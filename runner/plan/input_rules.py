"""The rules of a recipe that need the model's inputs: their shapes, what is built in before them, what feeds them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from runner import data
from runner.data.npy import Header
from runner.errors import Problem
from runner.model.inputs import (
    Input,
    Misfit,
    model_layout,
    named,
    preprocess_misfits,
    reshaped,
    shape_misfits,
    taken_by,
)
from runner.recipe.conversion import InputSteps, shape_of, within
from runner.recipe.types import Dataset, Recipe
from runner.registry.tasks import family_of
from runner.sources import Located
from runner.sources.inputs import known_inputs


def check_inputs(
    recipe: Recipe, located: Located, config: Mapping[str, object] | None, used: Collection[str], parts: Collection[str]
) -> Iterator[Problem]:
    """What the recipe says of inputs and does not fit a model, as far as its files tell.

    Args:
        config: the model's config.json, as far as it is known by now.
        used: names of the datasets that feed the model.
        parts: names of those that the model may have; none if nobody knows yet.
    """
    said = recipe.conversion
    sections = [name for name in ("shapes", "preprocess") if getattr(said, name)]
    if not sections:
        return
    if refusal := _refusal(located, parts):
        yield from (_problem(recipe, name, Misfit("", *refusal)) for name in sections)
        return
    inputs = _of_code(recipe) or known_inputs(located, config)
    problems = list(_misfits(recipe, inputs)) if inputs else []
    inputs = reshaped(said.shapes, inputs)
    datasets = [recipe.datasets[name] for name in used]
    problems += _data(recipe, datasets, inputs)
    yield from problems or _arrays(recipe, datasets, inputs)


def _of_code(recipe: Recipe) -> list[Input]:
    """The inputs of a PyTorch module of a file, which the recipe itself tells."""
    example = recipe.model.code.example if recipe.model.code else ()
    return [Input(one.name, shape_of([-1 if size is None else size for size in one.shape])) for one in example]


def _misfits(recipe: Recipe, inputs: Sequence[Input]) -> Iterator[Problem]:
    said = recipe.conversion
    yield from (_problem(recipe, "shapes", one) for one in shape_misfits(said.shapes, inputs))
    inputs = reshaped(said.shapes, inputs)
    yield from (_problem(recipe, "preprocess", one) for one in preprocess_misfits(said.preprocess, inputs))


def _refusal(located: Located, parts: Collection[str]) -> tuple[str, str] | None:
    """Why nothing can be built into a model of this kind."""
    if len(parts) > 1:
        return f"it is for models of one part, and this one has {' and '.join(parts)}", "remove it"
    if family_of(located.task).gives == "next tokens":
        return (
            f"tokenizers feed a model for {located.task}, with texts of any length, and know nothing of it",
            "remove it",
        )
    return None


def _problem(recipe: Recipe, section: str, misfit: Misfit) -> Problem:
    key = ".".join(part for part in ("conversion", section, misfit.key) if part)
    return Problem(recipe.where(key), key, *misfit[1:])


def _data(recipe: Recipe, datasets: Sequence[Dataset], inputs: Sequence[Input]) -> Iterator[Problem]:
    """What datasets make of their arrays, where the model takes something else since steps were built in."""
    for name, steps in recipe.conversion.preprocess.items():
        one = named(name, inputs)
        for dataset in datasets:
            if dataset.preprocess and {"", name, *(one.names if one else ())} & dataset.inputs.keys():
                layout = steps.layout or (model_layout(steps, one) if one else None)
                yield from _dataset(recipe, dataset, steps, layout)


def _dataset(recipe: Recipe, dataset: Dataset, steps: InputSteps, layout: str | None) -> Iterator[Problem]:
    assert dataset.preprocess
    made, dtype = dataset.preprocess.layout, dataset.preprocess.dtype
    key = f"datasets.{dataset.name}.preprocess"
    if made and layout and made[1] != layout:
        at = f"{key}.layout"
        what = f"it makes {made[1]}, and the model takes {layout} since conversion.preprocess"
        yield Problem(recipe.where(at), at, what, "give the data as they are before these steps")
    elif steps.element_type and steps.element_type[0] in "ui" and dtype.startswith("float"):
        at = f"{key}.dtype"
        what = f"it makes {dtype}, and the model takes {steps.element_type} since conversion.preprocess"
        yield Problem(recipe.where(at), at, what, "give the data as they are before these steps")


def _arrays(recipe: Recipe, datasets: Sequence[Dataset], inputs: Sequence[Input]) -> Iterator[Problem]:
    """Arrays of another shape or type than the inputs take in the end."""
    steps = {id(named(name, inputs)): steps for name, steps in recipe.conversion.preprocess.items()}
    for dataset in (one for one in datasets if one.format in ("npz", "npy")):
        headers = data.reader(dataset).array_headers(dataset)
        for name, array in dataset.inputs.items():
            one = inputs[0] if not name and len(inputs) == 1 else named(name, inputs)
            if one and (what := _unfit(dataset, headers[array], one, steps.get(id(one), InputSteps()))):
                key = f"datasets.{dataset.name}.inputs"
                yield Problem(recipe.where(key), key, f'the array "{array}" {what}')


def _unfit(dataset: Dataset, header: Header, one: Input, steps: InputSteps) -> str | None:
    """Why an array can't feed an input; None if it can, as far as its header tells."""
    shape, given, made = header.shape, header.dtype, dataset.preprocess
    if made and made.layout:
        stored, wanted = made.layout
        shape = tuple(shape[stored.index(axis)] for axis in wanted)
    if not made and steps.element_type and steps.element_type[0] in "ui" and "f" in given:
        return f"holds floats, and the model takes {steps.element_type}"
    taken = taken_by(steps, one)
    if taken.sizes is None or (len(taken.sizes) == len(shape) and all(map(within, shape[1:], taken.sizes[1:]))):
        return None
    return f"has items of shape {list(shape[1:])}, and the model takes {taken}"
