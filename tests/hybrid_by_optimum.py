"""What Optimum Intel's hybrid quantization makes of a model: `python -m tests.hybrid_by_optimum XML RECORDED OUT`.

XML is a model before, RECORDED a folder of what the stage `record` wrote, OUT the XML to write.
"""

from __future__ import annotations

import sys
from pathlib import Path

from runner.base.python import without_telemetry
from runner.data.recorded import Written


def main(xml: str, recorded: str, out: str) -> None:
    without_telemetry()
    import nncf
    import openvino as ov
    from optimum.intel import OVWeightQuantizationConfig
    from optimum.intel.openvino import quantization

    items = list(Written(Path(recorded)))
    asked = OVWeightQuantizationConfig(bits=8, quant_method="hybrid", num_samples=len(items))
    model = ov.Core().read_model(xml)
    config = quantization._get_hybrid_mixed_quantization_config(model, asked)
    ov.save_model(quantization._mixed_quantization(model, config, nncf.Dataset(items)), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
