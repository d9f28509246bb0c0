#!/usr/bin/env python3
"""Makes models as one would by hand, with onnxruntime and scikit-learn: `by_hand.py MODEL.onnx DIR`.

MODEL is a model of `siamese-trainer train --backbone lite0`; only its backbone is used. DIR contains a folder for each
identity. Fold k holds out every fourth identity, from the k-th. The script prints the EER of each head on all pairs of the
held-out images of each fold, and the seconds for the features and for each head.
"""

import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

FOLDS = 4
SIDE = 224


def session(path: str) -> onnxruntime.InferenceSession:
    """Opens the model with the means of its last map as the only output."""
    model = onnx.load(path)
    pooled = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(pooled.output[0], onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def features(network: onnxruntime.InferenceSession, path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = (np.asarray(image, np.float32) - 127) / 128
    return network.run(None, {network.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]})[0].ravel()


def eer(rows: np.ndarray, labels: np.ndarray) -> float:
    """The equal error rate of the cosine similarity, over all pairs."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    left, right = np.triu_indices(len(rows), 1)
    false, true, _ = roc_curve(labels[left] == labels[right], (rows @ rows.T)[left, right], drop_intermediate=False)
    nearest = np.argmin(np.abs(false - (1 - true)))
    return (false[nearest] + 1 - true[nearest]) / 2


class Logits:
    """The logits of a logistic regression over the training identities, as an embedding."""

    def fit(self, rows: np.ndarray, labels: np.ndarray) -> "Logits":
        self.head = make_pipeline(Normalizer(), StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(rows, labels)
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        return self.head.decision_function(rows)


HEADS = {
    "mean subtracted": lambda: StandardScaler(with_std=False),
    "LDA, automatic shrinkage": lambda: make_pipeline(Normalizer(), LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")),
    "PCA to 128, LDA": lambda: make_pipeline(Normalizer(), PCA(128), LinearDiscriminantAnalysis(solver="svd")),
    "logistic regression": Logits,
}


def main(model: str, data: str) -> None:
    names = sorted(folder.name for folder in Path(data).iterdir() if folder.is_dir())
    files = [(label, path) for label, name in enumerate(names) for path in sorted((Path(data) / name).iterdir())]
    start = time.perf_counter()
    network = session(model)
    rows = np.stack([features(network, path) for _, path in files])
    labels = np.array([label for label, _ in files])
    print(f"features of {len(rows)} images: {time.perf_counter() - start:.1f} s")
    for name, head in HEADS.items():
        errors, seconds = [], []
        for fold in range(FOLDS):
            held = labels % FOLDS == fold
            start = time.perf_counter()
            fitted = head().fit(rows[~held], labels[~held])
            seconds.append(time.perf_counter() - start)
            errors.append(100 * eer(fitted.transform(rows[held]), labels[held]))
        folds = ", ".join(f"{error:.1f}" for error in errors)
        print(f"{name}: EER {folds} %, mean {np.mean(errors):.1f} %; {np.mean(seconds):.1f} s a head")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
