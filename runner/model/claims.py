"""What a model's settings may not ask for: files elsewhere, and more layers than there are weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.errors import SourceError

TOKENIZER = "tokenizer_config.json"

# transformers takes the files that these keys name, wherever they are, in place of those in the folder.
_FILE_KEY = re.compile(r".*_(?:file|files|spm)|vocab")
_UNREAD = frozenset({"added_tokens_file", "chat_template_file", "special_tokens_map_file", "tokenizer_config_file"})
_COUNT_KEY = re.compile(r"(?:n|num)_\w*(?:layers?|blocks?|experts?|stages?|levels?|heads?)")
_ALWAYS_BELIEVED = 1000


def refuse_files_elsewhere(source: Path, settings: object) -> None:
    """Refuse a tokenizer's settings (`tokenizer_config.json`) that name files outside of the folder.

    Paths of their maker's machine, which stay in many of them, do no harm: nothing is there.

    Raises:
        SourceError: one of them would be read.
    """
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if _FILE_KEY.fullmatch(key) and key not in _UNREAD:
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str) and _leads_out(name):
                    message = f"{source / TOKENIZER}: {key} names {name}, which is outside of the model's folder"
                    raise SourceError(message, hint=f"Put the file into the folder, and take {key} out.")


def _leads_out(name: str) -> bool:
    try:
        return ".." in Path(name).parts or (Path(name).is_absolute() and Path(name).exists())
    except (OSError, ValueError):
        return False


def refuse_counts(source: Path, config: Mapping[str, object], weights: int) -> None:
    """Refuse a config.json that counts more layers than there are weights: making them would take for ever.

    Raises:
        SourceError: naming the key.
    """
    for key, value in _numbers(config):
        if _COUNT_KEY.fullmatch(key) and value > max(weights, _ALWAYS_BELIEVED):
            message = f"{source / 'config.json'}: {key} is {value:.12g}, and there are {weights} weights"
            raise SourceError(message, hint="It may be damaged: download it again.")


def _numbers(config: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    waiting: list[Mapping[str, object]] = [config]
    while waiting:
        one = waiting.pop()
        for key, value in one.items():
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                yield key, value
