"""What the recipes of a search share: rows of Parquet files, the threshold of a model, and exact distances."""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow.dataset as ds

import siamese

#: Databases compute distances in 32 bits, and the model's verdict needs 64. They search within a slightly larger distance, and
#: `within` then decides.
MARGIN = 1e-5


class Row(NamedTuple):
    """A stored embedding."""

    file: str
    embedding: np.ndarray
    digest: str


class Neighbour(NamedTuple):
    """A stored file that shows the same, by the verdict of the model."""

    file: str
    distance: float


class Found(NamedTuple):
    """The neighbours by ascending distance. They are complete if the search went on beyond the threshold."""

    neighbours: list[Neighbour]
    complete: bool


def rows(parquet: str) -> Iterator[Row]:
    """The embeddings in the Parquet files of a folder, without the files that have an error."""
    for batch in ds.dataset(parquet).to_batches(filter=ds.field("error").is_null()):
        if batch.num_rows:
            embeddings = batch["embedding"].flatten().to_numpy().reshape(batch.num_rows, -1)
            yield from map(Row, batch["file"].to_pylist(), embeddings, batch["digest"].to_pylist())


def embed(model: str, image: str) -> tuple[dict, np.ndarray]:
    """The card of a model and the embedding of an image, from a server if `model` is a URL, else in this process."""
    if not model.startswith(("http://", "https://")):
        loaded = siamese.Model.load(model)
        return loaded.card, loaded.embed(image)
    with siamese.Client(model) as client:
        result = client.embed(image)
        card = client.model()
    if result.digest != card["digest"]:
        sys.exit("the server changed its model meanwhile: try again")
    return card, result.embedding


def threshold(card: dict, fmr: float | None = None) -> float:
    """The threshold of a card, or the largest one whose measured FMR is at most `fmr`.

    Raises:
        ValueError: the card has no threshold, or was calibrated on too few pairs for this FMR.
    """
    if fmr is None:
        if card["threshold"] is None:
            raise ValueError("the model has no threshold: calibrate it")
        return card["threshold"]
    calibration = card["calibration"]
    # By the rule of 3, n pairs without an error support an error rate of 3 / n, and no smaller one.
    if calibration is None or fmr < 3 / calibration["different_pairs"]:
        raise ValueError(f"the calibration of the model does not support the FMR {fmr}")
    fitting = [point["threshold"] for point in card["operating_points"] if point["fmr"] <= fmr]
    if not fitting:
        raise ValueError(f"no threshold of the model has the FMR {fmr}")
    return max(fitting)


def within(query: np.ndarray, files: list[str], embeddings: list[np.ndarray], limit: float) -> list[Neighbour]:
    """The files of which the distance is at most a threshold, by ascending distance.

    The distance is that of the server: L2 of float32 coordinates, in 64 bits.
    """
    if not files:
        return []
    distances = np.linalg.norm(np.asarray(embeddings, np.float64) - query.astype(np.float64), axis=1)
    order = np.argsort(distances, kind="stable")
    return [Neighbour(files[row], float(distances[row])) for row in order if distances[row] <= limit]


def show(found: Found) -> None:
    """Prints the distance and the file of each neighbour."""
    for near in found.neighbours:
        print(f"{near.distance:.6f}  {near.file}")
    if not found.complete:
        print("there may be more neighbours: use a smaller FMR, or read all rows", file=sys.stderr)
