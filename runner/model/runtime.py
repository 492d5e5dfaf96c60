"""Runs a model folder with OpenVINO's runtime: compiles with the recipe's properties, tells what the runtime made
of them, and feeds decoders with windows of tokens."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base import hardware
from runner.base.values import Array
from runner.base.words import missing
from runner.errors import Problem, RecipeError, SourceError, StageError
from runner.model.opening import ORIGINAL
from runner.model.parts import Model
from runner.recipe.accuracy import RUNTIME

if TYPE_CHECKING:
    import numpy as np
    import openvino as ov
    from numpy.typing import NDArray

    from runner.model.feed import Feed, Port

NUMBERS = (*RUNTIME, "KEY_CACHE_PRECISION", "VALUE_CACHE_PRECISION", "EXECUTION_MODE_HINT")
"""The properties that say what a model computes in."""
_LOGITS_BYTES = 64 << 20
_REFUSED = re.compile(r"(?:Unsupported property|property key) (\w+)")


@dataclass(frozen=True)
class Compiled:
    """A compiled model.

    Attributes:
        folder: where it comes from.
        model: the `ov.CompiledModel`.
        inputs: its inputs.
        runtime: properties as the runtime really has them, and the runtime's version.
        streams: how many requests may be made of it that run at a time.
    """

    folder: Path
    model: ov.Model
    inputs: tuple[Port, ...]
    runtime: Mapping[str, object]
    streams: int = field(default=1, kw_only=True)

    @cached_property
    def request(self) -> ov.InferRequest:
        """One inference request, kept."""
        return self.model.create_infer_request()

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The outputs' first names, or `output <index>` where one has none."""
        return tuple(
            port.get_any_name() if port.get_names() else f"output {index}"
            for index, port in enumerate(self.model.outputs)
        )

    def infer(self, feed: Feed) -> list[Array]:
        """The outputs in order; views that the next inference overwrites.

        Raises:
            StageError: the runtime fails.
        """
        with self.inferring():
            self.request.infer(feed, share_inputs=True)
        return self.outputs_of(self.request)

    def outputs_of(self, request: ov.InferRequest) -> list[Array]:
        """What a request found, as views of its memory."""
        return [request.get_output_tensor(index).data for index in range(len(self.outputs))]

    @contextmanager
    def inferring(self) -> Iterator[None]:
        """What the runtime raises meanwhile is a StageError."""
        try:
            yield
        except RuntimeError as error:
            message = f"{self.folder}: inference failed: {reason(error)}"
            raise StageError(message) from error

    def forget(self) -> None:
        """Set the model's state back."""
        self.request.reset_state()

    @property
    def is_asked(self) -> bool:
        """Whether it was used at all."""
        return "request" in vars(self)


def compile_folder(folder: Path, runtime: Mapping[str, object] | None = None, device: str = "CPU") -> Compiled:
    """Read and compile the model of a folder.

    Args:
        folder: a complete model folder, or one of an original, as `runner.model.original` says.
        runtime: OpenVINO properties; `RUNTIME` by default.
        device: an OpenVINO device name.

    Raises:
        SourceError: the model can't be read or compiled.
        RecipeError: a property that OpenVINO doesn't know, or a value that it refuses.
    """
    import openvino as ov

    from runner.model.feed import ports

    if (folder / ORIGINAL).is_file():
        from runner.model.original import opened

        return opened(folder)
    core = ov.Core()
    try:
        model = core.read_model(Model.of(folder).only)
    except RuntimeError as error:
        message = f"{folder}: OpenVINO can't read the model: {reason(error)}"
        raise SourceError(message) from error
    properties = dict(RUNTIME if runtime is None else runtime)
    try:
        compiled = core.compile_model(model, device, properties)
    except RuntimeError as error:
        raise refusal(error, folder, properties, device) from error
    return Compiled(folder, compiled, ports(compiled), _read_back(compiled, properties))


def reason(error: RuntimeError) -> str:
    """OpenVINO's message without the places in its own source."""
    told = [line.strip() for line in str(error).splitlines()]
    kept = [line for line in told if line and not line.startswith(("Exception from ", "Check '"))]
    return " ".join(kept) or str(error).strip()


def refused_property(error: RuntimeError, properties: Mapping[str, object]) -> str | None:
    """The name of the property that OpenVINO's error is about, if it is one of `properties`."""
    found = _REFUSED.search(str(error))
    return found[1] if found and found[1] in properties else None


def refusal(
    error: RuntimeError, folder: Path, properties: Mapping[str, object], device: str
) -> RecipeError | SourceError:
    """The person's mistake behind OpenVINO's refusal: a property of the recipe, else the model."""
    name = refused_property(error, properties)
    if name is None:
        return SourceError(f"{folder}: OpenVINO can't load the model: {reason(error)}")
    unknown = "Unsupported property" in str(error)
    what = missing("OpenVINO property", name, _writable(device)) if unknown else reason(error)
    return RecipeError([Problem("", f"accuracy.runtime.{name}", what)])


def _writable(device: str) -> list[str]:
    import openvino as ov

    supported = ov.Core().get_property(device, "SUPPORTED_PROPERTIES")
    return sorted(name for name, access in supported.items() if access == "RW")


def _read_back(compiled: ov.CompiledModel, requested: Mapping[str, object]) -> dict[str, object]:
    """What the runtime made of the properties: it changes some without a word, such as f16 to bf16.

    Of those that shape speed alone, which follow the cores that a stage has, only what is requested: an entry of the
    store is the same whatever ran beside.
    """
    import openvino as ov

    there = set(compiled.get_property("SUPPORTED_PROPERTIES"))
    names = [name for name in dict.fromkeys([*requested, *NUMBERS]) if name in there]
    return {name: _plain(compiled.get_property(name)) for name in names} | {"openvino": ov.__version__}


def effective(runtime: Mapping[str, object], device: str = "CPU") -> dict[str, object]:
    """What the runtime makes of properties, whatever the model: read back from an empty one.

    Raises:
        RecipeError: a property that OpenVINO doesn't know, or a value that it refuses.
    """
    import numpy as np
    import openvino as ov
    from openvino import opset13 as opset

    parameter = opset.parameter([1], np.float32)
    try:
        compiled = ov.Core().compile_model(ov.Model([opset.relu(parameter)], [parameter]), device, dict(runtime))
    except RuntimeError as error:
        raise refusal(error, Path(), runtime, device) from error
    return _read_back(compiled, runtime)


def refuse_other_cpu(planned: Iterable[str]) -> None:
    """Refuse to measure under a key that was made for another processor.

    Raises:
        StageError: this processor computes with other instruction sets.
    """
    here, there = hardware.arithmetic(), list(planned)
    if here != there:
        message = f"the run was planned on a processor with {' '.join(there)}; this one has {' '.join(here)}"
        hint = "Figures of different processors differ in their last digits: run ovrun on the kind that works for it."
        raise StageError(message, hint=hint)


def refuse_other_runtime(compiled: Compiled, reference: Mapping[str, object]) -> None:
    """Refuse to hold a model against a reference that was measured in another precision or by another version.

    Args:
        compiled: the model.
        reference: the properties that the runtime had when the reference was measured; an original has others.

    Raises:
        StageError: they differ.
    """
    if "original" in reference:
        return
    names = [name for name in (*NUMBERS, "openvino") if compiled.runtime.get(name) != reference.get(name)]
    if names:
        told = ", ".join(f"{name} {reference.get(name)} there and {compiled.runtime.get(name)} here" for name in names)
        message = f"{compiled.folder}: the reference was measured with other properties than the model: {told}"
        raise StageError(message)


def _plain(value: object) -> object:
    """A property's value as plain data: an element type is `f32`, an enum its name."""
    if isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "get_type_name"):
        return value.get_type_name()
    return getattr(value, "name", str(value))


def logits(compiled: Compiled, ids: NDArray[np.int64], chunk: int | None = None) -> Iterator[NDArray[np.float32]]:
    """The logits of one window of tokens, in blocks of [tokens, vocabulary] that the next block overwrites.

    A model with its cache in the state gets the window in chunks, so that the logits of a large vocabulary need no
    more than about 64 MB; one without gets it whole.

    Args:
        compiled: a language model.
        ids: the window, shape [tokens].
        chunk: tokens a chunk; by default by the vocabulary's size.

    Raises:
        SourceError: an input that a text can't fill, or a first output that isn't logits.
        StageError: the runtime fails.
    """
    from runner.model.feed import token_feed

    stateful = any(port.name == "beam_idx" for port in compiled.inputs)
    if stateful:
        compiled.forget()
    step = (chunk or chunk_tokens(compiled)) if stateful else len(ids)
    for start in range(0, len(ids), step):
        part = ids[start : start + step]
        yield _rows_of(compiled, compiled.infer(token_feed(compiled.inputs, part, start))[0], len(part))


def _rows_of(compiled: Compiled, output: Array, tokens: int) -> Array:
    """The logits [tokens, vocabulary] of a first output [1, tokens, vocabulary]."""
    if output.ndim != 3 or output.shape[:2] != (1, tokens):
        message = f"{compiled.folder}: the first output has shape {list(output.shape)}, not [1, tokens, vocabulary]"
        raise SourceError(message, hint="Divergence and perplexity are of language models, which have logits.")
    rows: Array = output[0]
    return rows


def chunk_tokens(compiled: Compiled) -> int:
    """How many tokens' logits fit in 64 MB, at least 16."""
    size = compiled.model.outputs[0].partial_shape[-1]
    vocabulary = size.get_length() if size.is_static else 1 << 16
    return max(16, int(_LOGITS_BYTES // (4 * vocabulary)))


def import_runtimes() -> None:
    """Import OpenVINO, and OpenVINO GenAI where it is installed, ahead of their use."""
    importlib.import_module("openvino")
    if importlib.util.find_spec("openvino_genai"):
        importlib.import_module("openvino_genai")
