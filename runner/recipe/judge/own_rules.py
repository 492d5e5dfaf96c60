"""Metrics of the recipe's own files have names that mean one thing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from runner.base.values import mapping
from runner.recipe import build
from runner.recipe.judge.wording import Finding
from runner.recipe.origins import KeyPath
from runner.registry.metrics import METRICS
from runner.registry.own import own_of

MEASURES = ("size", "seconds")
"""What every point of a sweep has, whatever its checks."""


def check(config: Mapping[str, object], bad: Collection[KeyPath]) -> Iterator[Finding]:
    """Names of which one is a metric of ovrun's, or another metric of the recipe's own."""
    seen: dict[str, object] = {}
    for at, stated in build.own_metrics(config):
        own = own_of(stated) if at not in bad else None
        if own is None:
            continue
        key = "name" if "name" in mapping(stated) else "function"
        if own.name in METRICS or own.name in MEASURES:
            yield Finding((*at, key), f"{own.name} is the name of another measure", "state another as `name`")
        elif seen.setdefault(own.name, own) != own:
            yield Finding((*at, key), f"two metrics are called {own.name}", "state another as `name`")
