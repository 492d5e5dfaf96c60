"""Versions published by the real code from stages that cost nothing: in this process, in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.artifact import placing
from runner.base import keys
from runner.metrics.gates import Judged, Verdict, judge
from runner.plan.types import Plan, Stage
from runner.recipe.accuracy import Check
from runner.recipe.types import Dataset, ModelSource, Recipe
from runner.registry.gates import GateKind
from runner.sources import Located
from runner.store import Entry, Store
from tests import cheap

MODEL = {
    "openvino_model.xml": "<net/>",
    "openvino_model.bin": "w" * 3000,
    "config.json": "{}",
    "parts/vocabulary.txt": "a\nb\n",
}
HARDWARE = {"cpu": "A CPU", "cpu_flags": ["avx2"], "cores": 2, "memory": 8 << 30, "system": "Linux", "python": "3.11.7"}


@dataclass
class Project:
    """A recipe and an outputs folder below `folder`; `model` are the optimized model's files.

    `value` is what a check measured, whose limit is 0.1; with an `interval` it decides by the bound, and
    `accept_undecided` publishes nevertheless. `hub` is the identity of a hub's model.
    """

    folder: Path
    name: str = "r"
    model: dict[str, str] = field(default_factory=lambda: dict(MODEL))
    value: float | None = None
    interval: list[float] | None = None
    accept_undecided: bool = False
    sweep: Mapping[str, Any] | None = None
    hub: Mapping[str, str] | None = None

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def home(self) -> Path:
        return self.outputs / self.name

    @property
    def store(self) -> Store:
        return Store(self.outputs / ".store")

    def recipe(self) -> Recipe:
        """A recipe with data beside it and an override of the command line."""
        data, model = self.folder / "data" / "eval.jsonl", self.folder / "models" / "m"
        datasets = {"eval": {"source": "file", "path": str(data), "column": "text"}}
        return Recipe(
            name=self.name,
            path=self.folder / "recipes" / f"{self.name}.yaml",
            model=ModelSource("local", path=model, task="text-generation-with-past"),
            description="A model of a test",
            datasets={"eval": Dataset("eval", "file", data, "jsonl", columns={"text": "text"})},
            resolved={
                "name": self.name,
                "description": "A model of a test",
                "model": {"source": "huggingface", "id": self.hub["id"], "revision": self.hub["requested_revision"]}
                if self.hub
                else {"source": "local", "path": str(model), "task": "text-generation-with-past"},
                "datasets": datasets,
                "seed": 0,
            },
            origins={
                "model": f"{self.folder}/recipes/{self.name}.yaml:2:1",
                "seed": "command line: seed=0 with-a-secret",
                "datasets": "recipes/x.yaml:1:1",
            },
        )

    def publish(self) -> placing.Placed:
        """Publish the model as a run would, by the same stages for the same content."""
        model = self._entry("compress", self.model)
        converted = self._entry("convert", {"openvino_model.xml": "<net/>", "openvino_model.bin": "w" * 6000})
        entries = {entry.key: entry for entry, _ in (model, converted)}
        local = {"source": "local", "path": str(self.folder / "models" / "m"), "sha256": "0" * 64}
        identity = {"source": "huggingface", **self.hub} if self.hub else local
        plan = Plan(
            recipe=self.recipe(),
            located=Located("transformers", identity, task="text-generation-with-past"),
            stages=(converted[1], model[1]),
            converted=converted[0].key,
            model=model[0].key,
            verified=model[0].key,
            measurements=(),
        )
        checks, accept = self._checks(), self.accept_undecided
        return placing.place(plan, self.store, entries, checks, self.outputs, self.sweep, accept_undecided=accept)

    def _checks(self) -> list[Judged]:
        if self.value is None:
            return []
        result: dict[str, object] = {"values": {"kl_divergence": self.value}}
        if self.interval is None:
            verdict = Verdict("kl_divergence", self.value, GateKind.MAX, 0.1, None, self.value, self.value <= 0.1)
            return [Judged(Check("kl_divergence", "eval", max=0.1), (verdict,), result)]
        check = Check("kl_divergence", "eval", max=0.1, decide="bound")
        result |= {"intervals": {"kl_divergence": self.interval}}
        return [Judged(check, judge(check, result), result)]

    def _entry(self, name: str, files: Mapping[str, str]) -> tuple[Entry, Stage]:
        datasets = self.recipe().datasets
        digests = {"calibration": "1" * 64}
        document = keys.document(stage=name, params={"files": dict(files)}, versions={}, datasets=digests)
        key = keys.digest(document)
        read = {"calibration": datasets["eval"]}
        stage = Stage(name, name, "", key, document, {}, datasets=read, module="tests.cheap")
        found = self.store.find(key)
        if found is None:
            folder = self.store.begin(key)
            for file, content in files.items():
                path = folder / "files" / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
            record = cheap.record(name) | {"document": document, "hardware": HARDWARE}
            found = self.store.publish(key, folder, record)
        return found, stage
