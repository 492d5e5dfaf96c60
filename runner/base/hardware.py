"""What machine this is, as far as it shapes timings and numbers: for manifests and records."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import TypedDict

_TELLING_FLAGS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2"),
)
_ISA_LIMIT = "ONEDNN_MAX_CPU_ISA"


class Hardware(TypedDict):
    """A machine, as manifests and the store hold it; memory in bytes."""

    cpu: str
    cpu_flags: list[str]
    cores: int
    memory: int
    system: str
    python: str


@cache
def describe() -> Hardware:
    """CPU model, the instruction sets that change OpenVINO's arithmetic, cores, memory in bytes, system, Python."""
    model, flags = _cpu()
    return {
        "cpu": model,
        "cpu_flags": flags,
        "cores": os.cpu_count() or 1,
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def arithmetic() -> list[str]:
    """What decides the last digits of an inference: processor, instruction sets, and a limit that is set on them."""
    limit = os.environ.get(_ISA_LIMIT)
    return [platform.machine(), *_cpu()[1], *([f"{_ISA_LIMIT}={limit}"] if limit else [])]


@cache
def _cpu() -> tuple[str, list[str]]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or "unknown", []
    fields: dict[str, str] = {}
    for line in info.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    present = fields.get("flags", fields.get("Features", "")).split()
    return fields.get("model name", "unknown"), [flag for flag in _TELLING_FLAGS if flag in present]


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
