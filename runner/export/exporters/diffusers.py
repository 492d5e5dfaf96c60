"""Pipelines of diffusers, by Optimum."""

from runner.registry.exporters import Exporter

DIFFUSERS = Exporter(
    "diffusers",
    "a folder of a pipeline of diffusers, by Optimum's exporter",
    takes=frozenset({"tokenizer", "check"}),
    libraries=(
        *("diffusers", "openvino", "openvino-tokenizers", "optimum", "optimum-intel"),
        *("tokenizers", "torch", "transformers"),
    ),
    module="runner.export.pipeline",
)
