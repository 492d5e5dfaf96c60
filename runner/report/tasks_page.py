"""The page of all tasks, in Markdown, made from their declarations."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from runner.base import streams
from runner.export import exportable, sighted
from runner.registry.predicting import SEED
from runner.registry.tasks import ARRAYS, OF_SEVERAL_PARTS, TASKS, TaskFamily, family_of

_HEAD = """\
# Tasks: what models are for, and how each is used

Made from the declarations in `runner/tasks/` by `make reference`; changes belong there.

`model.task` is one of these names, or any other of Optimum's exporter, whose models are then used as `arrays`. Where
the architecture in a model's config.json ends as said below, it need not be stated. The stage `verify` uses the
finished folder once: a language model by OpenVINO GenAI, a model of several parts by the class of Optimum Intel, any
other by OpenVINO, on an input of the sizes that its configuration and its processor's tell. `Version.load()` and the
model card load it by the class.

Tasks whose models come in parts that nobody here knows how to use together are refused: {refused}.

Weights are compressed in all parts as `compression` says, but for the parts that have settings of their own:

    compression: {{algorithm: weight_compression, mode: int8_asym}}
    parts:
      decoder: {{mode: int4_sym, group_size: 64}}   # complete in itself: nothing comes from `compression`
      encoder: none                               # as it was converted
      vision_embeddings: {{algorithm: quantization, dataset: images}}   # weights and activations in 8 bits

Each such part is compressed by a stage of its own: what changes one runs no other again, and a sweep varies it like any
other key (`parts.decoder.ratio=0.6,0.8`). A dataset for the weights of `compression` is for models of one part, and so
are checks of a network's own outputs; an ignored scope is of one network, so it stands in the settings of a part. The
dataset of a part feeds that part itself: arrays by the names of its own inputs (`input_features` of Whisper's encoder,
`pixel_values` of vision embeddings), texts for a part that takes tokens, or sounds for Whisper's encoder.

`hybrid: int8_asym` (or int8_sym) in the settings of quantization is Optimum's hybrid quantization: weights of linear
layers and embeddings are compressed, these layers go on computing in floats, and convolutions and all else are
quantized, as suits the unet or transformer of a pipeline of diffusers. The preset `hybrid-unet` has Optimum's settings:

    defaults: [{{compression: hybrid-unet}}, _self_]
    datasets: {{calibration: {{source: file, path: prompts.txt}}}}   # a prompt on each line

What other parts feed is recorded while the whole is used, once for all settings: in a pipeline of diffusers each line
of a text is drawn in 4 steps; T5, BART and Whisper write greedily about each text or recording, and their decoder is
quantized on its inputs, each answer from its beginning. Such a decoder's dataset is one for the encoder, so
`compression: {{algorithm: quantization, dataset: texts}}` quantizes both halves. `subset_size` counts tokens of answers
then: 16 of each or, if the dataset is too short for that, up to 128. A pipeline is quantized as a whole in this way
with `parts: {{vae_encoder: none}}`, since no text feeds that.

The parts of a model of images and texts are calibrated in the same way by a jsonl file that names an image beside each
text:

    datasets: {{seen: {{source: file, path: seen.jsonl, column: text, image: image}}}}
    parts:
      language_model: {{mode: int4_sym, group_size: 64, awq: true, dataset: seen}}
      vision_embeddings: {{algorithm: quantization, dataset: seen}}

A row is `{{"image": "images/boat.jpg", "text": "What is to be seen?"}}`. Images are PNG, JPEG, WebP or BMP files in the
folder of the jsonl file or below; nothing else is read, and their content is part of the dataset's digest. The model's
own processor makes inputs of both, by its chat template where it has one; what has more than 600 pixels a side is made
smaller, as Optimum's calibration does. What was recorded serves all settings with the same `subset_size`.
`pip install 'ovrun[images]'` brings Pillow, which reads images.

Where `compression` has fewer than 8 bits, the parts marked * get int8_sym unless they have settings of their own.

Beside a compressed model that a class of Optimum Intel loads lies `openvino_config.json`, which says what was done to
each part in the words of that library: `OVConfig.from_pretrained` reads it, and the classes of models pass it over. It
has no words for data of a recipe, for `advanced`, for accuracy control and for what `conversion` made of inputs; these
are left out, and manifest.json has all. Where it can't say the types of the weights (3 bits, codebooks, three steps in
a row), there is no such file.

| `model.task` | what for | parts | loaded by | architectures |
|---|---|---|---|---|
"""


_FED = """
## What rows feed, and what is kept of each

Roles are columns of a dataset (`columns: {text: review, label: stars}`); those in brackets are not needed. The model's
own tokenizer, image processor or feature extractor makes its inputs of a row, each row by itself; `class scores`,
`outputs` and `embeddings` come of arrays too, for any model of one part. Texts are cut to what the model takes, sounds
of another sampling rate are refused, and maps have the size of their image. Embeddings are pooled as the modules of
sentence-transformers in the folder say, else as the mean of the tokens. A question's answer is the likeliest span of
all windows of 384 tokens, as transformers' pipeline had it; object detection keeps the 100 surest boxes; the classes of
a zero-shot model are the names among the labels, or the row's choices, in "This is a photo of ...". Images, sounds and
texts calibrate by the same processors.

| task | roles | what is kept | settings of a check |
|---|---|---|---|
"""


_RECIPES = """
## A recipe for each

The folder stands for any model: `source: huggingface` with `id` and `revision` takes one of a hub. `arrays` are
for files of other frameworks (`source: onnx`, `tflite`, `tensorflow`, `paddle`, `openvino`) and for `source: pytorch`.

"""


_SEEN = """
## Models of images and texts

These are the types that Optimum Intel converts for `image-text-to-text`, and the versions of transformers with which it
does. ovrun runs with transformers 5.5. Gemma 4 has a part `text_embeddings_per_layer` more, which gets int8_sym as
`text_embeddings` does; transformers loads its processor where torchvision is installed, OpenVINO GenAI without.

| type | | transformers | |
|---|---|---|---|
"""
_OURS = "5.5"


def page() -> str:
    """The whole page; ends in a newline."""
    refused = ", ".join(f"`{name}`" for name in sorted(OF_SEVERAL_PARTS) if family_of(name) is TASKS[ARRAYS])
    rows = "".join(f"{_row(family)}\n" for family in TASKS.values())
    recipes = "\n".join(_example(family) for family in TASKS.values())
    fed = "".join(line for family in TASKS.values() for line in _fed(family))
    return _HEAD.format(refused=refused) + rows + _FED + fed + _seen() + _RECIPES + recipes


def _fed(family: TaskFamily) -> Iterator[str]:
    """How rows feed a task, a line for each way."""
    for one in family.predicts:
        roles = ", ".join([*(f"`{role}`" for role in one.needs), *(f"(`{role}`)" for role in one.takes)])
        own = {name: value for name, value in one.settings.items() if name != SEED}
        settings = ", ".join(
            f"`{name}{f': {json.dumps(value)}' if value is not None else ''}`" for name, value in own.items()
        )
        yield f"| `{family.name}` | {roles} | {one.gives} | {settings} |\n"


def _seen() -> str:
    """The architectures of images and texts, one a line."""
    from packaging.version import Version

    rows = []
    for kind, (lowest, highest) in exportable.types_for(sighted.TASK).items():
        here = Version(lowest or _OURS) <= Version(_OURS) <= Version(highest or _OURS)
        what = sighted.told(kind) if here else "refused by the plan, which says where it can be converted"
        name = sighted.HAD.get(kind, "")
        rows.append(f"| `{kind}` | {name} | {exportable.span(lowest, highest)} | {what} |\n")
    return _SEEN + "".join(rows)


def recipe(family: TaskFamily) -> str:
    """A recipe for a model of a task, in YAML."""
    source = "onnx" if family.name == ARRAYS else "local"
    path = f"../models/mine{'.onnx' if family.name == ARRAYS else ''}"
    task = "" if family.name == ARRAYS else f"\n  task: {family.names[0]}"
    return f"model:\n  source: {source}\n  path: {path}{task}\n{family.example}"


def _example(family: TaskFamily) -> str:
    text = textwrap.indent(recipe(family), "    ")
    return f"### {family.names[0]}\n\n{text}"


def _row(family: TaskFamily) -> str:
    names = ", ".join(f"`{name}`" for name in family.names)
    marks = {name: " *" for name in family.mild}
    parts = "; ".join(f"`{name}`{marks.get(name, '')}: {what}" for name, what in family.parts.items())
    ends = ", ".join(f"`…{end}`" for end in family.architectures)
    return f"| {names} | {family.help} | {parts} | {family.users_load or 'OpenVINO'} | {ends} |"


if __name__ == "__main__":
    streams.put_data(page())
