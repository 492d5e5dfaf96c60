"""Peak memory of compressing an exported model: ovrun against the bare NNCF call in a fresh process, in turn.

The model is a GPT-2 of 124 M random weights that was converted before. Peaks of one process are its highest resident
memory, those of all processes the highest sum of proportional set sizes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.measure import Cost, run
from bench.run import BIN, OFFLINE, show, verdict
from tests.geometry import gpt2_folder

RECIPE = """\
name: bench
model: {{source: openvino, path: {model}}}
datasets: {{text: {{source: embedded, id: dialogue-train, column: text, limit: {samples}}}}}
compression: {{algorithm: weight_compression, {settings}}}
"""
CONVERT = """\
name: converted
model: {{source: local, path: {model}, task: text-generation-with-past}}
conversion: {{precision: {precision}}}
compression: {{algorithm: weight_compression, mode: int8_asym}}
"""
BARE = """\
import json, sys
{before}
import nncf
import openvino as ov
source, out, text, samples = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
model = ov.Core().read_model(source + "/openvino_model.xml")
options = {options}
if {data}:
    from pathlib import Path
    from runner.data.calibration import calibration_items
    from runner.recipe.types import Dataset
    dataset = Dataset("text", "embedded", Path(text), "jsonl", columns={"text": "text"}, limit=samples)
    options["dataset"] = nncf.Dataset(calibration_items(dataset, model, Path(source), samples, 0))
    options["subset_size"] = samples
nncf.compress_weights(model, **options)
ov.save_model(model, out, compress_to_fp16=False)
"""
WITHOUT_TORCH = 'sys.modules["torch"] = sys.modules["onnx"] = None'
SETTINGS = {
    "int8": ("mode: int8_asym", "mode=nncf.CompressWeightsMode.INT8_ASYM"),
    "int4": (
        "mode: int4_sym, ratio: 0.8, group_size: 128",
        "mode=nncf.CompressWeightsMode.INT4_SYM, ratio=0.8, group_size=128",
    ),
    "int4 with scale estimation": (
        "mode: int4_sym, group_size: 128, scale_estimation: true, dataset: text, subset_size: {samples}",
        "mode=nncf.CompressWeightsMode.INT4_SYM, group_size=128, scale_estimation=True",
    ),
}
LIMIT = 1.05


def main() -> None:
    """Measure, print, and check against the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="pairs of runs of each setting")
    parser.add_argument("--samples", type=int, default=16, help="for calibration")
    parser.add_argument("--precision", default="fp16", choices=("fp16", "fp32"), help="of the converted model")
    parser.add_argument("--model", type=Path, help="a folder with a model's IR, in place of the GPT-2")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovrun-bench-") as name:
        work = Path(name)
        model = chosen.model or converted(work, chosen.precision)
        for setting, (recipe, options) in SETTINGS.items():
            print(f"{setting}:")
            compare(work, model, recipe.format(samples=chosen.samples), options, chosen.samples, chosen.rounds)


def converted(work: Path, precision: str) -> Path:
    """The folder of the converted model."""
    gpt2_folder(work / "source")
    (work / "converted.yaml").write_text(CONVERT.format(model=work / "source", precision=precision))
    run([str(BIN / "ovrun"), "optimize", "converted.yaml"], work, work / "log.txt", OFFLINE)
    (entry,) = (
        path.parent
        for path in (work / "outputs/.store/entries").glob("*/*/entry.json")
        if json.loads(path.read_text())["stage"] == "convert"
    )
    return entry / "files"


def compare(work: Path, model: Path, settings: str, options: str, samples: int, rounds: int) -> None:
    """The same compression by ovrun, by NNCF as it imports, and by NNCF without torch."""
    (work / "bench.yaml").write_text(RECIPE.format(model=model, settings=settings, samples=samples))
    ratios: dict[str, list[float]] = {}
    for number in range(rounds):
        outputs = work / f"{len(list(work.iterdir()))}-{number}"
        ours = run([str(BIN / "ovrun"), "optimize", "bench.yaml", "--outputs", str(outputs)], work, work / "log.txt")
        stages = json.loads((outputs / "bench/1/manifest.json").read_text())["stages"]
        stage = max(row["peak_memory"] for row in stages if row["stage"] in ("compress", "statistics"))
        show("ovrun, all its processes", ours)
        print(f"      its largest stage of compression         {stage / 1e6:6.0f} MB")
        for kind, before in (("NNCF", ""), ("NNCF without torch", WITHOUT_TORCH)):
            bare = alone(work, model, before, options, samples)
            show(kind, bare)
            ratios.setdefault(f"stage against {kind}, one process", []).append(stage / bare.peak_one)
            ratios.setdefault(f"all processes against {kind}", []).append(ours.peak / bare.peak)
    for name, values in ratios.items():
        verdict(name, statistics.median(values), LIMIT, " x")


def alone(work: Path, model: Path, before: str, options: str, samples: int) -> Cost:
    """One run of NNCF alone."""
    script = BARE.format(before=before, options=f"dict({options})", data="scale_estimation" in options)
    from runner.embedded import DATASETS

    text = str(DATASETS["dialogue-train"])
    command = [sys.executable, "-c", script, str(model), str(work / "bare.xml"), text, str(samples)]
    root = str(Path(__file__).parent.parent)
    return run(command, work, work / "log.txt", {"NNCF_CI": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": root})


if __name__ == "__main__":
    main()
