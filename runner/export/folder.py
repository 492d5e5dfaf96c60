"""A Hugging Face folder becomes an IR with its tokenizers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from runner.base.progress import Progress
from runner.model.parts import refuse_nan
from runner.registry.exporters import ExportParams

_STEPS = ("load", "convert", "tokenizers", "compare", "check")


def prepare() -> None:
    """Import Optimum's exporter."""
    from runner.export.imports import import_exporter

    import_exporter()


def export(
    source: Path,
    out: Path,
    params: ExportParams,
    progress: Progress,
    *,
    adapter: Path | None = None,
    vocoder: Path | None = None,
) -> Mapping[str, object]:
    """Convert, and look for weights that are no numbers."""
    from runner.export.hugging_face import export_folder

    assert params.task is not None
    steps, told = export_folder(
        source,
        out,
        task=params.task,
        precision="fp16" if params.precision == "fp16" else "fp32",
        stateful=bool(params.stateful),
        tokenizer=bool(params.tokenizer),
        trust_remote_code=bool(params.trust_remote_code),
        allow_pickle=bool(params.allow_pickle),
        adapter=adapter,
        vocoder=vocoder,
        progress=lambda step: progress(_STEPS.index(step), len(_STEPS)),
        check=params.check,
    )
    start = time.monotonic()
    progress(_STEPS.index("check"), len(_STEPS))
    refuse_nan(out)
    return {"steps": {**steps, "check": time.monotonic() - start}, **told}
