"""Stores the weights of an ONNX graph in fewer bytes. ONNX Runtime turns them back into f32 when it loads the model."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Shorter arrays, such as biases, stay as they are.
SHORT = 64


def as_f16(model):
    """Stores the weights as f16. The originals are f16, so nothing is lost."""
    return stored(model, lambda array, name: halved(array, name) if SHORT < array.size else None)


def as_int8(model):
    """Stores the kernels as int8, with one scale for each output channel."""
    axes = {node.input[1]: {"Conv": 0, "MatMul": 1}[node.op_type] for node in model.graph.node if node.op_type in ("Conv", "MatMul")}
    return stored(model, lambda array, name: scaled(array, name, axes[name]) if name in axes else None)


def stored(model, store):
    result = onnx.ModelProto()
    result.CopyFrom(model)
    weights, nodes = list(result.graph.initializer), []
    del result.graph.initializer[:]
    for weight in weights:
        array = numpy_helper.to_array(weight)
        replaced = store(array, weight.name) if array.dtype == np.float32 else None
        if replaced is None:
            result.graph.initializer.append(weight)
        else:
            tensors, restoring = replaced
            result.graph.initializer.extend(tensors)
            nodes.extend(restoring)
    for node in reversed(nodes):
        result.graph.node.insert(0, node)
    onnx.checker.check_model(result, full_check=True)
    return result


def halved(array, name):
    small = f"{name}.f16"
    return [numpy_helper.from_array(array.astype(np.float16), small)], [helper.make_node("Cast", [small], [name], to=TensorProto.FLOAT)]


def scaled(array, name, axis):
    others = tuple(index for index in range(array.ndim) if index != axis)
    scale = np.maximum(np.abs(array).max(others, keepdims=True) / 127, 1e-30).astype(np.float32)
    tensors = [
        numpy_helper.from_array(np.rint(array / scale).astype(np.int8), f"{name}.int8"),
        numpy_helper.from_array(scale, f"{name}.scale"),
    ]
    nodes = [
        helper.make_node("Cast", [f"{name}.int8"], [f"{name}.whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name]),
    ]
    return tensors, nodes
