"""Classification: the share of items whose highest score is that of their label (top-1 accuracy)."""

from runner.registry.gates import Better
from runner.registry.metrics import SHARE, Family, Metric

CLASSIFICATION = Family(
    "classification",
    "classes",
    metrics=(Metric("accuracy", Better.HIGHER, SHARE, own_value=True, controls=True),),
    data=frozenset({"label"}),
    needs="an npz file with `labels`",
    revision=2,
    libraries=("openvino", "numpy"),
    module="runner.metrics.classification",
)
