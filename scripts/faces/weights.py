"""Stores the weights of an ONNX graph in fewer bytes. ONNX Runtime turns them back into f32 when it loads the model."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Shorter arrays, such as biases, stay as they are.
SHORT = 64


def as_f16(model):
    """Stores the weights as f16. The originals are f16, so nothing is lost."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    weights, casts = list(result.graph.initializer), []
    del result.graph.initializer[:]
    for weight in weights:
        array = numpy_helper.to_array(weight)
        if array.dtype == np.float32 and SHORT < array.size:
            small = f"{weight.name}.f16"
            result.graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), small))
            casts.append(helper.make_node("Cast", [small], [weight.name], to=TensorProto.FLOAT))
        else:
            result.graph.initializer.append(weight)
    for cast in reversed(casts):
        result.graph.node.insert(0, cast)
    onnx.checker.check_model(result, full_check=True)
    return result
