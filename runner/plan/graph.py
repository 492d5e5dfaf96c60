"""One graph for many plans: the union of their stages, those with equal keys merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.errors import Problem, RecipeError, SourceError
from runner.plan.builder import make_plan
from runner.plan.memo import Memo
from runner.plan.types import Plan, Stage
from runner.recipe.origins import show_path
from runner.recipe.types import Sweep
from runner.store import Store


@dataclass(frozen=True)
class Graph:
    """The stages of some plans.

    Attributes:
        stages: key -> stage; a stage comes after those that it reads, and a plan's stages before those of later plans.
        uses: key -> how many plans have the stage.
    """

    plans: Sequence[Plan]
    stages: Mapping[str, Stage]
    uses: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of stages if nothing were shared."""
        return sum(self.uses.values())

    def needed(self, store: Store) -> list[Stage]:
        """The stages that have to run: those of the targets that are not in the store, and what they need."""
        wanted = list(dict.fromkeys(key for plan in self.plans for key in plan.targets))
        seen, absent = set(wanted), set()
        while wanted:
            key = wanted.pop()
            if store.find(key) is None:
                absent.add(key)
                inputs = [one for one in self.stages[key].after.values() if one not in seen]
                seen.update(inputs)
                wanted.extend(inputs)
        return [stage for key, stage in self.stages.items() if key in absent]


def make_graph(plans: Sequence[Plan]) -> Graph:
    """Merge the stages of plans."""
    stages: dict[str, Stage] = {}
    uses: Counter[str] = Counter()
    for plan in plans:
        for stage in plan.stages:
            stages.setdefault(stage.key, stage)
            uses[stage.key] += 1
    return Graph(plans, stages, uses)


def plan_points(sweep: Sweep, store: Store) -> list[Plan]:
    """Plan each point of a sweep, in their order; what points share is looked at once.

    Raises:
        RecipeError: points do not fit their models, as far as can be known now; all of them.
        SourceError: models or datasets can't be had or read.
    """
    from runner.recipe.points.mistakes import Mistakes

    memo, plans = Memo(store), []
    mistakes = Mistakes(sweep.name, f"{show_path(sweep.points[0].recipe.path)}:1:1")
    sources: dict[str, tuple[SourceError, list[str]]] = {}
    for point in sweep.points:
        problems: tuple[Problem, ...] = ()
        try:
            plans.append(make_plan(point.recipe, store, memo))
        except RecipeError as error:
            problems = error.problems
        except SourceError as error:
            sources.setdefault(error.message, (error, []))[1].append(point.name)
        mistakes.add(point.name, point.settings, problems)
    mistakes.refuse()
    if sources:
        raise _not_had(sources, sweep)
    return plans


def _not_had(sources: Mapping[str, tuple[SourceError, list[str]]], sweep: Sweep) -> SourceError:
    """All sources that can't be had, with the number of points that need each."""
    count = len(sweep.points)
    told = [m if len(names) == count else f"{m} ({len(names)} of {count} points)" for m, (_, names) in sources.items()]
    hint = next((error.hint for error, _ in sources.values() if error.hint), None)
    return SourceError("; ".join(told), hint=hint)
