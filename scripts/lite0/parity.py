#!/usr/bin/env python3
"""Compares the backbone lite0 of a model with PyTorch: `parity.py MODEL.onnx WEIGHTS.pth [IMAGES]`.

MODEL is a model of `siamese-trainer train --backbone lite0`, before `export`. WEIGHTS is the file in the trainer's cache
folder. The network is written down here once more, in PyTorch, with the padding of TensorFlow. The script prints the largest
difference of the last map on made images, relative to its largest value, and fails above 1e-4.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

# Blocks, kernel, stride, expansion and width of each stage: table 1 of Tan and Le, EfficientNet, 2019.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


class Convolution(nn.Module):
    """A convolution without a bias, padded as TensorFlow's `SAME`, with its batch norm."""

    def __init__(self, weights: dict, layer: str, norm: str, stride: int = 1, clips: bool = True):
        super().__init__()
        self.kernel = weights[f"{layer}.weight"].contiguous()
        self.norm = [weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        self.stride, self.clips = stride, clips

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs, inputs, side, _ = self.kernel.shape
        total = [max((-(-length // self.stride) - 1) * self.stride + side - length, 0) for length in map(int, images.shape[2:])]
        before = [length // 2 for length in total]
        padding = [before[1], total[1] - before[1], before[0], total[0] - before[0]]
        groups = outputs if inputs == 1 else 1
        maps = functional.conv2d(functional.pad(images, padding), self.kernel, stride=self.stride, groups=groups)
        maps = functional.batch_norm(maps, *self.norm, eps=1e-3)
        return functional.relu6(maps) if self.clips else maps


class Lite0(nn.Module):
    """EfficientNet-lite0 up to its last map."""

    def __init__(self, weights: dict):
        super().__init__()
        self.stem = Convolution(weights, "_conv_stem", "_bn0", stride=2)
        self.blocks, width, number = [], 32, 0
        for blocks, _, first_stride, expansion, stage_width in STAGES:
            for index in range(blocks):
                prefix, stride = f"_blocks.{number}", first_stride if index == 0 else 1
                layers = [Convolution(weights, f"{prefix}._expand_conv", f"{prefix}._bn0")] if expansion != 1 else []
                layers.append(Convolution(weights, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride))
                layers.append(Convolution(weights, f"{prefix}._project_conv", f"{prefix}._bn2", clips=False))
                self.blocks.append((layers, stride == 1 and stage_width == width))
                width, number = stage_width, number + 1
        self.head = Convolution(weights, "_conv_head", "_bn1")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.stem(images)
        for layers, is_added in self.blocks:
            before = maps
            for layer in layers:
                maps = layer(maps)
            if is_added:
                maps = maps + before
        return self.head(maps)


def session(path: Path) -> onnxruntime.InferenceSession:
    """Opens the model with its last map as the only output: the first map whose mean is a feature."""
    model = onnx.load(path)
    pooled = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(pooled.input[0], onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def made(count: int) -> np.ndarray:
    """Makes smooth images with noise, in the range of the network's input."""
    random = np.random.default_rng(1)
    coarse = torch.tensor(random.uniform(-1, 1, (count, 3, 7, 7)), dtype=torch.float32)
    smooth = functional.interpolate(coarse, size=224, mode="bicubic", align_corners=False)
    noise = torch.tensor(random.normal(0, 0.1, smooth.shape), dtype=torch.float32)
    return (smooth + noise).clamp(-1, 1).numpy()


def main() -> int:
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    count = int(sys.argv[3]) if len(sys.argv) == 4 else 50
    weights = torch.load(sys.argv[2], map_location="cpu", weights_only=True)
    network, exported = Lite0(weights).eval(), session(Path(sys.argv[1]))
    largest = scale = 0.0
    for image in made(count):
        with torch.no_grad():
            expected = network(torch.tensor(image[None])).numpy()
        found = exported.run(None, {exported.get_inputs()[0].name: image[None]})[0]
        largest, scale = max(largest, float(np.abs(expected - found).max())), max(scale, float(expected.max()))
    print(f"{count} images: the last map differs by at most {largest:.1e}, and its largest value is {scale:.2f}")
    return 0 if largest <= 1e-4 * scale else 1


if __name__ == "__main__":
    sys.exit(main())
