"""Hugging Face folders, by Optimum."""

from runner.registry.exporters import Exporter

TRANSFORMERS = Exporter(
    "transformers",
    "a Hugging Face folder, by Optimum's exporter",
<<<<<<< HEAD
    takes=frozenset({"task", "stateful", "tokenizer", "trust_remote_code", "allow_pickle", "check"}),
=======
    takes=frozenset({"task", "stateful", "tokenizer", "trust_remote_code", "allow_pickle", "adapter"}),
>>>>>>> eb241f9 (A PEFT adapter is merged into its base model before the conversion)
    libraries=("openvino", "openvino-tokenizers", "optimum", "optimum-intel", "tokenizers", "torch", "transformers"),
    module="runner.export.folder",
)
