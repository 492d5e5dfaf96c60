"""Odd values, odd YAML, and what can be done to data and to text: shared by the campaigns on recipes and on imports."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.campaigns.watch import TOKEN

MOST_DEEP = 100
"""Where changes end: far beyond what a reader takes, and short of what Python's own stack does."""
MOST_VALUES = 10_000
"""Values, likewise."""
KeyPath = tuple[Any, ...]

TEXTS = (
    *(
        "",
        " ",
        "\n",
        "abc\n",
        "~",
        "null",
        "???",
        "_self_",
        "<<",
        "*a",
        "&a",
        "!!int 3",
        "- x",
        "a: b",
        "# c",
        "%",
        "@",
        "`",
    ),
    *(
        "x\nname: evil\n#",
        "x\r\ny",
        "x\x85y",
        "x\u2028y",
        "x\u2029y",
        "\x1b[31mred",
        "\x00",
        "a\x00b",
        "\ufeff",
        "\u202e",
        "\ud800",
    ),
    *(
        "é",
        "日本",
        "😀",
        "=1+1",
        "<b>x</b>",
        "[x](y)",
        "../../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
    ),
    *(
        "~nosuchuser/x",
        "~/x",
        ".",
        "..",
        "/",
        "a" * 300,
        "a/" * 3000,
        "A" * 70_000,
        "report.html",
        "latest",
        "rejected",
        "con",
        "123",
    ),
    *(
        "${name}",
        "${model}",
        "${oc.env:HOME}",
        "${nope}",
        "${name}" * 2000,
        "${",
        "${}",
        "${.x}",
        "${a${b}}",
        "\\${name}",
        "${datasets.0}",
    ),
    *(
        "1e999",
        "0x10",
        "0o7",
        "1_000",
        "1:30",
        "yes",
        "on",
        "2024-01-01",
        ".inf",
        ".nan",
        "9" * 5000,
        "-1",
        "1/3",
        "1/0",
    ),
    *(
        "int4_sym",
        "weight_compression",
        "quantization",
        "kl_divergence",
        "embedded",
        "huggingface",
        "local",
        "dialogue_eval",
        "digits",
    ),
    f"__import__('os').system('{TOKEN}')",
)
NUMBERS = (
    *(
        0,
        1,
        -1,
        2,
        3,
        255,
        256,
        -(2**31),
        2**31,
        2**53,
        2**53 + 1,
        10**18,
        10**19,
        10**40,
        -(10**40),
        0.0,
        -0.0,
        0.5,
        1.0,
        1.5,
        -1.5,
    ),
    *(1e-320, 1e18, 1e19, 1e308, math.inf, -math.inf, math.nan),
)
KEYS = (
    *(
        "_target_",
        "_partial_",
        "_args_",
        "_recursive_",
        "hydra",
        "defaults",
        "",
        "0",
        "name",
        "model",
        "compression",
        "sweep",
        "select",
    ),
    *(
        "datasets",
        "accuracy",
        "input_info",
        "conversion",
        "runtime",
        "checks",
        "advanced",
        "ignored_scope",
        "accuracy_control",
        "a.b",
    ),
    *(
        "initializer",
        "ignored_scopes",
        "params",
        "algorithm",
        "type",
        "config",
        "dataset",
        "path",
        "exclude",
        "include",
        "compression.ratio",
    ),
)


def junk(random: Random, depth: int = 0) -> Any:
    """Any value: a text, a number, or something with more of them in it."""
    kind = random.randrange(8)
    if kind < 3:
        return random.choice(TEXTS)
    if kind < 5:
        return random.choice(NUMBERS)
    if kind == 5 or depth > 3:
        return random.choice((None, True, False, [], {}))
    if kind == 6:
        return [junk(random, depth + 1) for _ in range(random.choice((0, 1, 2, 5, 300)) if depth < 2 else 1)]
    return {a_key(random): junk(random, depth + 1) for _ in range(random.choice((1, 2, 3)))}


def a_key(random: Random) -> str:
    """The name of a key, often one that means something somewhere."""
    return random.choice(KEYS) if random.random() < 0.8 else str(random.choice(TEXTS))


def places(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of every value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def inside(data: Any, path: KeyPath) -> Any:
    """The value at a path."""
    for part in path:
        data = data[part]
    return data


def typo(random: Random, word: str) -> str:
    """The word with a slip of the pen in it."""
    at = random.randrange(len(word) + 1)
    return random.choice(
        (word[:at] + word[at + 1 :], word[:at] + random.choice("aez_. ") + word[at:], word.upper(), word * 2)
    )


def _replace(random: Random, data: Any, parent: Any, key: Any) -> None:
    parent[key] = junk(random)


def _remove(random: Random, data: Any, parent: Any, key: Any) -> None:
    del parent[key]


def _rename(random: Random, data: Any, parent: Any, key: Any) -> None:
    if isinstance(parent, dict):
        parent[typo(random, str(key)) if random.random() < 0.7 else a_key(random)] = parent.pop(key)


def _add(random: Random, data: Any, parent: Any, key: Any) -> None:
    if isinstance(parent, dict):
        parent[a_key(random)] = junk(random)
    else:
        parent.insert(random.randrange(len(parent) + 1), junk(random))


def _borrow(random: Random, data: Any, parent: Any, key: Any) -> None:
    parent[key] = copy.deepcopy(inside(data, random.choice(list(places(data)))))


def _wrap(random: Random, data: Any, parent: Any, key: Any) -> None:
    for _ in range(random.choice((1, 1, 2, 10, 45))):
        parent[key] = [parent[key]] if random.random() < 0.5 else {a_key(random): parent[key]}


def _retype(random: Random, data: Any, parent: Any, key: Any) -> None:
    value = parent[key]
    parent[key] = random.choice((str(value), [value], {"x": value}, None, True, 0, json.dumps(value, default=repr)))


def _repeat(random: Random, data: Any, parent: Any, key: Any) -> None:
    many = random.choice((2, 3, 50, 400))
    if isinstance(parent, list):
        parent += [copy.deepcopy(parent[key]) for _ in range(many)]
    else:
        parent |= {f"{key}{number}": copy.deepcopy(parent[key]) for number in range(many)}


def _shorten(random: Random, data: Any, parent: Any, key: Any) -> None:
    if isinstance(parent[key], str):
        parent[key] = typo(random, parent[key])


_STEPS: tuple[Callable[[Random, Any, Any, Any], None], ...] = (
    *(_replace, _replace, _remove, _rename, _rename, _add, _add, _borrow, _wrap, _retype, _retype, _repeat, _shorten),
)


def restructured(random: Random, data: Any) -> Any:
    """A copy of the data with a few changes to its structure."""
    data = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        there = [path for path in places(data) if path]
        if not there:
            return junk(random)
        if len(there) > MOST_VALUES:
            break
        path = random.choice(there)
        if len(path) < MOST_DEEP:
            random.choice(_STEPS)(random, data, inside(data, path[:-1]), path[-1])
    return data


def dumped(random: Random, data: Any) -> str:
    """Data as YAML or JSON, in one of several styles."""
    style = random.randrange(4)
    try:
        if style == 0:
            return json.dumps(data)
        if style == 1:
            return json.dumps(data, indent=2, ensure_ascii=False)
        return str(yaml.safe_dump(data, default_flow_style=style == 2, allow_unicode=random.random() < 0.5))
    except (yaml.YAMLError, ValueError):
        return json.dumps(data, default=repr)


_SNIPPETS = (
    *(
        "\t",
        "\r",
        "\x00",
        "\ufeff",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "? [a]\n: b\n",
        "!!python/object/apply:os.system [x]\n",
        "<<: *x\n",
    ),
    *(
        "&a ",
        "*a",
        "!!binary ",
        "!!set {a, b}\n",
        "!!timestamp 2024-01-01\n",
        "~: 1\n",
        "true: 1\n",
        "1: 2\n",
        "[a, b]: 1\n",
        "{",
        "}",
        "[",
        "]",
    ),
    *(
        '"',
        "'",
        "|\n",
        ">\n",
        ": ",
        "- ",
        ", ",
        "#",
        "//",
        "/*",
        "\\",
        "\n",
        "  ",
        "é",
        "x: &x {y: *x}\n",
        "a: &a [*a, *a]\n",
        "'" * 500,
    ),
    *(
        "name: x\n" * 3,
        "{" * 500,
        "[" * 500,
        "- " * 500,
        " " * 20_000,
        "\n" * 20_000,
        "&b [*a,*a]\n",
        "%TAG ! x\n",
        "!<x> ",
        "\u2028",
        "\x85",
    ),
    *("optimum-cli export openvino ", "$ ", "A=1 ", "# @package _global_\n", "# @package hydra\n"),
)


def spoiled(random: Random, text: str) -> bytes:
    """A text with changes that know nothing of its structure."""
    for _ in range(random.choice((1, 1, 2, 4))):
        start, end = sorted(random.randrange(len(text) + 1) for _ in range(2))
        end = min(end, start + random.choice((0, 1, 5, 50)))
        put_in = random.choice((random.choice(_SNIPPETS), text[start:end] * 2, "", chr(random.randrange(1, 0x2100))))
        text = text[:start] + put_in + text[end:]
    raw = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.2:
        at = random.randrange(len(raw) + 1)
        raw = raw[:at] + random.randbytes(random.choice((1, 2, 8))) + raw[at + 1 :]
    if random.random() < 0.05:
        return text.encode(random.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig")), "replace")
    return raw


def bombs(random: Random) -> str:
    """A small text that is large, deep or slow to whoever is careless."""
    many = random.choice((50, 400, 3000))
    return random.choice(
        (
            "a: &a [1]\n"
            + "".join(
                f"b{n}: &b{n} [*{f'b{n - 1}' if n else 'a'}, *{f'b{n - 1}' if n else 'a'}]\n" for n in range(many)
            ),
            "name: n\ndescription: '" + "${name}" * many * 10 + "'\n",
            f"big: [{', '.join('1' * many)}]\nall: [{', '.join(['${big}'] * many)}]\n",
            "{" * many * 100,
            "a: " + "[" * many * 100,
            "".join(f"k{n}: 1\n" for n in range(many)),
            "defaults: [" + ", ".join(["{model: dialogpt-mini}"] * many) + "]\n",
            "sweep: {" + ", ".join(f"k.a{n}: [1, 2, 3]" for n in range(many)) + "}\n",
            "sweep: {seed: [" + ", ".join(map(str, range(many))) + "]}\n",
            " " * many * 100,
            "'" + "\\'" * many * 100,
            '{"a": "' + '\\"' * many * 100,
            "/*" * many * 100,
            "optimum-cli " * many,
            "\n".join(["optimum-cli export openvino"] * many),
        )
    )


def seeds(folder: Path, pattern: str) -> list[tuple[str, Any]]:
    """The files below a folder as text, with their data where they are YAML: what mutation starts from."""
    found: list[tuple[str, Any]] = []
    for path in sorted(folder.rglob(pattern)):
        raw = path.read_bytes()
        if len(raw) < 100_000:
            text = raw.decode("utf-8", "replace")
            try:
                data = yaml.load(text, Loader=yaml.CSafeLoader)
                list(places(data))  # of what is deeper than Python's own stack only the text is changed
            except (yaml.YAMLError, ValueError, RecursionError):
                data = None
            found.append((text, data if isinstance(data, dict) else None))
    return found


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.code,)
