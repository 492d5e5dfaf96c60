"""Hugging Face folders, by Optimum."""

from runner.registry.exporters import OPTIMUM, Exporter

TRANSFORMERS = Exporter(
    "transformers",
    "a Hugging Face folder, by Optimum's exporter",
    takes=frozenset({"task", "stateful", "tokenizer", "trust_remote_code", "allow_pickle", "check", "adapter"}),
    revision=4,
    libraries=("openvino", "openvino-tokenizers", "optimum", "optimum-intel", "tokenizers", "torch", "transformers"),
    module="runner.export.folder",
    template=OPTIMUM,
    original="runner.export.run_pytorch",
)
