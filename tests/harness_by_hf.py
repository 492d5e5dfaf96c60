"""What lm-evaluation-harness says of PyTorch models by its model `hf`: `python -m tests.harness_by_hf FOLDER TASK…`.

JSON out: task -> {"results": …, "samples": [{metric: number or numbers, "filter": …}, …]}.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

METRICS = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "f1", "perplexity", "bits_per_byte")
ROLLING = ("word_perplexity", "byte_perplexity")


def main(folder: str, *tasks: str) -> dict[str, Any]:
    """Evaluate tasks of one folder, from which their data files are found."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=1)
    os.chdir(Path(tasks[0]).parent)
    manager = TaskManager(include_defaults=False)
    told = lm_eval.simple_evaluate(model, tasks=list(tasks), task_manager=manager, bootstrap_iters=0)
    return {
        name: {
            "results": {key: value for key, value in told["results"][name].items() if isinstance(value, float | int)},
            "samples": [{key: one[key] for key in (*METRICS, *ROLLING, "filter") if key in one} for one in samples],
        }
        for name, samples in told["samples"].items()
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HF_HOME=home, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
        answer = json.dumps(main(*sys.argv[1:]), default=float)
    sys.stdout.write(f"\n{answer}\n")
