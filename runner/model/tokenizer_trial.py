"""One use of a tokenizer that came as OpenVINO models, in a process of its own: a damaged one can crash the library."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from runner.base import python
from runner.errors import SourceError

_MODELS = ("openvino_tokenizer.xml", "openvino_detokenizer.xml")
_PATIENCE = 120
"""Seconds."""


def refuse_broken_tokenizer(folder: Path, source: Path) -> None:
    """Have a folder's tokenizer read a word and write it again; nothing where there is none, or no OpenVINO GenAI.

    Args:
        folder: holds the tokenizer and detokenizer.
        source: where they come from, for the message.

    Raises:
        SourceError: they can't be used.
    """
    if not importlib.util.find_spec("openvino_genai") or not all((folder / name).is_file() for name in _MODELS):
        return
    command = [*python.command("runner.model.tokenizer_trial"), str(folder)]
    if reason := _failure(command):
        message = f"{source.parent}: the tokenizer beside the model ({' and '.join(_MODELS)}) can't be used: {reason}"
        raise SourceError(message, hint="Its files may be damaged: take another copy, or export the model again.")


def _failure(command: list[str]) -> str | None:
    try:
        done = subprocess.run(
            command, env=python.environment(), capture_output=True, text=True, errors="replace", timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"it does not read a short text within {_PATIENCE} s"
    if done.returncode == 0:
        return None
    told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return told[-1] if done.returncode > 0 and told else "it crashes the library that reads it"


def _try(folder: str) -> None:
    python.without_telemetry()
    import openvino_genai

    tokenizer = openvino_genai.Tokenizer(folder)
    tokenizer.decode(tokenizer.encode("Hello, world!").input_ids)


if __name__ == "__main__":
    _try(sys.argv[1])
