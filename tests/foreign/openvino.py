"""OpenVINO's own format, written by OpenVINO."""

from __future__ import annotations

from pathlib import Path

from tests.foreign.nets import Dense, dense


def openvino_ir(folder: Path, net: Dense | None = None) -> Path:
    """Write `model.xml` and `model.bin`; the result is the path of the .xml."""
    import openvino as ov
    from openvino import opset13 as op

    net = net or dense()
    x = op.parameter(ov.PartialShape([-1, 16]), ov.Type.f32, name="x")
    hidden = op.relu(op.matmul(x, op.constant(net.w1), False, False))
    y = op.matmul(hidden, op.constant(net.w2), False, False)
    y.set_friendly_name("y")
    x.output(0).set_names({"x"})
    y.output(0).set_names({"y"})
    folder.mkdir(parents=True, exist_ok=True)
    ov.save_model(ov.Model([y], [x], "net"), folder / "model.xml", compress_to_fp16=False)
    return folder / "model.xml"
