"""The README.md of an artifact: a model card with Hugging Face metadata, written from the manifest alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifact import conversion
from runner.artifact.checks import gate_text, interval_text, verdict
from runner.artifact.noise import defaults_text, noise_text
from runner.artifact.parts import ratio
from runner.base.figures import megabytes, number
from runner.base.safe import code, line, markdown, markdown_cell
from runner.base.values import numeric
from runner.recipe.conversion import CONVERSION_TOLERANCE
from runner.registry.sources import SOURCES
from runner.registry.tasks import ARRAYS, PAST, TASKS, TaskFamily, family_of
from runner.sources.adapter import WEIGHTS

if TYPE_CHECKING:
    from runner.artifact.types import Manifest, ModelRecord, SizeRecord

_TEMPLATE = Path(__file__).parent / "templates" / "model_card.md.j2"

_CLASSES = """from optimum.intel import {model}
from transformers import {processor}

model = {model}.from_pretrained("path/to/this/folder")
processor = {processor}.from_pretrained("path/to/this/folder")"""


_SENTENCES = """from sentence_transformers import SentenceTransformer

model = SentenceTransformer(".", backend="openvino", model_kwargs={"file_name": "openvino_model.xml"})
embeddings = model.encode(["a text", "another one"])"""
"""For folders that keep what sentence-transformers does after the network: pooling, normalization."""


_ADAPTED = """import openvino_genai

adapter = openvino_genai.Adapter("path/to/this/folder/{weights}")
adapters = openvino_genai.AdapterConfig()
adapters.add(adapter, {alpha:g})  # lora_alpha / r
pipe = openvino_genai.LLMPipeline("path/to/this/folder", "CPU", adapters=adapters)
print(pipe.generate("…", max_new_tokens=64))
print(pipe.generate("…", max_new_tokens=64, adapters=openvino_genai.AdapterConfig()))  # without it"""

_MET = {"met": "yes", "undecided": "**undecided**", "MISSED": "**no**"}
"""A gate's verdict -> what its row says."""


def usage(family: TaskFamily) -> str:
    """Python that loads a folder of a task."""
    if family.usage:
        return family.usage
    if family.users_load:
        return _CLASSES.format(model=family.users_load, processor=family.processor)
    return TASKS[ARRAYS].usage


def write_card(path: Path, manifest: Manifest) -> None:
    """Write the card of the artifact that `manifest` describes."""
    import jinja2
    import yaml

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    environment.filters |= {"text": lambda text: markdown(str(text)), "cell": lambda text: markdown_cell(str(text))}
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    text = template.render(
        m=manifest,
        metadata=yaml.safe_dump(_one_line(_metadata(manifest)), sort_keys=False, allow_unicode=True),
        origin=_origin(manifest["model"], merged=_alpha(manifest) is None),
        size=_size(manifest["size"]),
        usage=_usage(manifest),
        inputs=_inputs(manifest),
        conversion=_conversion(manifest),
        controls=_controls(manifest),
        allowed=_allowed(manifest["model"]["source"]),
        number=number,
        megabytes=megabytes,
        ratio=ratio,
        gate_text=gate_text,
        interval=lambda intervals, metric: interval_text((intervals or {}).get(metric)),
        met=lambda gate: _MET[verdict(gate)],
        noise=lambda check: noise_text(check.get("noise")),
        noisy=any(check.get("noise") for check in manifest["checks"]),
        defaults=", ".join(defaults_text(manifest["checks"])),
    )
    path.write_text(text, encoding="utf-8")


def _allowed(source: str) -> str:
    """The word that a run needs where the model is code."""
    known = SOURCES.get(source)
    return " --allow-code" if known and known.code else ""


def _inputs(manifest: Manifest) -> list[str]:
    """What inputs take that the recipe changed."""
    told = (stage.get("result", {}).get("notes", []) for stage in manifest["stages"] if stage["stage"] == "inputs")
    return [str(note) for notes in told for note in notes]


def _controls(manifest: Manifest) -> list[Mapping[str, object]]:
    """What accuracy control did."""
    told = (stage.get("result", {}).get("accuracy_control") for stage in manifest["stages"])
    return [one for one in told if isinstance(one, Mapping)]


def _usage(manifest: Manifest) -> str:
    """How the folder is loaded; a processor would do again what is part of the model."""
    if manifest["recipe"].get("conversion", {}).get("preprocess"):
        return TASKS[ARRAYS].usage
    alpha = _alpha(manifest)
    if alpha is not None:
        return _ADAPTED.format(weights=WEIGHTS, alpha=alpha)
    return _SENTENCES if "modules.json" in manifest["files"] else usage(family_of(manifest["model"]["task"]))


def _alpha(manifest: Manifest) -> float | None:
    """How strong an adapter is that lies beside the model; None where there is none."""
    told = (stage.get("result", {}).get("alpha") for stage in manifest["stages"] if stage["stage"] == "adapter")
    return next((numeric(alpha) for alpha in told), None)


def _metadata(manifest: Manifest) -> dict[str, object]:
    model = manifest["model"]
    metadata: dict[str, object] = {"library_name": "openvino", "tags": ["openvino", "nncf", "ovrun"]}
    if model["source"] == "huggingface":
        metadata["base_model"] = model["id"]
        metadata["base_model_relation"] = "quantized"
    if model["task"]:
        metadata["pipeline_tag"] = model["task"].removesuffix(PAST)
    if manifest["checks"]:
        metadata["model-index"] = [{"name": manifest["name"], "results": _results(manifest)}]
    return metadata


def _one_line(value: object) -> object:
    """Plain data in which every text is one line, which nothing that reads the card's head can take for its end."""
    if isinstance(value, dict):
        return {key: _one_line(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_one_line(item) for item in value]
    return line(value) if isinstance(value, str) else value


def _results(manifest: Manifest) -> list[dict[str, object]]:
    task = (manifest["model"]["task"] or "other").removesuffix(PAST)
    return [
        {
            "task": {"type": task},
            "dataset": {"type": manifest["datasets"][check["dataset"]]["source"], "name": check["dataset"]},
            "metrics": [{"type": check["metric"], "value": check["value"]}],
        }
        for check in manifest["checks"]
    ]


def _origin(model: ModelRecord, *, merged: bool) -> str:
    """Where the model came from, and what was merged into it or lies beside it."""
    if "adapter" in model:
        where = "merged into it" if merged else "beside it: figures and sizes here are those of the model without it"
        return f"{_source(model)}, with the adapter {_adapter(model)} {where}"
    if "weights" in model:
        said = f"{code(Path(model['weights']).name)} (SHA-256 `{model['weights_sha256'][:16]}…`)"
        return f"{_source(model)}, with the weights {said}"
    return _source(model)


def _adapter(model: ModelRecord) -> str:
    if "adapter_revision" in model:
        return f"{code(model['adapter'])} at commit {code(model['adapter_revision'])}"
    return f"{code(Path(model['adapter']).name)} (SHA-256 `{model['adapter_sha256'][:16]}…`)"


def _source(model: ModelRecord) -> str:
    if model["source"] == "huggingface":
        return f"{code(model['id'])} at commit {code(model['revision'])}"
    name = model.get("id") or Path(model["path"]).name
    return f"{code(name)} ({model['source']}, SHA-256 `{model['sha256'][:16]}…`)"


def _conversion(manifest: Manifest) -> str | None:
    """What the check of the conversion found."""
    said = {"precision": "fp16", **manifest["recipe"].get("conversion", {})}
    check = said.get("check")
    stated = check.get("max_relative_l2") if isinstance(check, dict) else None
    tolerance = CONVERSION_TOLERANCE[said["precision"]] if stated is None else stated
    converted = (stage.get("result", {}) for stage in manifest["stages"] if stage["stage"] == "convert")
    return next((conversion.line(result, tolerance) for result in converted), None)


def _size(size: SizeRecord) -> str:
    text = f"Its model files hold {megabytes(size['optimized'])}"
    if size["converted"]:
        ratio = size["optimized"] / size["converted"]
        text += f", {ratio:.2f} x the {megabytes(size['converted'])} of the converted model"
    return text + "."
