"""Single NumPy arrays."""

from runner.registry.formats import DataFormat

NPY = DataFormat("npy", "an array; others lie beside it", shape="arrays", module="runner.data.npyfile")
