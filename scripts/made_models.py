"""Writes the tiny models of the tests: `python scripts/made_models.py tests/fixtures/models`.

The input is a grey image of 4x4. The output is 2 numbers: the mean of the left half, and the mean of the right half.
The models have no metadata; the tests write sidecars. Needs the Python packages onnx and numpy.

plain.onnx    any batch size
single.onnx   a batch size of 1, as its shape says
baked.onnx    any batch size according to its shape, but it contains a reshape to 1
log.onnx      any batch size, with a logarithm at the end: black gives -infinity

The models external*.onnx in the same folder are not made here. Their input is a colour image of 64x64. Their output is the
pooled pixels times weights (12,288 bytes) in another file, which the tests write: model.onnx.data for external.onnx,
./dot.data for external-dot.onnx, weights/sub.data for external-folder.onnx, and constattr.data for
external-attribute.onnx, where it is an attribute of a Constant.
"""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

SIDE = 4


def halves() -> np.ndarray:
    """The weights, [2, 16]: 1/8 for each pixel of the half, 0 for the other's."""
    left = np.zeros((SIDE, SIDE), np.float32)
    left[:, : SIDE // 2] = 2 / SIDE**2
    return np.stack([left.ravel(), left[:, ::-1].ravel()])


def model(batch: int | str, reshape: int, logarithm: bool = False):
    shape = np.array([reshape, SIDE * SIDE], np.int64)
    weights = [numpy_helper.from_array(halves(), "halves"), numpy_helper.from_array(shape, "shape")]
    last = "means" if logarithm else "embedding"
    nodes = [
        helper.make_node("Reshape", ["pixels", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "halves"], [last], transB=1),
    ]
    if logarithm:
        nodes.append(helper.make_node("Log", [last], ["embedding"]))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 1, SIDE, SIDE])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 2])
    graph = helper.make_graph(nodes, "halves", [pixels], [embedding], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if reshape == -1 or batch == 1:
        checker.check_model(model, full_check=True)
    return model


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    save(model("n", -1), folder / "plain.onnx")
    save(model(1, -1), folder / "single.onnx")
    save(model("n", 1), folder / "baked.onnx")
    save(model("n", -1, logarithm=True), folder / "log.onnx")


main()
