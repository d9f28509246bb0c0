"""Checks a model with ONNX's checker and Python's onnxruntime: `python scripts/check_onnx.py MODEL`.

Runs ONNX's full check. Then runs the model on its golden images, one by one and together, and compares the distances with
those in its card. Needs the Python packages onnx, onnxruntime, numpy and pillow.
"""

import base64
import io
import json
import sys

import numpy as np
import onnx
import onnxruntime
from PIL import Image


def pixels(image: str, card: dict[str, str]) -> np.ndarray:
    """Preprocesses a golden image for the model: [channels, height, width]."""
    height, width = map(int, card["input"].split("x"))
    mode = {"grey": "L", "rgb": "RGB"}[card["colour"]]
    image = Image.open(io.BytesIO(base64.b64decode(image))).convert(mode)
    values = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    channels = values.reshape(height, width, -1).transpose(2, 0, 1)
    mean, std = (np.fromstring(card[key], np.float32, sep=",")[:, None, None] for key in ("mean", "std"))
    return (channels * np.float32(card["scale"]) - mean) / std


def main() -> None:
    path = sys.argv[1]
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    card = {it.key.removeprefix("siamese."): it.value for it in model.metadata_props}
    golden = json.loads(card["golden"])
    images = np.stack([pixels(it, card) for it in golden["images"]])

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    together = session.run(None, {name: images})[0]
    alone = np.concatenate([session.run(None, {name: it[None]})[0] for it in images])
    apart = float(np.abs(together - alone).max())
    if card["embedding"] == "unit":
        together /= np.linalg.norm(together, axis=1, keepdims=True)
    worst = max(
        abs(float(np.linalg.norm(together[it["a"]] - together[it["b"]])) - it["distance"])
        for it in golden["pairs"]
    )
    print(f"{path}: onnx {onnx.__version__} and onnxruntime {onnxruntime.__version__} take it")
    print(f"one by one or together: {apart:.1e} apart; golden distances off by {worst:.1e}")
    sys.exit(worst > golden["tolerance"] or apart > 1e-4)


main()
