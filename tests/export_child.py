"""What tests convert in fresh processes: `python -m tests.export_child FUNCTION ARGUMENTS`, JSON in and out."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"


def export(*jobs: dict[str, Any]) -> list[dict[str, Any]]:
    """Each job's outcome: seconds by step, or the error; and whether torch's compiler was imported."""
    from runner.errors import SourceError
    from runner.export.hugging_face import export_folder

    outcomes: list[dict[str, Any]] = []
    for job in jobs:
        source, out = Path(job.pop("source")), Path(job.pop("out"))
        try:
            seconds, _ = export_folder(source, out, progress=lambda _: None, **job)
            outcomes.append({"seconds": seconds, "compiler": "torch._dynamo.eval_frame" in sys.modules})
        except SourceError as error:
            outcomes.append({"error": error.message, "hint": error.hint})
    return outcomes


def opened(*jobs: dict[str, Any]) -> list[dict[str, list[str]]]:
    """For each job the files of its source that the libraries open there, and those that its export opens.

    The first are what transformers and Optimum look for in any folder, the second what they get.
    """
    from runner.export.hugging_face import export_folder
    from runner.export.imports import import_exporter

    import_exporter()
    heard: set[str] = set()
    sys.addaudithook(lambda event, args: heard.add(os.path.realpath(args[0])) if _is_path(event, args) else None)
    found = []
    for job in jobs:
        source = job.pop("source")
        heard.clear()
        _load_all(source)
        asked = _inside(source, heard)
        heard.clear()
        export_folder(Path(source), Path(job.pop("out")), progress=lambda _: None, **job)
        found.append({"asked": asked, "read": _inside(source, heard)})
    return found


def _is_path(event: str, args: tuple[Any, ...]) -> bool:
    return event == "open" and isinstance(args[0], str | bytes | os.PathLike)


def _inside(folder: str, paths: set[str]) -> list[str]:
    names = (os.path.relpath(path, os.path.realpath(folder)) for path in map(os.fsdecode, paths))
    return sorted(name for name in names if not name.startswith(".."))


def _load_all(folder: str) -> None:
    """Load a folder by all that transformers has for it."""
    import transformers
    from optimum.utils.save_utils import maybe_load_preprocessors

    maybe_load_preprocessors(folder)
    for name in ("AutoConfig", "AutoTokenizer", "AutoProcessor", "AutoImageProcessor", "GenerationConfig", "AutoModel"):
        try:
            getattr(transformers, name).from_pretrained(folder)
        except Exception as error:  # what it opened before counts
            print(name, error, file=sys.stderr)


def look_around(job: dict[str, Any], cache: str) -> list[dict[str, Any]]:
    """What an export has around it while it reads: its folder, whether a hub's cache is there, where code would go."""
    from runner.export.hugging_face import _reading
    from runner.export.imports import import_exporter

    os.environ["HF_HUB_CACHE"] = cache
    import_exporter()
    import huggingface_hub.constants
    from transformers import dynamic_module_utils

    with _reading(Path(job["source"]), None, Path(job["out"]) / "files", False, True) as viewed:
        return [
            {
                "cwd": Path.cwd().name if Path.cwd() == viewed.resolve() else str(Path.cwd()),
                "cache": Path(huggingface_hub.constants.HF_HUB_CACHE).exists(),
                "modules": Path(dynamic_module_utils.HF_MODULES_CACHE).parent == viewed.parent,
            }
        ]


def inputs(folder: str) -> list[str]:
    """The names of a model's inputs, sorted."""
    import openvino

    model = openvino.Core().read_model(f"{folder}/openvino_model.xml")
    openvino.Core().compile_model(model, "CPU")
    return sorted(port.get_any_name() for port in model.inputs)


def consume(folder: str) -> list[dict[str, Any]]:
    """Load a language model with OpenVINO, GenAI and Optimum; the last two continue a prompt."""
    import openvino
    import openvino_genai
    from optimum.intel import OVModelForCausalLM
    from transformers import AutoTokenizer

    model = openvino.Core().read_model(f"{folder}/openvino_model.xml")
    pipeline = openvino_genai.LLMPipeline(folder, "CPU", INFERENCE_PRECISION_HINT="f32")
    said = pipeline.generate("abc", max_new_tokens=8, apply_chat_template=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer("abc", return_tensors="pt")
    generator = OVModelForCausalLM.from_pretrained(folder, ov_config={"INFERENCE_PRECISION_HINT": "f32"})
    tokens = generator.generate(**prompt, max_new_tokens=8, do_sample=False)[0][prompt["input_ids"].shape[1] :]
    return [
        {
            "inputs": inputs(folder),
            "outputs": [port.get_any_name() for port in model.outputs],
            "genai": str(said),
            "optimum": tokenizer.decode(tokens, skip_special_tokens=True),
        }
    ]


def compare_with_optimum(source: str, ours: dict[str, str]) -> list[dict[str, Any]]:
    """Convert by Optimum alone, for each precision of `ours`; how many weights differ, and by how much the logits."""
    from types import SimpleNamespace

    import numpy as np
    from optimum.exporters.openvino import main_export

    differences = []
    for precision, folder in ours.items():
        theirs = f"{folder}-by-optimum"
        settings = SimpleNamespace(dtype=precision, quantization_config=None)
        main_export(source, theirs, task="text-generation-with-past", ov_config=settings)
        weights = [_weights(folder), _weights(theirs)]
        differences.append(
            {
                "weights": len(set(weights[0]) ^ set(weights[1])),
                "output": float(np.abs(_logits(folder) - _logits(theirs)).max()),
                "types": sorted({kind for kind, _ in weights[0]}),
            }
        )
    return differences


def _weights(folder: str) -> list[tuple[str, bytes]]:
    """Type and values of every floating-point constant of more than one value, in any order within it.

    Sorted values, since a weight may be stored transposed.
    """
    import numpy as np
    import openvino

    operations = openvino.Core().read_model(f"{folder}/openvino_model.xml").get_ops()
    constants = [operation for operation in operations if operation.get_type_name() == "Constant"]
    return [
        (constant.get_element_type().to_string(), np.sort(constant.get_data(), axis=None).tobytes())
        for constant in constants
        if constant.get_element_type().is_real() and constant.get_byte_size() > 4
    ]


def _logits(folder: str) -> Any:
    import numpy as np
    import openvino

    core = openvino.Core()
    model = core.compile_model(f"{folder}/openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    tokens = np.arange(16)[None]
    feed = {
        "input_ids": tokens,
        "attention_mask": np.ones_like(tokens),
        "position_ids": tokens,
        "beam_idx": np.zeros(1, np.int32),
    }
    return model(feed)["logits"]


def compile() -> list[Any]:
    """Use torch's compiler after the exporter's imports have postponed it."""
    from runner.export.imports import import_exporter

    import_exporter()
    import torch

    one = torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1))
    import torch._dynamo.config as config

    return [float(one), torch._dynamo.config is config]


def uncalled() -> list[str]:
    """Packages that are installed, that Optimum would import, and that no stage has a use for."""
    from runner.export.imports import import_exporter
    from runner.model import trial

    names = ("datasets", "pandas", "sentence_transformers")
    assert all(map(find_spec, names))
    import_exporter()
    trial.import_for(("optimum-intel",))
    return [name for name in names if sys.modules.get(name)]


if __name__ == "__main__":
    value = globals()[sys.argv[1]](*json.loads(sys.argv[2]))
    sys.stdout.write("\n" + json.dumps(value) + "\n")
