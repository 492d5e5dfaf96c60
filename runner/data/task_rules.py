"""What may stand in a task file of lm-evaluation-harness: plain data, none of which runs code or fetches anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.base.words import missing
from runner.recipe.origins import KeyPath

DIRECTIONS: Mapping[str, Mapping[str, tuple[str, bool]]] = {
    "multiple_choice": {
        **dict.fromkeys(("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"), ("mean", True)),
        **{"f1": ("f1", True), "mcc": ("matthews_corrcoef", True), "brier_score": ("brier_score", False)},
    },
    "loglikelihood": {"perplexity": ("perplexity", False), "acc": ("mean", True)},
    "loglikelihood_rolling": {
        **dict.fromkeys(("word_perplexity", "byte_perplexity"), ("weighted_perplexity", False)),
        "bits_per_byte": ("bits_per_byte", False),
    },
    "generate_until": {
        **{"exact_match": ("mean", True), "ter": ("ter", False)},
        **{name: (name, True) for name in ("bleu", "chrf")},
    },
}
"""How a model is asked -> the metrics of lm-evaluation-harness, their aggregation, and whether higher is better."""
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "multiple_choice": ("acc", "acc_norm"),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "generate_until": ("exact_match",),
}
"""The metrics of a task that names none."""
BUILDERS = ("json", "csv", "parquet", "text")
"""What reads data files, by the names of the library datasets; others of its readers run what they read."""
_DATA = ("data_files", "field", "delimiter")
_FILTERS = (
    *("take_first", "regex", "multi_choice_regex", "remove_whitespace", "lowercase", "uppercase", "map"),
    "regex_pos",
)
_METRIC_KEYS = (
    *("metric", "aggregation", "higher_is_better", "hf_evaluate"),
    *("ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"),
)
_GENERATION = ("until", "max_gen_toks", "do_sample", "temperature")
_TEMPLATES = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix")
SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
_DELIMITERS = ("target_delimiter", "fewshot_delimiter")
_FEWSHOT = ("sampler", "split", "samples", *_TEMPLATES[:3], "gen_prefix", *_DELIMITERS)
_KEYS = (
    *("task", "task_alias", "tag", "metadata", "include", "dataset_path", "dataset_kwargs", "output_type"),
    *(*SPLITS, *_TEMPLATES, *_DELIMITERS, "num_fewshot", "fewshot_config", "metric_list", "generation_kwargs"),
    *("repeats", "filter_list", "should_decontaminate", "doc_to_decontamination_query"),
)
_PLAIN = "a task file is plain data; a metric of your own code is `metric: {path: …, function: …}` of a check"
_NO_CODE = ("process_docs", "process_results", "custom_dataset", "class", "unsafe_code")
_REFUSED = {
    **dict.fromkeys(_NO_CODE, ("is code", _PLAIN)),
    **dict.fromkeys(("group", "task_list"), ("names other tasks", "a task file is one task; check several by name")),
    **dict.fromkeys(("doc_to_image", "doc_to_audio"), ("feeds images or sounds", "language models read text alone")),
    "use_prompt": ("takes prompts from elsewhere", "write the prompt into doc_to_text"),
    "dataset_name": (
        "names a part of a dataset of the hub",
        "the data lie in files: `dataset_kwargs: {data_files: …}`",
    ),
}


class Wrong(NamedTuple):
    """A mistake: the key it is about, what is wrong, what is allowed."""

    at: KeyPath
    what: str
    allowed: str | None = None


@dataclass(frozen=True)
class Measures:
    """The metrics that a task names, and the filters of replies before them."""

    metrics: tuple[str, ...] = ()
    filters: tuple[str, ...] = field(default=("none",))


def measures(config: Mapping[str, object]) -> Measures:
    """What a task without mistakes measures."""
    listed = config.get("metric_list")
    kind = str(config.get("output_type", "generate_until"))
    named = [str(one["metric"]) for one in listed] if isinstance(listed, list) else DEFAULTS[kind]
    filters = config.get("filter_list")
    names = [str(one["name"]) for one in filters] if isinstance(filters, list) else ["none"]
    return Measures(tuple(named), tuple(names))


def mistakes(config: Mapping[str, object]) -> Iterator[Wrong]:
    """What is wrong with a task, all includes put in; paths are looked at by whoever looks for the files."""
    yield from _keys(config)
    kind = config.get("output_type", "generate_until")
    if not isinstance(kind, str) or kind not in DIRECTIONS:
        yield Wrong(("output_type",), missing("output type", str(kind), DIRECTIONS))
    else:
        yield from _metrics(config.get("metric_list"), DIRECTIONS[kind])
    yield from _dataset(config)
    yield from _generation(config.get("generation_kwargs"))
    yield from _filters(config.get("filter_list"))
    yield from _fewshot(config)
    yield from _templates(config)


def _keys(config: Mapping[str, object]) -> Iterator[Wrong]:
    if not isinstance(config.get("task"), str):
        yield Wrong(("task",), "has to be the task's name", "such as `task: my_quiz`")
    for key in config:
        if key in _REFUSED and config[key] is not None:
            yield Wrong((key,), *_REFUSED[key])
        elif key not in _KEYS and key not in _REFUSED:
            yield Wrong((key,), missing("key of a task file", key, _KEYS))
    if config.get("repeats", 1) != 1:
        yield Wrong(("repeats",), "asks several times, and greedy replies are the same each time", "leave it out")
    if config.get("should_decontaminate"):
        yield Wrong(("should_decontaminate",), "looks for the rows in what a model was trained on", "leave it out")


def _metrics(listed: object, known: Mapping[str, tuple[str, bool]]) -> Iterator[Wrong]:
    if listed is None:
        return
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        yield Wrong(("metric_list",), "has to be a list of mappings", "such as `- metric: acc`")
        return
    for number, one in enumerate(listed):
        at = ("metric_list", number)
        name = one.get("metric")
        if not isinstance(name, str) or name not in known:
            yield Wrong((*at, "metric"), missing("metric of this output type", str(name), known), _PLAIN)
            continue
        if one.get("hf_evaluate"):
            yield Wrong((*at, "hf_evaluate"), "fetches the metric's code and runs it", _PLAIN)
        for key, own in zip(("aggregation", "higher_is_better"), known[name], strict=True):
            if one.get(key, own) != own:
                yield Wrong((*at, key), f"{name} has {str(own).lower()}", f"leave it out, or {str(own).lower()}")
        yield from (
            Wrong((*at, key), missing("setting of a metric", key, _METRIC_KEYS))
            for key in one
            if key not in _METRIC_KEYS
        )


def _dataset(config: Mapping[str, object]) -> Iterator[Wrong]:
    builder = config.get("dataset_path")
    if builder not in BUILDERS:
        allowed = f"the data lie in files: {', '.join(BUILDERS)}, with `dataset_kwargs: {{data_files: …}}`"
        what = f"{str(builder)[:60]!r} is a dataset of a hub or a reader that may run code" if builder else "is lacking"
        yield Wrong(("dataset_path",), what, allowed)
    given = config.get("dataset_kwargs")
    if not isinstance(given, dict) or "data_files" not in given:
        yield Wrong(("dataset_kwargs",), "names no files", "`data_files: rows.jsonl`, or a mapping of splits to files")
        return
    for key in given:
        if key not in _DATA:
            yield Wrong(("dataset_kwargs", key), missing("setting of data files", key, _DATA))
    if not any(config.get(name) for name in ("test_split", "validation_split")):
        yield Wrong(("test_split",), "is lacking, and so is validation_split", "the split whose rows are asked")


def _generation(given: object) -> Iterator[Wrong]:
    if given is None:
        return
    if not isinstance(given, dict):
        yield Wrong(("generation_kwargs",), "has to be a mapping", "such as `{until: ['.'], max_gen_toks: 32}`")
        return
    at = "generation_kwargs"
    for key in given:
        if key not in _GENERATION:
            yield Wrong((at, key), missing("setting of generation", key, _GENERATION), "replies are greedy")
    if given.get("do_sample") or given.get("temperature"):
        key = "do_sample" if given.get("do_sample") else "temperature"
        yield Wrong((at, key), "draws replies at random", "replies are greedy: `do_sample: false`")
    most, until = given.get("max_gen_toks", 1), given.get("until", [])
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        yield Wrong((at, "max_gen_toks"), "has to be a number of tokens, 1 or more")
    if not all(isinstance(one, str) for one in (until if isinstance(until, list) else [until])):
        yield Wrong((at, "until"), "has to be a text or a list of texts")


def _filters(listed: object) -> Iterator[Wrong]:
    for number, one in enumerate(listed if isinstance(listed, list) else () if listed is None else (None,)):
        at = ("filter_list", number)
        steps = one.get("filter") if isinstance(one, dict) else None
        named = isinstance(one, dict) and isinstance(one.get("name"), str)
        if not named or not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            yield Wrong(at, "has to be a mapping with `name` and a list `filter`")
            continue
        for place, step in enumerate(steps):
            if (name := str(step.get("function"))) not in _FILTERS:
                yield Wrong((*at, "filter", place, "function"), missing("filter", name, _FILTERS), _PLAIN)


def _fewshot(config: Mapping[str, object]) -> Iterator[Wrong]:
    given, number = config.get("fewshot_config"), config.get("num_fewshot") or 0
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        yield Wrong(("num_fewshot",), "has to be a number of examples, 0 or more")
    if given is None:
        return
    if not isinstance(given, dict):
        yield Wrong(("fewshot_config",), "has to be a mapping", ", ".join(_FEWSHOT))
        return
    for key in given:
        if key not in _FEWSHOT:
            yield Wrong(("fewshot_config", key), missing("setting of examples", key, _FEWSHOT))
    if given.get("sampler", "default") not in ("default", "first_n"):
        yield Wrong(("fewshot_config", "sampler"), "is unknown", "default, first_n")
    samples = given.get("samples")
    if samples is not None and not (isinstance(samples, list) and all(isinstance(one, dict) for one in samples)):
        yield Wrong(("fewshot_config", "samples"), "has to be a list of rows")


def _templates(config: Mapping[str, object]) -> Iterator[Wrong]:
    """Jinja that can't be read, or that asks for what Python keeps for itself, by which it could run code."""
    shots = config.get("fewshot_config")
    for at, holder in (((), config), (("fewshot_config",), shots if isinstance(shots, dict) else {})):
        for key in _TEMPLATES:
            if isinstance(template := holder.get(key), str):
                yield from (Wrong((*at, key), what, "plain Jinja") for what in _jinja(template))


def _jinja(template: str) -> Iterator[str]:
    from jinja2 import TemplateSyntaxError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment()
    try:
        found = environment.parse(template)  # and not compiled: that computes what is constant, however large
    except TemplateSyntaxError as error:
        yield f"is no Jinja: {error.message}"
        return
    except (RecursionError, ValueError, OverflowError):
        yield "is nested too deeply, or has a number that is too large"
        return
    for node in found.find_all((nodes.Getattr, nodes.Getitem)):
        name = node.attr if isinstance(node, nodes.Getattr) else getattr(getattr(node, "arg", None), "value", None)
        if isinstance(name, str) and name.startswith("_"):
            yield f"asks for {name[:40]}, which is not of the row"
