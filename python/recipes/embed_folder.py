#!/usr/bin/env python3
"""Embeds all files of a folder with Ray Data, on one machine or on a cluster, into Parquet files.

Each worker process has the model once, with one thread. A row has the columns `file` (its path within the folder), `embedding`,
`digest` (that of the model) and `error`. A bad image is a row with an error and without an embedding. A job that was stopped
continues where it was: files that have a row are not embedded again.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray
from pyarrow import fs

import siamese

#: The columns of the result.
SCHEMA = pa.schema(
    [("file", pa.string()), ("embedding", pa.list_(pa.float32())), ("digest", pa.string()), ("error", pa.string())]
)

#: How many files become one Parquet file. A stopped job loses at most that much work of each worker.
PART = 1000


class Embedder:
    """One model in a worker process."""

    def __init__(self, model: str, images: str, out: str) -> None:
        # Ray starts a process for each core, so more threads would only compete.
        self._model = siamese.Model.load(model, threads=1)
        self._images, self._images_path = fs.FileSystem.from_uri(images)
        self._out, self._out_path = fs.FileSystem.from_uri(out)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[int]]:
        """Embeds files and writes them as one Parquet file. Returns how many could not be embedded.

        The worker writes, since tasks of Ray that write would wait for a core until all workers end.
        """
        files = [str(file) for file in batch["file"]]
        unread: dict[int, str] = {}
        embeddings, errors = self._model.try_embed(self._uploads(files, unread))
        reasons = {error.index: error.reason for error in errors} | unread
        table = pa.table(
            {
                "file": files,
                "embedding": [None if row in reasons else embedding for row, embedding in enumerate(embeddings)],
                "digest": [self._model.digest] * len(files),
                "error": [reasons.get(row) for row in range(len(files))],
            },
            schema=SCHEMA,
        )
        # The same files have the same name, so a repeated task replaces its file. Readers skip names with an underscore.
        name = hashlib.sha256("\0".join(files).encode()).hexdigest()[:16]
        unfinished, finished = (f"{self._out_path}/{prefix}{name}.parquet" for prefix in ("_", "part-"))
        pq.write_table(table, unfinished, filesystem=self._out)
        self._out.move(unfinished, finished)
        return {"rows": [len(files)], "errors": [len(reasons)]}

    def _uploads(self, files: list[str], unread: dict[int, str]) -> Iterator[bytes]:
        """The bytes of the files, one after the other. A file that can't be read is noted, and is no image."""
        for row, file in enumerate(files):
            try:
                with self._images.open_input_stream(f"{self._images_path}/{file}") as stream:
                    yield stream.read()
            except OSError as error:
                unread[row] = str(error)
                yield b""


def absolute(place: str) -> str:
    """A path that is valid in every process, or the URI as it is."""
    return place if "://" in place else os.path.abspath(place)


def listed(folder: str) -> list[str]:
    """The paths of all files within a folder, sorted."""
    filesystem, path = fs.FileSystem.from_uri(folder)
    found = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    return sorted(info.path.removeprefix(f"{path}/") for info in found if info.type == fs.FileType.File)


def finished(out: str, digest: str) -> set[str]:
    """The files that have a row already. Ends the program if a row is of another model."""
    filesystem, path = fs.FileSystem.from_uri(out)
    filesystem.create_dir(path)
    rows = pq.read_table(path, columns=["file", "digest"], filesystem=filesystem, schema=SCHEMA)
    for other in pc.unique(rows["digest"]).to_pylist():
        if other != digest:
            sys.exit(f"{out} has embeddings of the model {other}, not of {digest}: name another folder")
    return set(rows["file"].to_pylist())


def main() -> None:
    parser = argparse.ArgumentParser(description="Embeds all files of a folder with Ray Data into Parquet files.")
    parser.add_argument("model", help="an ONNX file with a card; every machine of a cluster has it under this path")
    parser.add_argument("images", help="a folder that every machine can read, or a URI such as s3://bucket/images")
    parser.add_argument("out", help="a folder for the Parquet files, or a URI")
    parser.add_argument("--workers", type=int, help="the number of processes; one for each core of the cluster by default")
    parser.add_argument("--part", type=int, default=PART, help=f"the number of files in a Parquet file; {PART} by default")
    arguments = parser.parse_args()
    model, images, out = (absolute(place) for place in (arguments.model, arguments.images, arguments.out))

    digest = siamese.Model.load(model, threads=1).digest
    done = finished(out, digest)
    files = [file for file in listed(images) if file not in done]
    rows = errors = 0
    if files:
        ray.init(log_to_driver=False, logging_level="error")
        ray.data.DataContext.get_current().enable_progress_bars = False
        workers = arguments.workers or int(ray.cluster_resources()["CPU"])
        parts = ray.data.from_items(
            [{"file": file} for file in files], override_num_blocks=max(1, len(files) // arguments.part)
        )
        results = parts.map_batches(
            Embedder,
            fn_constructor_args=(model, images, out),
            batch_size=arguments.part,
            compute=ray.data.ActorPoolStrategy(size=workers),
        )
        for result in results.iter_rows():
            rows, errors = rows + result["rows"], errors + result["errors"]
    print(f"{rows} files embedded, {errors} of them with an error; {len(done)} had a row already")


if __name__ == "__main__":
    main()
