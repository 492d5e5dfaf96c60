"""The report as one HTML page: a template with its style, its script and the data in it, and nothing from elsewhere."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from runner import __version__
from runner.artifact.checks import is_undecided
from runner.base.safe import encodable, json_text
from runner.metrics.gates import missed_gates
from runner.registry.noise import WORDS
from runner.report.columns import Column, Table, gates_short
from runner.report.rows import Row, setting_text

if TYPE_CHECKING:
    from runner.metrics.records import CheckRecord

_FOLDER = Path(__file__).parent / "page"
_SCRIPTS = ("base.js", "scale.js", "table.js", "plot.js", "effects.js", "version.js", "main.js")


def as_html(table: Table, rows: Sequence[Row], notes: Sequence[str], outputs: Path, target: Path) -> str:
    """The whole page; `target` is where it will lie, from where links lead to the files in `outputs`."""
    script = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();'
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    data = _payload(table, rows, notes, _base(outputs, target))
    parts = {
        "POLICY": f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'",
        "TITLE": html.escape(encodable(_title(rows))),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": in_script(data),
    }
    pieces = (_FOLDER / "template.html").read_text(encoding="utf-8").split("@@")
    pieces[1::2] = [parts[name] for name in pieces[1::2]]
    return "".join(pieces)


def in_script(document: object) -> str:
    """JSON that no HTML parser takes for markup, whatever text is in it."""
    text = json_text(document, indent=None)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    """What the page's policy calls a script or a style by; no other is run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _title(rows: Sequence[Row]) -> str:
    names = sorted({row.sweep or row.name for row in rows})
    return f"{names[0]} · ovrun report" if len(names) == 1 else "ovrun report"


def _base(outputs: Path, target: Path) -> str:
    relative = os.path.relpath(outputs.resolve(), target.resolve().parent)
    return "./" if relative == "." else f"./{quote(Path(relative).as_posix())}/"


class _Pool:
    """Plain data, each piece once: what versions share is written once and referred to by its number."""

    def __init__(self) -> None:
        self.items: list[object] = []
        self._known: dict[str, int] = {}

    def add(self, item: object) -> int:
        """The number of a piece."""
        text = json.dumps(item, sort_keys=True)
        if text not in self._known:
            self._known[text] = len(self.items)
            self.items.append(item)
        return self._known[text]


def _payload(table: Table, rows: Sequence[Row], notes: Sequence[str], base: str) -> dict[str, object]:
    pool = _Pool()
    columns = [*table.columns, *table.extras]
    sweeps = list(dict.fromkeys(row.sweep for row in rows if row.sweep))
    return {
        "ovrun": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": base,
        "notes": list(notes),
        "columns": [_column(column) for column in columns],
        "sweeps": [{"name": name, "keys": _keys(rows, name)} for name in sweeps],
        "rows": [_row(table, row, columns, sweeps, pool) for row in rows],
        "pool": pool.items,
    }


def _keys(rows: Sequence[Row], sweep: str) -> list[str]:
    return list(dict.fromkeys(key for row in rows if row.sweep == sweep for key in row.settings))


def _column(column: Column) -> dict[str, object]:
    return {
        "id": column.ident,
        "label": column.label,
        "kind": column.kind,
        "better": column.better,
        "unit": column.unit,
    }


def _row(table: Table, row: Row, columns: Sequence[Column], sweeps: Sequence[str], pool: _Pool) -> dict[str, object]:
    cells = [_cell(table.value(row, column), column) for column in columns]
    checks = {number: table.check(row, column) for number, column in enumerate(columns) if column.kind == "metric"}
    found: dict[str, object] = {
        "id": row.ident,
        "c": cells,
        "g": {number: [_met(check), pool.add(gates_short(check))] for number, check in checks.items() if check},
    }
    if row.version is not None:
        found["v"] = row.version
    if row.sweep:
        found["s"] = sweeps.index(row.sweep)
        found["p"] = dict(row.settings)
    if row.reason:
        found["r"] = row.reason
    if row.details:
        found["d"] = _details(row, pool)
    elif row.checks:
        found["d"] = {"checks": [pool.add(_check(check, pool)) for check in row.checks]}
    return found


def _cell(value: Any, column: Column) -> Any:
    if isinstance(value, float):
        return _short(value)
    return setting_text(value) if column.kind == "setting" and isinstance(value, list | dict) else value


def _short(value: float) -> float:
    """Six significant digits are more than a page shows."""
    return float(f"{value:.6g}")


def _details(row: Row, pool: _Pool) -> dict[str, object]:
    details = row.details
    plain = {
        name: pool.add(details[name]) for name in ("description", "ovrun", "seed", "model", "libraries", "hardware")
    }
    return plain | {
        "identity": details["identity"],
        "notes": [pool.add(note) for note in details["notes"]],
        "datasets": pool.add(details["datasets"]),
        "recipe": [pool.add(_yaml(json.dumps({name: part}))) for name, part in details["recipe"].items() if part != ""],
        "stages": [pool.add(_stage(stage)) for stage in details["stages"]],
        "checks": [pool.add(_check(check, pool)) for check in row.checks],
        "files": [pool.add([name, file["size"], file["sha256"]]) for name, file in sorted(details["files"].items())],
    }


@functools.lru_cache(maxsize=4096)
def _yaml(section: str) -> str:
    """A section of a recipe, given as JSON, in YAML."""
    return yaml.safe_dump(json.loads(section), sort_keys=False, allow_unicode=True, width=100)


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: _short(stage[name]) for name in ("seconds", "cpu_seconds")}
    plain = {name: stage[name] for name in ("label", "peak_memory", "created", "notes")}
    return plain | numbers | {"key": stage["key"][:12]}


def _met(check: CheckRecord) -> bool | None:
    """Whether its gates are met; None where it can't be told."""
    return None if is_undecided(check) else check["passed"]


def _check(check: CheckRecord, pool: _Pool) -> dict[str, object]:
    names = ("metric", "dataset", "passed", "gates", "value", "reference_value")
    whole: Mapping[str, object] = check
    return {name: whole[name] for name in names} | {
        "missed": missed_gates([check]),
        "interval": _ends(check.get("intervals", {}).get(check["metric"])),
        "reference_interval": _ends(check.get("reference_intervals", {}).get(check["metric"])),
        "noise": _noise(check),
        "rows": check.get("rows"),
        "flipped": pool.add(check.get("flipped")),
        "confusion": pool.add(check["details"].get("confusion")),
        "values": pool.add(_numbers(check["values"])),
        "errors": pool.add(_numbers(check["details"]["standard_errors"])),
        "protocol": pool.add(check["protocol"]),
    }


def _noise(check: CheckRecord) -> dict[str, object] | None:
    """A noise floor, and what each way measured."""
    noise = check.get("noise")
    if not noise:
        return None
    ways = {WORDS.get(name, name): way["noise"] for name, way in noise["ways"].items()}
    return {**noise, "ways": _numbers(ways)}


def _ends(interval: Sequence[float] | None) -> list[object] | None:
    return [_short(end) for end in interval] if interval else None


def _numbers(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _short(value) if isinstance(value, float) else value for name, value in values.items()}
