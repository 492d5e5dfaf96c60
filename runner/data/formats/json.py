"""JSON."""

from runner.registry.formats import DataFormat

JSON = DataFormat("json", "a list of JSON objects", shape="rows", module="runner.data.objects")
