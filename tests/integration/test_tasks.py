"""Tasks: models of each, with random weights, go through conversion, compression and the use that their users make."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from PIL import Image

from runner.artifact import openvino_config
from runner.artifact.card import usage
from runner.artifact.published import Version
from runner.base.values import Array
from runner.data.recorded import Written
from runner.export import exportable, pieces
from runner.model.feed import Feed
from runner.model.parts import Model
from runner.registry.tasks import family_of, task_of
from tests.compressed import weight_types
from tests.conftest import Ovrun
from tests.tiny_models import MODELS, OTHERS, processor, save

USED = {
    "bert-classes": "inferred once on zeros of shape [1, 16], [1, 16], [1, 16]",
    "bert-choices": "inferred once on zeros of shape [1, 16, 16], [1, 16, 16], [1, 16, 16]",
    "t5": "wrote one token with OVModelForSeq2SeqLM about zeros of shape [1, 16], [1, 16]",
    "mbart": "wrote one token with OVModelForSeq2SeqLM about zeros of shape [1, 16], [1, 16]",
    "pegasus": "wrote one token with OVModelForSeq2SeqLM about zeros of shape [1, 16], [1, 16]",
    "vit": "inferred once on zeros of shape [1, 3, 48, 48]",
    "yolos": "inferred once on zeros of shape [1, 3, 64, 96]",
    "glpn": "inferred once on zeros of shape [1, 3, 64, 96]",
    "clip": "inferred once on zeros of shape [1, 16], [1, 3, 32, 32], [1, 16]",
    "siglip": "inferred once on zeros of shape [1, 16], [1, 3, 32, 32]",
    "wav2vec2-ctc": "inferred once on zeros of shape [1, 16000]",
    "speecht5": "spoke 32 samples with OVModelForTextToSpeechSeq2Seq about zeros of shape [1, 16]",
    "llava": "wrote one token with OVModelForVisualCausalLM about zeros of shape [1, 3, 32, 32], which take 16 places, "
    "and a text",
    "whisper": "wrote one token with OVModelForSpeechSeq2Seq about zeros of shape [1, 80, 3000]",
}
"""What is told of the trial."""
SIMILAR = {"logits_per_image", "logits_per_text", "text_embeds", "image_embeds"}
SEEN = {"vision_embeddings.last_hidden_state", "text_embeddings.inputs_embeds", "language_model.logits"}
HALVES = {"encoder.last_hidden_state", "decoder.logits"}
CHECKED = {
    **{name: {"logits"} for name in ("bert-classes", "bert-choices", "vit", "wav2vec2-ctc")},
    **{name: HALVES for name in ("t5", "mbart", "pegasus", "whisper")},
    "speecht5": {
        *("encoder.last_hidden_state", "encoder.encoder_attention_mask", "postnet.postnet_spectrogram"),
        *("decoder.spectrum", "decoder.output_sequence_out", "decoder.prob", "vocoder.waveform"),
    },
    "yolos": {"logits", "pred_boxes"},
    "glpn": {"predicted_depth"},
    **{name: SIMILAR for name in ("clip", "siglip")},
    "llava": SEEN,
}
"""The outputs that are compared with the original's."""
ASKED = {
    "bert-classes": "import sys, openvino_genai\n"
    "print(openvino_genai.TextRerankPipeline(sys.argv[1], 'CPU').rerank('a word', ['b c', 'd e f']))",
    "speecht5": "import sys, openvino_genai\n"
    "print(openvino_genai.Text2SpeechPipeline(sys.argv[1], 'CPU').generate('a word').speeches[0].data.size or '')",
}
"""What makes a pipeline of OpenVINO GenAI tell how much it gives."""
ALWAYS = ("t5", "vit", "whisper")
"""One that writes, one that sees, one that hears; `make newest` tries the others too."""

WITH_INT8, IN_F32 = 0.06, 1e-5
"""Relative L2 distance of outputs: measured were at most 0.05 and 1.2e-6."""

KEPT = "mine.yaml:2:1: compression: the model's weights are quantized by gptq already, and stay so in the IR; remove it"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-m", "tests.tiny_models", folder], check=True, capture_output=True)
    return folder


def write(folder: Path, model: Path, task: str, more: str = "") -> None:
    step = "compression: {algorithm: weight_compression, mode: int8_asym}"
    source = f"model: {{source: local, path: {model}, task: {task}}}"
    (folder / "mine.yaml").write_text("\n".join([source, step, more]) + "\n")


@pytest.mark.libraries
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.newest) for name in USED]
)
def test_a_model_of_each_task_is_published_as_its_users_load_it(
    name: str, models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    task = MODELS[name][0]
    write(tmp_path, models / name, task)
    ovrun("optimize", "mine.yaml")
    version = Version(tmp_path / "outputs" / "mine" / "1")
    found = version.manifest
    verified: dict[str, Any] = next(stage for stage in found["stages"] if stage["label"] == "verify")["result"]
    assert verified["ran"] == USED[name]
    converted: dict[str, Any] = next(stage for stage in found["stages"] if stage["stage"] == "convert")["result"]
    checked = converted["conversion"]
    assert checked["outputs"].keys() == CHECKED[name] and not checked["faults"] and not checked["unchecked"]
    assert max(checked["outputs"].values()) < 1e-2
    family, whole = family_of(task), Model.of(version.path)
    assert set(whole.parts) == set(family.parts)
    for part in whole.parts:
        kinds = {node.get_element_type().get_type_name() for node in whole.read(part).get_ops() if is_weight(node)}
        assert kinds == {"u8"} or (not kinds and weight_types(whole, part) == {"u8"})  # of convolutions alone
    sizes = [
        (version.path / xml).with_suffix(end).stat().st_size for xml in whole.parts.values() for end in (".xml", ".bin")
    ]
    assert found["size"]["optimized"] == sum(sizes) < found["size"]["converted"]
    assert usage(family) in (version.path / "README.md").read_text()
    assert (openvino_config.FILE in found["files"]) is bool(family.users_load)
    if family.users_load:
        told = json.loads((version.path / openvino_config.FILE).read_text())
        assert told["dtype"] == "_".join(["int8"] * len(whole.parts))  # which `distances` lets Optimum Intel read
    assert max(distances(models / name, version.path).values()) < WITH_INT8
    if name in ASKED and (version.path / "openvino_tokenizer.xml").is_file():
        words = [sys.executable, "-c", ASKED[name], version.path]
        assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.libraries
@pytest.mark.newest
@pytest.mark.parametrize("name", [*MODELS, *OTHERS])
def test_a_converted_model_of_each_task_gives_what_pytorch_gives(
    name: str, models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    task = MODELS[name][0] if name in MODELS else "image-text-to-text"
    source = f"model: {{source: local, path: {models / name}, task: {task}}}"
    (tmp_path / "mine.yaml").write_text(f"{source}\nconversion: {{precision: fp32}}\n")
    ovrun("optimize", "mine.yaml")
    found = distances(models / name, tmp_path / "outputs" / "mine" / "1")
    assert max(found.values()) < IN_F32


def distances(model: Path, version: Path) -> dict[str, float]:
    """How far the outputs of a version are from PyTorch's."""
    words = [sys.executable, "-m", "tests.agreement", model, version]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    assert found
    return found


def is_weight(node: Any) -> bool:
    """Whether a node is the weight of a linear layer, stored in whatever type.

    One that several layers split among them, as in the head of SigLIP's images, is none that NNCF finds.
    """
    if node.get_type_name() != "Constant" or len(node.get_output_shape(0)) != 2 or min(node.get_output_shape(0)) < 8:
        return False
    readers = [port.get_node() for port in node.output(0).get_target_inputs()]
    beyond = [port.get_node() for reader in readers for port in reader.output(0).get_target_inputs()]
    split = any(reader.get_type_name() == "VariadicSplit" for reader in beyond)
    return not split and any(reader.get_type_name() in ("Convert", "MatMul") for reader in readers)


@pytest.mark.libraries
def test_parts_have_settings_of_their_own_and_stages_of_their_own(models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    parts = "parts: {decoder: {mode: int4_sym, group_size: 16}}"
    (tmp_path / "texts.txt").write_text("A boat lies in the harbour, and nobody is there to see it.\n" * 40)
    data = "datasets: {texts: {source: file, path: texts.txt}}"
    write(tmp_path, models / "t5", "text2text-generation-with-past", f"{parts}\n{data}")
    ovrun("optimize", "mine.yaml")
    whole = Model.of(tmp_path / "outputs" / "mine" / "1")
    assert {part: weight_types(whole, part) for part in whole.parts} == {"encoder": {"u8"}, "decoder": {"i4", "u8"}}
    untouched = whole.folder / whole.parts["encoder"]
    assert changed(ovrun, "parts.decoder.group_size=8") == ["compress decoder to int4_sym", "assemble", "verify"]
    assert changed(ovrun, "compression.mode=int8_sym") == ["compress to int8_sym", "assemble", "verify"]
    ovrun("optimize", "mine.yaml", "parts.decoder=none")
    whole = Model.of(tmp_path / "outputs" / "mine" / "2")
    assert {part: weight_types(whole, part) for part in whole.parts} == {"encoder": {"u8"}, "decoder": set()}
    assert (whole.folder / whole.parts["encoder"]).read_bytes() == untouched.read_bytes()
    source = (tmp_path / "mine.yaml").read_text().splitlines()[0]
    step = "compression: {algorithm: quantization, dataset: texts, subset_size: 20}"
    (tmp_path / "mine.yaml").write_text("\n".join([source, data, step]))
    ovrun("optimize", "mine.yaml")
    version = Version(tmp_path / "outputs" / "mine" / "3")
    whole = Model.of(version.path)
    assert {part: weight_types(whole, part) for part in whole.parts} == {"encoder": {"i8"}, "decoder": {"i8"}}
    assert linear_inputs(whole.read("decoder")) == {"FakeQuantize"}
    assert decoder_distance(tmp_path / "outputs" / ".store", version) < WITH_INT8
    parts = ["quantize encoder to int8", "quantize decoder to int8"]
    assert changed(ovrun, "+compression.preset=mixed") == [*parts, "assemble", "verify"]


def linear_inputs(model: Any) -> set[str]:
    """What gives a model's MatMuls what they multiply with weights."""
    nodes = [node for node in model.get_ops() if node.get_type_name() == "MatMul"]
    return {node.input_value(0).get_node().get_type_name() for node in nodes}


def decoder_distance(store: Path, version: Version) -> float:
    """Relative L2 distance of a version's decoder from the converted one, on what was recorded of it."""
    keys = {stage["stage"]: stage["key"] for stage in version.manifest["stages"]}
    folders = {name: store / "entries" / keys[name][:2] / keys[name] / "files" for name in ("convert", "record")}
    items = list(Written(folders["record"]))
    assert 0 < len(items) <= 20 and items[0]["nncf_reset_state"]
    before, after = (_logits(folder, items) for folder in (folders["convert"], version.path))
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


def _logits(folder: Path, items: list[Feed]) -> Array:
    compiled = ov.Core().compile_model(Model.of(folder).read("decoder"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request, found = compiled.create_infer_request(), []
    for item in items:
        if item["nncf_reset_state"]:
            request.reset_state()
        feed = {name: array for name, array in item.items() if name != "nncf_reset_state"}
        found.append(request.infer(feed)["logits"][0, -1].copy())
    return np.stack(found)


@pytest.mark.libraries
@pytest.mark.newest
@pytest.mark.parametrize("name", ["bart", "whisper"])
def test_a_decoder_is_quantized_on_what_goes_into_it(name: str, models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    """The whole is used on the dataset: texts, or arrays for the encoder; and users load what comes out."""
    (tmp_path / "texts.txt").write_text("A boat lies in the harbour, and nobody is there to see it.\n" * 40)
    np.savez(tmp_path / "sounds.npz", x=np.random.default_rng(0).standard_normal((3, 80, 3000)).astype(np.float32))
    sounds = "data: {source: file, path: sounds.npz, inputs: {input_features: x}}"
    data = sounds if name == "whisper" else "data: {source: file, path: texts.txt}"
    own = "parts: {decoder: {algorithm: quantization, dataset: data, subset_size: 20}}"
    source = f"model: {{source: local, path: {models / name}, task: {MODELS[name][0]}}}"
    (tmp_path / "mine.yaml").write_text(f"{source}\ndatasets: {{{data}}}\n{own}\n")
    ovrun("optimize", "mine.yaml")
    version = Version(tmp_path / "outputs" / "mine" / "1")
    whole = Model.of(version.path)
    assert {part: weight_types(whole, part) for part in whole.parts} == {"encoder": set(), "decoder": {"i8"}}
    assert "FakeQuantize" in linear_inputs(whole.read("decoder"))
    assert decoder_distance(tmp_path / "outputs" / ".store", version) < 2 * WITH_INT8
    if name == "whisper":
        ask = (
            "import sys, openvino_genai\n"
            "pipe = openvino_genai.WhisperPipeline(sys.argv[1], 'CPU')\n"
            "config = pipe.get_generation_config()\n"
            "config.is_multilingual, config.max_new_tokens = False, 4\n"
            "print(len(pipe.generate([0.0] * 16000, config).texts))"
        )
        done = subprocess.run([sys.executable, "-c", ask, whole.folder], check=True, capture_output=True, text=True)
        assert done.stdout.split() == ["1"]
        texts = f"datasets: {{data: {{source: file, path: texts.txt}}}}\n{own}\n"
        (tmp_path / "mine.yaml").write_text(f"{source}\n{texts}")
        told = ovrun("plan", "mine.yaml", code=2).stderr
        assert "parts.decoder.dataset: no text feeds decoder, which takes arrays" in told


@pytest.mark.libraries
@pytest.mark.parametrize(
    "name", ["llava", *(pytest.param(name, marks=pytest.mark.newest) for name in ("llava-next", "gemma3", "gemma4"))]
)
def test_a_model_of_images_and_texts_answers_by_genai(name: str, models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    """The language model has the bits of the recipe, the rest 8, as Optimum Intel does it."""
    source = f"model: {{source: local, path: {models / name}, task: image-text-to-text}}"
    step = "compression: {algorithm: weight_compression, mode: int4_sym, group_size: 16}"
    (tmp_path / "mine.yaml").write_text(f"{source}\n{step}\n")
    ovrun("optimize", "mine.yaml")
    version = Version(tmp_path / "outputs" / "mine" / "1")
    whole = Model.of(version.path)
    (converted,) = [stage["result"] for stage in version.manifest["stages"] if stage["stage"] == "convert"]
    checked: dict[str, Any] = converted["conversion"]  # type: ignore[assignment]
    each_layer = {"text_embeddings_per_layer.text_embeds_per_layer"} if name == "gemma4" else set()
    assert checked["outputs"].keys() == SEEN | each_layer and not checked["faults"] and not checked["unchecked"]
    assert max(checked["outputs"].values()) < 1e-2
    assert {part: weight_types(whole, part) for part in whole.parts} == {
        "language_model": {"i4", "u8"},
        **{part: {"i8"} for part in whole.parts if part != "language_model"},
    }
    assert whole.parts.keys() >= {"text_embeddings", "vision_embeddings"}
    assert ("text_embeddings_per_layer" in whole.parts) is (name == "gemma4")
    ask = (
        "import sys, numpy as np, openvino as ov, openvino_genai\n"
        "image = ov.Tensor(np.zeros((40, 40, 3), np.uint8))\n"
        "pipe = openvino_genai.VLMPipeline(sys.argv[1], 'CPU')\n"
        "print(len(pipe.generate('hello', image=image, max_new_tokens=4).texts))"
    )
    done = subprocess.run([sys.executable, "-c", ask, whole.folder], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1"]


@pytest.mark.libraries
def test_a_model_of_images_without_its_processor_is_refused_by_the_plan(
    models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    shutil.copytree(models / "llava", tmp_path / "model")
    for name in ("preprocessor_config.json", "processor_config.json"):
        (tmp_path / "model" / name).unlink()
    write(tmp_path, tmp_path / "model", "image-text-to-text")
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "nothing says how images become its inputs: it has neither preprocessor_config.json nor" in told


def test_what_calibrates_a_model_of_images_and_texts_is_judged_by_the_plan(
    models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    """Texts alone do not; a row's image has to be there; a recorded part is one stage for all that it calibrates."""
    parts = (
        "parts:\n"
        "  language_model: {mode: int4_sym, group_size: 16, scale_estimation: true, dataset: seen}\n"
        "  vision_embeddings: {algorithm: quantization, dataset: seen}"
    )
    data = "datasets: {seen: {source: file, path: seen.jsonl, column: text"
    (tmp_path / "seen.jsonl").write_text('{"image": "a.png", "text": "a boat"}\n')
    write(tmp_path, models / "llava", "image-text-to-text", f"{data}}}}}\n{parts}")
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert 'parts.language_model.dataset: "seen" has no images, and language_model is calibrated with images' in told
    assert 'parts.vision_embeddings.dataset: "seen" has no images' in told
    write(tmp_path, models / "llava", "image-text-to-text", f"{data}, image: image}}}}\n{parts}")
    told = ovrun("plan", "mine.yaml", code=4).stderr
    assert f'{tmp_path / "seen.jsonl"}:1: column "image": {tmp_path / "a.png"}: No such file' in told
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    words = ("compression.algorithm=quantization", "~compression.mode", "+compression.dataset=seen")
    told = ovrun("plan", "mine.yaml", *words, code=2).stderr
    assert "no text feeds text_embeddings, which takes arrays; compress its weights, in `parts.text_embed" in told
    assert changed(ovrun, "parts.language_model.awq=true") == [
        "convert to fp16",
        "compress to int8_asym",
        "record the inputs of language_model",
        "collect statistics of language_model on seen",
        "compress language_model to int4_sym",
        "record the inputs of vision_embeddings",
        "quantize vision_embeddings to int8",
        "assemble",
        "verify",
    ]


@pytest.mark.parametrize(
    ("missing", "told", "code"),
    [
        ("vocoder/config.json", "nothing makes sound of its spectrograms: it has no vocoder/config.json;", 2),
        ("vocoder/model.safetensors", "model/vocoder: holds no weights; model.safetensors", 4),
    ],
)
def test_a_model_that_speaks_without_a_vocoder_is_refused_by_the_plan(
    missing: str, told: str, code: int, models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    shutil.copytree(models / "speecht5", tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    write(tmp_path, Path("model"), "text-to-audio")
    assert told in ovrun("plan", "mine.yaml", code=code).stderr


def silent(models: Path, folder: Path, vocoder: str) -> Path:
    """SpeechT5 in a folder without its vocoder, and a recipe that names one elsewhere; what it names."""
    shutil.copytree(models / "speecht5", folder / "model")
    (folder / "model" / "vocoder").rename(folder / "sound")
    source = f"model: {{source: local, path: model, task: text-to-audio, vocoder: {vocoder}}}"
    (folder / "mine.yaml").write_text(f"{source}\nconversion: {{precision: fp32}}\n")
    return folder / "sound"


def test_a_vocoder_of_another_kind_or_too_many_are_told_by_the_plan(models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    sound = silent(models, tmp_path, "{path: sound}")
    assert "convert to fp32" in ovrun("plan", "mine.yaml").stdout
    bert = models / "bert-classes"
    told = ovrun("plan", "mine.yaml", f"model.vocoder.path={bert}", code=4).stderr
    assert f"{bert}: is no vocoder: it is a model of type bert" in told
    shutil.copytree(sound, tmp_path / "model" / "vocoder")
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "model.vocoder: the model has a vocoder of its own, in its folder vocoder; remove one of the two" in told
    words = (f"model.path={bert}", "model.task=text-classification")
    told = ovrun("plan", "mine.yaml", *words, code=2).stderr
    assert "model.vocoder: a model for text-classification has no vocoder; remove it" in told


@pytest.mark.libraries
@pytest.mark.newest
def test_a_model_speaks_with_a_vocoder_that_lies_elsewhere_or_on_a_hub(
    models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    sound = silent(models, tmp_path, "{path: sound}")
    ovrun("optimize", "mine.yaml")
    version = tmp_path / "outputs" / "mine" / "1"
    assert max(distances(models / "speecht5", version).values()) < IN_F32
    manifest = Version(version).manifest
    assert manifest["model"]["vocoder"] == "../../../sound" and len(manifest["model"]["vocoder_sha256"]) == 64
    commit = "0123456789abcdef" * 2 + "01234567"
    home = tmp_path / "cache" / "models--someone--hifigan"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    shutil.copytree(sound, home / "snapshots" / commit)
    (tmp_path / "mine.yaml").write_text(
        (tmp_path / "mine.yaml").read_text().replace("path: sound", "id: someone/hifigan")
    )
    ovrun("optimize", "mine.yaml", HF_HUB_CACHE=str(tmp_path / "cache"), HF_HUB_OFFLINE="1")
    second = tmp_path / "outputs" / "mine" / "2"
    assert Version(second).manifest["recipe"]["model"]["vocoder"] == {"id": "someone/hifigan", "revision": commit}
    sounds = [(one / Model.of(one).parts["vocoder"]).with_suffix(".bin").read_bytes() for one in (version, second)]
    assert sounds[0] == sounds[1]


@pytest.mark.libraries
def test_a_model_that_lacks_a_weight_is_not_converted(models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    """Optimum fills it at random; positions that Pegasus computes are no such weight."""
    shutil.copytree(models / "pegasus", tmp_path / "model")
    lost, computed = "model.decoder.layers.0.fc1.weight", "model.encoder.embed_positions.weight"
    without_weights(tmp_path / "model" / "model.safetensors", lost, computed)
    write(tmp_path, tmp_path / "model", "text2text-generation-with-past")
    told = ovrun("optimize", "mine.yaml", "conversion.check=false", code=4).stderr
    assert f"its weights lack 1 that the task text2text-generation-with-past needs: {lost}\n" in told


def without_weights(path: Path, *names: str) -> None:
    """Take weights out of a file."""
    from safetensors.numpy import load_file, save_file

    kept = load_file(path)
    for name in names:
        del kept[name]
    save_file(kept, path, metadata={"format": "pt"})


@pytest.mark.libraries
@pytest.mark.newest
def test_a_trace_that_keeps_a_size_has_that_alone_and_no_tokenizer_is_made_of_nothing(
    ovrun: Ovrun, tmp_path: Path
) -> None:
    """MobileViT's trace keeps the size of images; transformers has a tokenizer of bytes for each Perceiver."""
    import transformers

    sizes = {"hidden_sizes": [32, 48, 64], "neck_hidden_sizes": [8, 16, 24, 32, 40, 48, 64], "image_size": 64}
    layers = dict.fromkeys(("num_blocks", "num_self_attends_per_block", "num_cross_attention_heads"), 1)
    small = {"num_latents": 8, "d_latents": 32, "d_model": 32, "num_self_attention_heads": 2, "image_size": 64}
    kinds = {
        "MobileViTForImageClassification": transformers.MobileViTConfig(**sizes),
        "PerceiverForImageClassificationLearned": transformers.PerceiverConfig(**layers, **small),
    }
    for kind, config in kinds.items():
        save(tmp_path / kind, getattr(transformers, kind)(config))
        processor(tmp_path / kind, "ViTImageProcessor", size={"height": 64, "width": 64})
        write(tmp_path, tmp_path / kind, "image-classification", f"name: {kind.lower()}")
        ovrun("optimize", "mine.yaml")
        version = tmp_path / "outputs" / kind.lower() / "1"
        assert not list(version.glob("*tokenizer*"))
        images = Model.of(version).read().input(0).get_partial_shape()
        assert kind.startswith("Perceiver") or str(images) == "[?,3,64,64]"


@pytest.mark.libraries
def test_a_tokenizer_that_cannot_be_loaded_ends_the_conversion(models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    """Optimum says no word of it; without it, the folder keeps the files as they came."""
    shutil.copytree(models / "pegasus", tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    write(tmp_path, tmp_path / "model", "text2text-generation-with-past")
    assert f"{tmp_path / 'model'}: its tokenizer cannot be loaded" in ovrun("optimize", "mine.yaml", code=4).stderr
    assert not (tmp_path / "outputs" / "mine").exists()


def changed(ovrun: Ovrun, override: str) -> list[str]:
    """The labels of the stages that a run with an override would make."""
    plan = json.loads(ovrun("plan", "mine.yaml", override, "--json").stdout)
    return [stage["label"] for stage in plan["stages"] if stage["state"] == "to do"]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "+parts.decodr=none",
            "parts.decodr: the model has no such part; it has encoder, decoder (did you mean decoder?)",
        ),
        (
            "+parts={encoder: none, decoder: none}",
            "mine.yaml:2:1: compression: all parts have settings of their own in `parts`, and nothing is left; "
            "remove it; the parts are encoder, decoder",
        ),
    ],
)
def test_parts_that_a_model_lacks_are_refused(
    override: str, told: str, models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    write(tmp_path, models / "t5", "text2text-generation-with-past")
    assert told in ovrun("plan", "mine.yaml", override, code=2).stderr


def test_what_needs_one_network_is_refused_for_models_of_several_parts(
    models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("some words " * 100)
    data = "datasets: {text: {source: file, path: a.txt}}"
    checks = "accuracy: {checks: [{metric: relative_l2, dataset: text, max: 1}]}"
    write(tmp_path, models / "t5", "text2text-generation-with-past", f"{data}\n{checks}")
    told = ovrun(
        "plan",
        "mine.yaml",
        "+compression.dataset=text",
        "compression.mode=int4_sym",
        "+compression.scale_estimation=true",
        code=2,
    ).stderr
    assert (
        "calibration data are of one network, and a model for text2text-generation has the parts encoder and decoder"
        in told
    )
    assert re.search(r"mine.yaml:4:\d+: accuracy.checks.0.metric: relative_l2 is measured on one network", told)
    step = "compression: {algorithm: quantization, dataset: text, ignored_scope: {names: [x]}}"
    lines = (tmp_path / "mine.yaml").read_text().splitlines()
    (tmp_path / "mine.yaml").write_text("\n".join([lines[0], step, lines[2]]))
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "compression.ignored_scope: names of operations are of one network" in told
    assert "compression.dataset" not in told
    low = "parts: {decoder: {mode: int4_sym, group_size: 16, dataset: text, gptq: true}}"
    (tmp_path / "mine.yaml").write_text("\n".join([lines[0], low, lines[2]]))
    assert "parts.decoder.gptq: NNCF's GPTQ runs pieces of a model" in ovrun("plan", "mine.yaml", code=2).stderr


@pytest.mark.parametrize(
    ("name", "task", "changes", "told"),
    [
        (
            "vit",
            "text-classification",
            {},
            "mine.yaml:1:45: model.task: models of type vit are not converted for it; allowed: feature-extraction, "
            "image-classification, masked-im (did you mean image-classification?)",
        ),
        (
            "t5",
            "text-generation-with-past",
            {},
            "models of type t5 are not converted for it; allowed: feature-extraction, feature-extraction-with-past, "
            "text2text-generation, text2text-generation-with-past (did you mean text2text-generation-with-past?)",
        ),
        (
            "t5",
            "text2text-generation-with-past",
            {"model_type": "longt5"},
            "models of type longt5 are not had for it: the trace keeps the number of blocks",
        ),
        (
            "vit",
            "feature-extraction",
            {"model_type": "sam"},
            "models of type sam are not had for it: its parts are none that ovrun knows",
        ),
        (
            "bert-classes",
            "text-generation-with-past",
            {"model_type": "phi", "num_attention_heads": 4, "num_key_value_heads": 2, "eos_token_id": 2},
            "with as many key-value heads as attention heads alone, and this one has 2 and 4",
        ),
        (
            "bert-classes",
            "text-generation-with-past",
            {"model_type": "gpt2", "eos_token_id": None},
            "model: no file tells the token that ends a text, without which OpenVINO GenAI generates none",
        ),
        (
            "bert-classes",
            "text-classification",
            {"model_type": "berrt"},
            "converts no model of type berrt; docs/tasks.md lists what can be (did you mean bert?)",
        ),
        (
            "vit",
            "object-detection",
            {"model_type": "rt_detr"},
            "Optimum Intel 2.1.0 converts no model of type rt_detr; docs/tasks.md lists what can be",
        ),
        (
            "vit",
            "depth-estimation",
            {"model_type": "zoedepth"},
            "Optimum Intel 2.1.0 converts no model of type zoedepth; docs/tasks.md lists what can be",
        ),
        (
            "detr",
            "object-detection",
            {"use_timm_backbone": True},
            "model: its backbone is a network of the package timm, which is not installed; pip install timm",
        ),
        (
            "vit",
            "text-to-audio",
            {"model_type": "qwen3_omni_moe"},
            "text-to-audio: ovrun knows the parts of SpeechT5 alone, and this is a model of type qwen3_omni_moe",
        ),
        (
            "bart",
            "text2text-generation-with-past",
            {"model_type": "marian"},
            "converts models of type marian with transformers from 4.57 up to 4.57.6 alone, and 5.5.4 is installed; "
            "convert it by optimum-cli, in an environment of its own (pip install optimum-intel==2.1.0 "
            "'transformers>=4.57,<=4.57.6')",
        ),
    ],
)
def test_what_cannot_be_converted_is_told_by_the_plan(
    name: str, task: str, changes: dict[str, str], told: str, models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    shutil.copytree(models / name, tmp_path / "changed")
    config = tmp_path / "changed" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    write(tmp_path, Path("changed"), task)
    assert told in ovrun("plan", "mine.yaml", code=2).stderr


def test_a_tokenizer_that_has_no_equivalent_is_told_by_the_plan(models: Path, ovrun: Ovrun, tmp_path: Path) -> None:
    shutil.copytree(models / "bert-masks", tmp_path / "changed")
    settings = tmp_path / "changed" / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"tokenizer_class": "EsmTokenizer"}))
    write(tmp_path, Path("changed"), "fill-mask")
    told = ovrun("plan", "mine.yaml", code=2).stderr
    assert "model: OpenVINO has no equivalent of its tokenizer (EsmTokenizer); set conversion.tokenizer: false" in told
    ovrun("plan", "mine.yaml", "+conversion.tokenizer=false")


@pytest.mark.libraries
def test_tokenizers_that_have_no_equivalent_are_python_alone() -> None:
    """The library tokenizers reads none of them."""
    import transformers

    for name in pieces._UNLIKE:
        kind = getattr(transformers, name)
        assert issubclass(kind, transformers.PreTrainedTokenizer), name
        assert not issubclass(kind, transformers.PreTrainedTokenizerFast), name


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("gptq", ["model: its weights are quantized by gptq, and are loaded with the package gptqmodel", KEPT]),
        ("awq", ["model: its weights are quantized by awq, and are loaded with the package gptqmodel"]),
        ("compressed-tensors", ["Optimum Intel converts those of awq, gptq, mxfp4; start from the model that"]),
    ],
)
def test_weights_that_come_quantized_are_told_by_the_plan(
    method: str, told: list[str], models: Path, ovrun: Ovrun, tmp_path: Path
) -> None:
    shutil.copytree(models / "bert-classes", tmp_path / "changed")
    config = tmp_path / "changed" / "config.json"
    document = json.loads(config.read_text())
    config.write_text(json.dumps(document | {"quantization_config": {"quant_method": method, "bits": 4}}))
    write(tmp_path, Path("changed"), "text-classification")
    seen = ovrun("plan", "mine.yaml", code=2).stderr
    assert all(words in seen for words in told)


@pytest.mark.libraries
def test_the_table_of_what_can_be_converted_is_that_of_the_library() -> None:
    """Of the version that constraints.txt names; another one says itself what it can't convert.

    And no type is in it of which transformers has no class for the task, without being refused.
    """
    done = subprocess.run([sys.executable, "-m", "tests.classless"], check=True, capture_output=True, text=True)
    there, classless = json.loads(done.stdout.splitlines()[-1])
    kept = json.loads(exportable._FILE.read_text())
    assert there == kept or there["version"] != kept["version"]
    assert ["trocr", "feature-extraction"] in classless
    refused = [exportable.misfit({"model_type": one[0]}, one[1]) is not None for one in classless]
    assert all(refused) or there["version"] != kept["version"]


def test_the_task_is_told_by_the_architecture(models: Path) -> None:
    told = {name: task_of(json.loads((models / name / "config.json").read_text())) for name in USED}
    assert told == {name: MODELS[name][0] for name in USED}
