"""Tables of Apache Arrow."""

from runner.registry.formats import DataFormat

PARQUET = DataFormat(
    "parquet", "a table in Parquet", shape="rows", module="runner.data.parquet", package="pyarrow", extra="data"
)
ARROW = DataFormat(
    "arrow", "a table in Arrow's IPC format", shape="rows", module="runner.data.arrow", package="pyarrow", extra="data"
)
