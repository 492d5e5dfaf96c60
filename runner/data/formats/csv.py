"""Tables of separated values."""

from runner.registry.formats import DataFormat

CSV = DataFormat(
    "csv", "values with commas between them, after a line of names", shape="rows", module="runner.data.delimited"
)
TSV = DataFormat(
    "tsv", "values with tabs between them, after a line of names", shape="rows", module="runner.data.delimited"
)
