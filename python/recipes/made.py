"""Made embeddings for measurements: clustered like those of `models/faces.onnx`, so that searches meet realistic neighbours.

An image is a common mean + the centre of its identity + noise, divided by its length. The variance of coordinate k is
proportional to exp(-k / 20), so that some 40 directions matter. Different images are some 0.75 apart, and images of one
identity some 0.33.
"""

import numpy as np

WIDTH = 128
IMAGES_PER_IDENTITY = 10
#: The threshold of `models/faces.onnx`, and the one of its calibration without any false match.
THRESHOLD, STRICT = 0.5381, 0.44755

SPREAD = np.exp(-np.arange(WIDTH) / 40)
SPREAD = (SPREAD * np.sqrt(0.23 / np.square(SPREAD).sum())).astype(np.float32)
#: A length that brings images close to the unit sphere before they are divided by their length.
MEAN = np.float32(0.83)


class Identities:
    """Identities of which images can be drawn."""

    def __init__(self, count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._centres = random.standard_normal((count, WIDTH), np.float32) * SPREAD
        # Some people vary more than others.
        self._noise = random.uniform(0.25, 0.7, (count, 1)).astype(np.float32)

    def images(self, identities: np.ndarray, seed: int) -> np.ndarray:
        """One image of each of the given identities: float32 of the shape (n, 128), of length 1."""
        noise = np.random.default_rng(seed).standard_normal((len(identities), WIDTH), np.float32)
        images = self._centres[identities] + noise * SPREAD * self._noise[identities]
        images[:, -1] += MEAN
        return images / np.linalg.norm(images, axis=1, keepdims=True)
