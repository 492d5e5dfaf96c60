"""JSON Lines."""

from runner.registry.formats import DataFormat

JSONL = DataFormat("jsonl", "one JSON object a line", shape="rows", module="runner.data.jsonl")
