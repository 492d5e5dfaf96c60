"""NumPy archives."""

from runner.registry.formats import DataFormat

NPZ = DataFormat("npz", "named arrays", shape="arrays", module="runner.data.npz")
