"""Loads what turns text or images into a model's inputs, saves it, and writes tokenizers as OpenVINO models."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.export import pieces
from runner.export.model import Request
from runner.model import listing, sentences
from runner.registry.tasks import family_of

if TYPE_CHECKING:
    import openvino as ov
    from transformers import PreTrainedTokenizerBase

_SENTENCE_FILES = ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json")
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm_char.model",
)
_WRITTEN = "tokenizer_config.json"
"""What transformers writes of each tokenizer."""


def load_preprocessors(request: Request) -> list[object]:
    """The tokenizer and the image or audio processors of the source."""
    if _any_file(request.source, _PROCESSOR_FILES):
        from optimum.utils.save_utils import maybe_load_preprocessors

        loaded: list[object] = maybe_load_preprocessors(request.source, trust_remote_code=request.trust_remote_code)
        return (
            loaded if _any_file(request.source, _TOKENIZER_FILES) else [one for one in loaded if _is_no_tokenizer(one)]
        )
    if _any_file(request.source, _TOKENIZER_FILES):
        return [_load_tokenizer(request)]
    return []


def _is_no_tokenizer(preprocessor: object) -> bool:
    """Whether it is no tokenizer: one of bytes, such as Perceiver's, is made of nothing, for images too."""
    from transformers import PreTrainedTokenizerBase

    return not isinstance(preprocessor, PreTrainedTokenizerBase)


def refuse_unread(request: Request) -> None:
    """Look for a tokenizer that Optimum could not load, of which it says no word.

    Raises:
        SourceError: there is one, and its users would find none.
    """
    if request.tokenizer and _tokenizer_is_unread(request):
        _load_tokenizer(request)


def _tokenizer_is_unread(request: Request) -> bool:
    """Whether the source has a tokenizer, and none was written."""
    return not (request.out / _WRITTEN).exists() and bool(_tokenizer_of(request.source))


def _tokenizer_of(source: Path) -> list[str]:
    there = {path.name for path in listing.tokenizer_files(source)}
    return sorted(name for name in there if name in _TOKENIZER_FILES or name.endswith(".spm"))


def copy_unread(request: Request) -> None:
    """Copy what no class of transformers writes.

    These are settings of processors that could not be loaded here, such as for want of an image library, what
    sentence-transformers does after the network, and a tokenizer that the recipe goes without.
    """
    tokenizer = [_WRITTEN, *_tokenizer_of(request.source)] if _tokenizer_is_unread(request) else []
    for name in (*_PROCESSOR_FILES, *_sentence_files(request.source), *tokenizer):
        if (request.source / name).is_file() and not (request.out / name).exists():
            (request.out / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(request.source / name, request.out / name)


def _sentence_files(source: Path) -> list[str]:
    """The files of a sentence-transformers folder that are that library's own."""
    there = listing.names(source)
    own = [name for name in there if sentences.is_of_step(name)]
    return [*_SENTENCE_FILES, *own] if sentences.STEPS in there else []


def _any_file(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)


def _load_tokenizer(request: Request) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            request.source, trust_remote_code=request.trust_remote_code, local_files_only=True
        )
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # any tokenizer library may raise here, each in its own way; Rust's panics too
        what = pieces.unread({path.name: path for path in listing.tokenizer_files(request.source)})
        message = f"{request.source}: its tokenizer cannot be loaded: {error}"
        raise SourceError(message, hint=f"{what} needs sentencepiece: {pieces.INSTALL}" if what else None) from error


def convert_tokenizer(request: Request, preprocessors: list[object]) -> None:
    """Write openvino_tokenizer and openvino_detokenizer of the tokenizer among `preprocessors`.

    Raises:
        SourceError: a text generator has no tokenizer, or OpenVINO has no equivalent of it.
    """
    from transformers import PreTrainedTokenizerBase

    tokenizer = next((item for item in preprocessors if isinstance(item, PreTrainedTokenizerBase)), None)
    if tokenizer is None:
        if family_of(request.task).gives == "next tokens":
            message = f"{request.source}: has no tokenizer files"
            raise SourceError(message, hint="Add them, or set `conversion.tokenizer: false` to go without.")
        return
    side = tokenizer.padding_side, tokenizer.truncation_side
    if family_of(request.task).gives == "next tokens":
        tokenizer.padding_side = tokenizer.truncation_side = "left"  # generation goes on at the right
    _write(request, tokenizer)
    tokenizer.padding_side, tokenizer.truncation_side = side


def _write(request: Request, tokenizer: PreTrainedTokenizerBase) -> None:
    import openvino
    from openvino_tokenizers import convert_tokenizer as to_openvino
    from optimum.exporters.openvino.utils import set_simplified_chat_template

    try:
        models = _convert_both(to_openvino, tokenizer)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the converter raises whatever its parser meets, a panic of Rust's too
        message = f"{request.source}: OpenVINO has no equivalent of its {type(tokenizer).__name__}: {error}"
        raise SourceError(message, hint="Set `conversion.tokenizer: false` to go without.") from error
    set_simplified_chat_template(models[0])
    for model, name in zip(models, ("tokenizer", "detokenizer"), strict=False):
        openvino.save_model(model, request.out / f"openvino_{name}.xml")


def _convert_both(
    to_openvino: Callable[..., Iterable[ov.Model]], tokenizer: PreTrainedTokenizerBase
) -> tuple[ov.Model, ...]:
    """Tokenizer and detokenizer, or the first alone where OpenVINO has no detokenizer for it."""
    try:
        return tuple(to_openvino(tokenizer, with_detokenizer=True))
    except NotImplementedError:
        return (to_openvino(tokenizer, with_detokenizer=False),)
