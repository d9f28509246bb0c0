"""Reads the two public networks of `models/faces.onnx` from their original files, and writes them as ONNX graphs.

- The face recognition network of dlib (29 convolutions, 150x150 RGB to 128 numbers), in dlib's own serialisation.
- The face detectors BlazeFace of MediaPipe, in TensorFlow Lite's format with f16 weights.
"""

import struct

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper
from tflite.BuiltinOperator import BuiltinOperator

OPSET = 17


class Graph:
    """Collects the nodes and the weights of an ONNX graph."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def weight(self, array, name=None):
        self.count += 1
        name = name or f"w{self.count}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind, *inputs, output=None, **attributes):
        self.count += 1
        output = output or f"n{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def model(self, name, inputs, outputs):
        graph = helper.make_graph(self.nodes, name, [values(*i) for i in inputs], [values(*o) for o in outputs], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def values(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


# --- dlib ------------------------------------------------------------------------------------------------------------


class Serialised:
    """dlib's serialisation of the numbers that its layers consist of."""

    def __init__(self, data, at):
        self.data, self.at = data, at

    def integer(self):
        """One byte holds the count of the bytes that follow, and the sign in its highest bit."""
        control = self.data[self.at]
        count = control & 0x0F
        number = int.from_bytes(self.data[self.at + 1 : self.at + 1 + count], "little")
        self.at += 1 + count
        return -number if control & 0x80 else number

    def tensor(self):
        version, *shape = (self.integer() for _ in range(5))
        assert version == 2
        count = int(np.prod(shape))
        array = np.frombuffer(self.data, "<f4", count, self.at)
        self.at += 4 * count
        return array


def layers(data):
    """The parameters of the layers, in the order of the forward pass."""
    convolutions, affines, at = [], [], 0
    while (found := next_layer(data, at)) is not None:
        kind, at = found
        at += len(kind)
        reader = Serialised(data, at)
        if kind == b"con_4":
            parameters = reader.tensor()
            filters, rows, columns, *_ = (reader.integer() for _ in range(7))
            convolutions.append((parameters[:-filters].reshape(filters, -1, rows, columns), parameters[-filters:]))
            at = reader.at
        elif kind == b"affine_":
            parameters = reader.tensor()
            affines.append(np.split(parameters, 2))
            at = reader.at
        elif kind == b"fc_2":
            outputs = reader.integer()
            reader.integer()  # The number of inputs is the number of rows.
            weights = reader.tensor().reshape(-1, outputs)
            return convolutions, affines, weights
    raise SystemExit("the file has no fully connected layer")


def next_layer(data, at):
    places = [(data.find(bytes([1, len(kind)]) + kind, at), kind) for kind in (b"con_4", b"affine_", b"fc_2")]
    places = [(place + 2, kind) for place, kind in places if place >= 0]
    return min(places)[::-1] if places else None


def recognition(data):
    """The network of dlib, from RGB of 0 to 255 to 128 numbers. Every block pads its inputs as dlib's `add_prev` does."""
    convolutions, affines, weights = layers(data)
    assert len(convolutions) == len(affines) == 29
    parameters = iter(zip(convolutions, affines))
    graph = Graph()

    def convolution(x, stride=1):
        (kernel, bias), (gamma, beta) = next(parameters)
        # The affine layer after each convolution is part of it.
        kernel, bias = kernel * gamma[:, None, None, None], bias * gamma + beta
        pad = kernel.shape[2] // 2 if stride == 1 else 0
        return graph.node("Conv", x, graph.weight(kernel), graph.weight(bias), strides=[stride] * 2, pads=[pad] * 4)

    def relu(x):
        return graph.node("Relu", x)

    def pad(x, channels, side):
        pads = np.array([0, 0, 0, 0, 0, channels, side, side], np.int64)
        return graph.node("Pad", x, graph.weight(pads)) if channels or side else x

    def block(x, channels, side, down, grows):
        """A residual block; `side` is how much smaller the convolved half of a shrinking block is."""
        y = convolution(relu(convolution(x, 2 if down else 1)))
        if down:
            x = graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            x, y = pad(x, grows, 0), pad(y, 0, side)
        return relu(graph.node("Add", y, x))

    x = relu(convolution("image", 2))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    # Channels, blocks, whether the first block shrinks, and by how much the halves of that block differ.
    before = 32
    for channels, blocks, down, side in [(32, 3, False, 0), (64, 4, True, 0), (128, 3, True, 0), (256, 3, True, 1), (256, 1, True, 1)]:
        for index in range(blocks):
            first = index == 0
            x = block(x, channels, side if first else 0, down and first, channels - before if first else 0)
        before = channels
    x = graph.node("GlobalAveragePool", x)
    x = graph.node("Flatten", x)
    graph.node("MatMul", x, graph.weight(weights), output="embedding")
    return graph.model("dlib face recognition", [("image", ["batch", 3, 150, 150])], [("embedding", ["batch", 128])])


# --- BlazeFace -------------------------------------------------------------------------------------------------------


def detector(data, anchors):
    """BlazeFace, from RGB of -1 to 1 to `points` (its box's centre and size, then six points; parts of the side) and `scores`."""
    names = {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
    model = tflite.Model.GetRootAsModel(data, 0)
    source = model.Subgraphs(0)
    graph, made = Graph(), {}
    side = int(source.Tensors(source.Inputs(0)).ShapeAsNumpy()[1])
    made[source.Inputs(0)] = "image"

    def array(index):
        tensor = source.Tensors(index)
        kind = {0: np.float32, 1: np.float16, 2: np.int32}[tensor.Type()]
        return model.Buffers(tensor.Buffer()).DataAsNumpy().view(kind).reshape(tensor.ShapeAsNumpy())

    constants = {}

    def constant(index):
        return constants[index] if index in constants else array(index)

    def options(operator, kind):
        table = operator.BuiltinOptions()
        result = kind()
        result.Init(table.Bytes, table.Pos)
        return result

    def pads(padding, shape, stride, kernel):
        """TensorFlow's SAME padding puts the odd pixel after the image."""
        if padding == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        total = [max((-(-size // stride) - 1) * stride + k - size, 0) for size, k in zip(shape[1:3], kernel)]
        return [t // 2 for t in total] + [t - t // 2 for t in total]

    def activate(x, function):
        kinds = {0: None, 1: "Relu"}
        return graph.node(kinds[function], x) if kinds[function] else x

    for number in range(source.OperatorsLength()):
        operator = source.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = list(operator.InputsAsNumpy())
        output = operator.Outputs(0)
        shape = source.Tensors(inputs[0]).ShapeAsNumpy()
        if kind == "DEQUANTIZE":
            constants[output] = array(inputs[0]).astype(np.float32)
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            deep = kind == "DEPTHWISE_CONV_2D"
            settings = options(operator, tflite.DepthwiseConv2DOptions if deep else tflite.Conv2DOptions)
            kernel = constant(inputs[1]).transpose((3, 0, 1, 2) if deep else (0, 3, 1, 2))
            stride = settings.StrideW()
            x = graph.node(
                "Conv", made[inputs[0]], graph.weight(kernel), graph.weight(constant(inputs[2])),
                strides=[stride] * 2, pads=pads(settings.Padding(), shape, stride, kernel.shape[2:]), group=shape[3] if deep else 1,
            )
            made[output] = activate(x, settings.FusedActivationFunction())
        elif kind == "RELU":
            made[output] = graph.node("Relu", made[inputs[0]])
        elif kind == "ADD":
            x = graph.node("Add", made[inputs[0]], made[inputs[1]])
            made[output] = activate(x, options(operator, tflite.AddOptions).FusedActivationFunction())
        elif kind == "PAD":
            before, after = constant(inputs[1])[[0, 3, 1, 2]].T
            made[output] = graph.node("Pad", made[inputs[0]], graph.weight(np.concatenate([before, after]).astype(np.int64)))
        elif kind == "MAX_POOL_2D":
            settings = options(operator, tflite.Pool2DOptions)
            stride, size = settings.StrideW(), [settings.FilterHeight(), settings.FilterWidth()]
            made[output] = graph.node(
                "MaxPool", made[inputs[0]], kernel_shape=size, strides=[stride] * 2, pads=pads(settings.Padding(), shape, stride, size)
            )
        elif kind == "RESIZE_BILINEAR":
            settings = options(operator, tflite.ResizeBilinearOptions)
            mode = "align_corners" if settings.AlignCorners() else "half_pixel" if settings.HalfPixelCenters() else "asymmetric"
            size = source.Tensors(output).ShapeAsNumpy()
            sizes = graph.weight(np.array([1, size[3], size[1], size[2]], np.int64))
            made[output] = graph.node("Resize", made[inputs[0]], "", "", sizes, mode="linear", coordinate_transformation_mode=mode)
        elif kind == "RESHAPE":
            x = graph.node("Transpose", made[inputs[0]], perm=[0, 2, 3, 1])
            size = np.array(source.Tensors(output).ShapeAsNumpy(), np.int64)
            made[output] = graph.node("Reshape", x, graph.weight(size))
        elif kind == "CONCATENATION":
            made[output] = graph.node("Concat", *(made[i] for i in inputs), axis=1)
        else:
            raise SystemExit(f"the detector has a {kind}, which is not converted")

    boxes, scores = made[source.Outputs(0)], made[source.Outputs(1)]
    # All values are pixels relative to an anchor, but for the size of the box.
    offset = np.tile(anchors, 8).astype(np.float32)
    offset[:, 2:4] = 0
    x = graph.node("Mul", boxes, graph.weight(np.float32(1 / side)))
    graph.node("Add", x, graph.weight(offset[None]), output="points")
    graph.node("Sigmoid", graph.node("Squeeze", scores, graph.weight(np.array([2], np.int64))), output="scores")
    count = len(anchors)
    return graph.model("BlazeFace", [("image", [1, 3, side, side])], [("points", [1, count, 16]), ("scores", [1, count])])


def anchors(grids):
    """The centres of the detector's cells, for each grid of `side` cells and `repeats` boxes a cell."""
    result = []
    for side, repeats in grids:
        centres = (np.arange(side) + 0.5) / side
        grid = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
        result.append(np.repeat(grid, repeats, 0))
    return np.concatenate(result)


SHORT, FULL = [(16, 2), (8, 6)], [(48, 1)]
