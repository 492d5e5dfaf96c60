"""Models that travel with ovrun."""

from runner.registry.sources import Source

EMBEDDED = Source(
    "embedded", "a model that travels with ovrun", takes="id", task=True, module="runner.sources.embedded"
)
