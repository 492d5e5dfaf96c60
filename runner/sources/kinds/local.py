"""Hugging Face folders on this machine."""

from runner.registry.sources import Source

LOCAL = Source("local", "a Hugging Face folder", task=True, module="runner.sources.folder")
