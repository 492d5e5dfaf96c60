"""Text that others wrote, made safe for each form of output: a terminal, Markdown, CSV, JSON. Secrets are taken out.

Every function takes any text and gives text that can't leave its place: no terminal obeys it, no document takes it
for its own markup, no spreadsheet computes it. What is harmless stays as it is; made safe for a terminal twice is the
same as once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, among them ESC, DEL and the 8-bit CSI and OSC
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # no width, or another direction
    "\ud800-\udfff\U000e0000-\U000e0fff]"  # bytes that are no text, and tags
)
_BREAKS = re.compile(r" *[\n\r\t\v\f\x85\u2028\u2029][ \n\r\t\v\f\x85\u2028\u2029]*")


def terminal(text: str) -> str:
    """Text of any number of lines, in which what a terminal would obey, hide or turn around is shown as an escape."""
    return _HIDDEN.sub(_shown, text)


def encodable(text: str) -> str:
    """Text that UTF-8 has: bytes that are no text are shown as escapes, all else stays as it is."""
    return re.sub("[\ud800-\udfff]", _shown, text)


def line(text: str) -> str:
    """The same as one line: line breaks and tabs become spaces."""
    return terminal(_BREAKS.sub(" ", text.rstrip("\r\n")))


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name, as Python carries it
        return f"\\x{code - 0xDC00:02x}"
    return match.group().encode("unicode_escape").decode() if code < 0xD800 or code > 0xDFFF else f"\\u{code:04x}"


_ADDRESS = re.compile(r"\S*(?:://|www\.|@)\S*", re.IGNORECASE)
_MARKUP = re.compile(r"[\\`*\[\]~$]|(?<![^\W_])_|_(?![^\W_])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
_LEADING = re.compile(r"([#+=-]|\d+(?=[.)]))")


def markdown(text: str) -> str:
    """One line of Markdown that shows the text: no markup, HTML, link or heading comes of it; addresses become code."""
    parts, end = [], 0
    text = line(text).strip()
    for match in _ADDRESS.finditer(text):
        parts += [_plain(text[end : match.start()]), code(match.group())]
        end = match.end()
    shown = "".join([*parts, _plain(text[end:])])
    return _LEADING.sub(_not_leading, shown, count=1) if _LEADING.match(shown) else shown


def _plain(text: str) -> str:
    text = _MARKUP.sub(lambda match: f"\\{match.group()}", text)
    return re.sub("[&<>|]", lambda match: _ENTITIES[match.group()], text)


def _not_leading(match: re.Match[str]) -> str:
    """What would begin a heading or a list as an escape; a number has its escape after it, before its dot."""
    return f"{match.group()}\\" if match.group().isdigit() else f"\\{match.group()}"


def code(text: str) -> str:
    """A code span of Markdown that shows the text, whatever backticks are in it."""
    text = line(text).strip() or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def markdown_cell(text: str) -> str:
    """The text as a cell of a Markdown table."""
    return markdown(text).replace("|", "\\|")


_FORMULA = re.compile(r"[\s\x00]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_cell(value: object) -> object:
    """A value of a CSV file that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value) or not _FORMULA.match(value):
        return value
    return f"'{value}"


def json_text(document: object, *, indent: int | None = 2, ascii_only: bool = False) -> str:
    """A document as JSON that is valid UTF-8: what no JSON has is null, what a terminal would obey is escaped."""
    separators = None if indent else (",", ":")
    text = json.dumps(_finite(document), ensure_ascii=ascii_only, indent=indent, separators=separators)
    return _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], text)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
