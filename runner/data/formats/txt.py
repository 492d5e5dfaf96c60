"""Text files."""

from runner.registry.formats import DataFormat

TXT = DataFormat("txt", "one continuous text", shape="text", module="runner.data.text")
