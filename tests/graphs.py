"""Models of a few operations, made by hand with random weights: what NNCF does to one takes milliseconds."""

from __future__ import annotations

from typing import Any

CHANNELS, INNER, VOCABULARY = 64, 128, 96


def tiny_language_model(gate: bool = True) -> Any:
    """An embedding, a linear layer, a gated unit as Llama has, and a last layer; random weights."""
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op

    rng = np.random.default_rng(0)

    def weights(outputs: int, inputs: int) -> Any:
        spread = np.exp(0.5 * rng.standard_normal((1, inputs)))
        return op.constant((0.1 * rng.standard_normal((outputs, inputs)) * spread).astype(np.float32))

    def linear(x: Any, outputs: int, inputs: int) -> Any:
        return op.matmul(x, weights(outputs, inputs), False, True)

    ids = op.parameter([-1, -1], np.int64, name="input_ids")
    ids.output(0).set_names({"input_ids"})
    x = op.gather(weights(VOCABULARY, CHANNELS), ids, op.constant(0))
    x = op.add(x, linear(x, CHANNELS, CHANNELS))
    if gate:
        gated = op.multiply(op.swish(linear(x, INNER, CHANNELS)), linear(x, INNER, CHANNELS))
        x = op.add(x, linear(gated, CHANNELS, INNER))
    return ov.Model([op.result(linear(x, VOCABULARY, CHANNELS))], [ids], "tiny")


def tiny_network() -> Any:
    """Convolutions, one of them depthwise, two branches that are added, attention, and a last layer; random weights."""
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op

    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        spread = np.exp(rng.standard_normal((shape[0], *[1] * (len(shape) - 1))))
        return op.constant((0.3 * rng.standard_normal(shape) * spread).astype(np.float32))

    def convolution(x: Any, outputs: int, inputs: int) -> Any:
        y = op.convolution(x, weights(outputs, inputs, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1])
        return op.add(y, weights(1, outputs, 1, 1))

    image = op.parameter([-1, 3, 4, 4], np.float32, name="image")
    image.output(0).set_names({"image"})
    x = op.swish(convolution(convolution(image, 4, 3), 4, 4))
    deep = op.group_convolution(x, weights(4, 1, 1, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    x = op.add(convolution(x, 4, 4), deep)
    tokens = op.transpose(op.reshape(x, op.constant([0, 4, -1]), True), op.constant([0, 2, 1]))
    query, key, value = (op.matmul(tokens, weights(4, 4), False, True) for _ in range(3))
    attended = op.matmul(op.softmax(op.matmul(query, key, False, True), -1), value, False, False)
    return ov.Model([op.result(op.matmul(attended, weights(5, 4), False, True))], [image], "tiny")
