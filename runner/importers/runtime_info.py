"""What NNCF wrote into an OpenVINO model's XML of how its weights were compressed -> Optimum Intel's fields."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping
from pathlib import Path

from runner.base import files
from runner.base.paths import is_file

_TAIL = 1 << 20
_SECTION = re.compile(r"<weight_compression>(.*?)</weight_compression>", re.DOTALL)
_ENTRY = re.compile(r'<(\w+) value="([^"<>]{0,10000})"')
_FIELDS = {
    **{name: name for name in ("ratio", "group_size", "all_layers", "sensitivity_metric", "scale_estimation", "gptq")},
    **{"lora_correction": "lora_correction", "backup_mode": "backup_precision"},
}
"""NNCF's parameter -> Optimum Intel's field."""


def weights(path: Path) -> Mapping[str, object] | None:
    """The fields of a compressed model; None where the file is missing, or says nothing of a compression of weights."""
    section = _SECTION.search(_tail(path))
    said = {name: _value(text) for name, text in _ENTRY.findall(section[1])} if section else {}
    kind, _, symmetry = str(said.get("mode", "")).partition("_")
    if kind not in ("int4", "int8", "nf4", "mxfp4", "cb4"):
        return None
    fields: dict[str, object] = {"dtype": kind}
    if symmetry in ("sym", "asym"):
        fields["sym"] = symmetry == "sym"
    if said.get("awq") is True:
        fields["quant_method"] = "awq"
    if kind != "int8":
        fields |= {field: said[name] for name, field in _FIELDS.items() if said.get(name) not in (None, False)}
    return fields


def _tail(path: Path) -> str:
    """The end of a model's XML, where its remarks are."""
    if not is_file(path):
        return ""
    try:
        with files.open_regular(path) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            return stream.read(_TAIL).decode("utf-8", "replace")
    except OSError:
        return ""


def _value(text: str) -> object:
    """`True`, `128` and `0.8` are written as Python shows them; all else is text."""
    try:
        return ast.literal_eval(text) if re.fullmatch(r"True|False|-?\d{1,9}(\.\d{1,17})?", text) else text
    except ValueError:
        return text
