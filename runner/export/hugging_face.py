"""A Hugging Face folder becomes a complete OpenVINO folder; runs in a child process that does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from runner.errors import SourceError
from runner.export.comparing import kept
from runner.export.convert import convert, convert_by_main_export
from runner.export.imports import import_exporter
from runner.export.model import Request, load_config, load_model, supported_task, uses_main_export
from runner.export.patches import keep_code_in
from runner.export.pytorch import given_by
from runner.export.steps import Steps
from runner.export.tokenizer import convert_tokenizer, copy_unread, load_preprocessors, refuse_unread
from runner.model.check import check_folder
from runner.model.listing import view
from runner.model.vocoder import FOLDER
from runner.sources.adapter import find, refuse_misfit
from runner.sources.folder import files

__all__ = ["check_folder", "export_folder"]


Exported = tuple[dict[str, float], dict[str, object]]


def export_folder(
    source: Path,
    out: Path,
    *,
    task: str,
    precision: Literal["fp32", "fp16"],
    stateful: bool,
    tokenizer: bool,
    trust_remote_code: bool,
    allow_pickle: bool,
    adapter: Path | None = None,
    vocoder: Path | None = None,
    progress: Callable[[str], None],
    check: str | None = None,
) -> Exported:
    """Convert the model in `source` into the existing, empty folder `out`, ready for Optimum, GenAI and OpenVINO.

    The work is Optimum's exporter's. This function sets process-wide state (offline environment variables, torch's
    seed, module availability), so it belongs in a process of its own; two runs in fresh processes give equal bytes.

    Args:
        task: an Optimum task name or a synonym of one.
        precision: the type of the floating-point weights in the IR.
        stateful: keep a decoder's key-value cache inside the model.
        tokenizer: also write openvino_tokenizer and openvino_detokenizer where the model has a tokenizer.
        adapter: the folder of a PEFT adapter that is merged into the model.
        vocoder: the folder of what makes sound of what it gives, where that is no part of its own.
        progress: called with the name of each step as it starts.
        check: keep what the original gives, to hold the converted model against: of `small` ones, `any`, or None.

    Returns:
        Seconds by step: load, convert, tokenizers, compare; and what to tell of the check, if that is known already.

    Raises:
        SourceError: the folder, its model type, its task or its tokenizer cannot be converted.
    """
    check_folder(source, allow_pickle, code=trust_remote_code)
    with _reading_adapter(source, out, adapter) as merged:
        import_exporter()
        with _reading(source, vocoder, out, allow_pickle, trust_remote_code) as viewed:
            flags = (stateful, tokenizer, trust_remote_code, allow_pickle)
            return _export(Request(viewed, out, task, precision, *flags, merged), check, progress)


@contextmanager
def _reading_adapter(source: Path, out: Path, folder: Path | None) -> Iterator[Path | None]:
    """A folder of an adapter's two files alone, if there is one; what is wrong with them is told of `folder`.

    Raises:
        SourceError: it is one of another model.
    """
    if folder is None:
        yield None
        return
    found = find(folder)
    refuse_misfit(found, source)
    with view(found.files, out) as viewed:
        try:
            yield viewed
        except SourceError as error:
            raise SourceError(error.message.replace(str(viewed), str(folder)), hint=error.hint) from error


@contextmanager
def _reading(source: Path, vocoder: Path | None, out: Path, allow_pickle: bool, code: bool) -> Iterator[Path]:
    """A folder of the needed files of `source` alone; what is wrong with one of them is told of `source`.

    It is the current folder meanwhile: a library that takes the name of another model for a folder finds none.
    """
    own = files(source, allow_pickle, code)
    beside = files(vocoder, allow_pickle, code=False) if vocoder else {}
    whole = own | {f"{FOLDER}/{name}": path for name, path in beside.items()}
    with view(whole, out) as viewed, chdir(viewed):
        keep_code_in(viewed.with_name("modules"))
        try:
            yield viewed
        except SourceError as error:
            raise SourceError(error.message.replace(str(viewed), str(source)), hint=error.hint) from error


def _export(request: Request, check: str | None, progress: Callable[[str], None]) -> Exported:
    steps = Steps(progress)
    with steps("load"):
        config = load_config(request)
        request = replace(request, task=supported_task(config, request.task))
        special = uses_main_export(request, config)
        if special and request.adapter:
            message = f"{request.adapter}: can't be merged into a {config.model_type} model for {request.task} here"
            raise SourceError(message, hint="Merge it with PEFT (merge_and_unload), and save that model.")
        model = None if special else load_model(request, config)
        preprocessors = [] if special else load_preprocessors(request)
    with steps("convert"):
        if special:
            convert_by_main_export(request)
            refuse_unread(request)
        else:
            convert(request, model, preprocessors)
        copy_unread(request)
    del model
    if request.tokenizer and not special:
        with steps("tokenizers"):
            convert_tokenizer(request, preprocessors)
    if check is None:
        return steps.seconds, {}
    with steps("compare"):
        told = kept(given_by(request, config, check), request.out)
    return steps.seconds, told
