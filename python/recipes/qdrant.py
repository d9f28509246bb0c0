#!/usr/bin/env python3
"""Stores embeddings in Qdrant, and finds the stored files that show the same as an image.

The engine of Qdrant runs in this process, by its package `qdrant-edge-py`, on a folder of its own for each model.
"""

import argparse
import itertools
import pathlib
import sys
import uuid

import gallery
import numpy as np
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    Point,
    Query,
    SearchParams,
    SearchRequest,
    UpdateOperation,
)

#: The most neighbours that a search returns.
MOST = 100

#: How many of the nearest embeddings a search in the index keeps in view.
CANDIDATES = 100

#: How many embeddings are stored in one operation.
PART = 1000


def shard_path(folder: str, digest: str) -> pathlib.Path:
    """The folder of a model. Embeddings of different models never meet."""
    return pathlib.Path(folder) / digest.removeprefix("sha256:")


def store(folder: str, parquet: str) -> int:
    """Stores the embeddings of Parquet files, and returns how many. A file that is stored already is replaced.

    Raises:
        ValueError: the files have embeddings of several models.
    """
    rows = gallery.rows(parquet)
    stored, shard, digest = 0, None, ""
    while part := list(itertools.islice(rows, PART)):
        if shard is None:
            digest = part[0].digest
            shard = opened(shard_path(folder, digest), len(part[0].embedding))
        if any(row.digest != digest for row in part):
            raise ValueError("the files have embeddings of several models")
        # The identifier follows from the name of the file, so a file has one point.
        points = [Point(uuid.uuid5(uuid.NAMESPACE_URL, row.file), row.embedding.tolist(), {"file": row.file}) for row in part]
        shard.update(UpdateOperation.upsert_points(points))
        stored += len(part)
    if shard is not None:
        # Builds the HNSW index once there are enough embeddings for one.
        shard.optimize()
        shard.close()
    return stored


def opened(path: pathlib.Path, width: int) -> EdgeShard:
    """The shard at a path, which is created if it is missing."""
    if path.exists():
        return EdgeShard.load(str(path))
    path.mkdir(parents=True)
    return EdgeShard.create(str(path), EdgeConfig(vectors=EdgeVectorParams(size=width, distance=Distance.Euclid)))


def search(
    shard: EdgeShard,
    embedding: np.ndarray,
    threshold: float,
    *,
    most: int = MOST,
    candidates: int = CANDIDATES,
    exact: bool = False,
) -> gallery.Found:
    """The stored files within a threshold of an embedding, `most` at most.

    The index finds nearly all of them; more `candidates` find more and take longer. `exact` reads all embeddings in place of the
    index and finds each one.
    """
    request = SearchRequest(
        query=Query.Nearest(embedding.tolist()),
        limit=most,
        # With `Distance.Euclid`, the score is the distance, and this is the largest one.
        score_threshold=threshold * (1 + gallery.MARGIN),
        params=SearchParams(hnsw_ef=candidates, exact=exact),
        with_vector=True,
        with_payload=True,
    )
    found = shard.search(request)
    files, vectors = [point.payload["file"] for point in found], [point.vector for point in found]
    return gallery.Found(gallery.within(embedding, files, vectors, threshold), len(found) < most)


def main() -> None:
    parser = argparse.ArgumentParser(description="Stores embeddings in Qdrant, and finds neighbours.")
    commands = parser.add_subparsers(dest="command", required=True)
    storing = commands.add_parser("store", help="stores the embeddings of Parquet files")
    storing.add_argument("folder", help="the folder of Qdrant")
    storing.add_argument("parquet", help="the folder of the Parquet files")
    searching = commands.add_parser("search", help="finds the stored files that show the same as an image")
    searching.add_argument("folder", help="the folder of Qdrant")
    searching.add_argument("model", help="an ONNX file with a card, or the URL of a server")
    searching.add_argument("image")
    searching.add_argument(
        "--fmr", type=float, help="the largest false match rate; without it, the threshold of the model counts"
    )
    arguments = parser.parse_args()

    if arguments.command == "store":
        print(f"{store(arguments.folder, arguments.parquet)} embeddings stored")
        return
    card, embedding = gallery.embed(arguments.model, arguments.image)
    path = shard_path(arguments.folder, card["digest"])
    if not path.exists():
        sys.exit(f"no embedding of the model {card['digest']} is stored: embed the images with it first")
    gallery.show(search(EdgeShard.load(str(path)), embedding, gallery.threshold(card, arguments.fmr)))


if __name__ == "__main__":
    main()
