"""Models of a hub."""

from runner.registry.sources import Source

HUGGINGFACE = Source("huggingface", "a hub model by id", takes="id", task=True, module="runner.sources.huggingface")
