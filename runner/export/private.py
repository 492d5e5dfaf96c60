"""What a converted folder tells of the machine where the model was made: paths, of which only the names are kept."""

from __future__ import annotations

import re
from pathlib import Path

import runner.base.files as fs

_KEY = re.compile(r"(path|file|dir|folder)$", re.IGNORECASE)
_ABSOLUTE = r"(?:/|~[^/\\\"]*/|[A-Za-z]:[/\\]|\\\\)[^\"]*[/\\]"
_VALUE = re.compile(rf'(value|name)="{_ABSOLUTE}'.encode())
_PATH = re.compile(_ABSOLUTE)
_JSON = ("*config*.json", "model_index.json", "special_tokens_map.json")


def forget_paths(folder: Path) -> None:
    """Cut absolute paths in the configurations and in the IRs' rt_info down to what they end with.

    Exporters and trainers leave them there: `_name_or_path`, `input_model`; nothing reads them.
    """
    for path in (path for pattern in _JSON for path in folder.rglob(pattern)):
        content = fs.read_json(path)
        short = _shortened(content)
        if short != content:
            fs.write_json(path, short)
    for path in folder.rglob("*.xml"):
        _forget_in_ir(path)


def _shortened(value: object, key: str = "") -> object:
    if isinstance(value, dict):
        return {name: _shortened(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, key) for item in value]
    return _PATH.sub("", value) if isinstance(value, str) and _KEY.search(key) and _PATH.match(value) else value


def _forget_in_ir(path: Path) -> None:
    """Both ends of an IR's text: the name of the whole model, and rt_info, which comes after all layers."""
    text = path.read_bytes()
    start, end = text.find(b"<layers"), text.rfind(b"</edges>")
    head, tail = (_VALUE.sub(rb'\1="', part) for part in (text[:start], text[end:]))
    if 0 <= start < end and (head, tail) != (text[:start], text[end:]):
        fs.write_text(path, (head + text[start:end] + tail).decode())
