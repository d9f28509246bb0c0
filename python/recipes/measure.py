#!/usr/bin/env python3
"""Measures searches among made embeddings: numpy, PostgreSQL with pgvector, and Qdrant. docs/scaling.md has the figures.

One client sends one query after the other. A query is a new image of a stored identity. The latency of a database includes the
transfer of the candidates and the exact distances.
"""

import argparse
import os
import pathlib
import tempfile
import time
from collections.abc import Callable

import gallery
import numpy as np
import postgres
import pyarrow as pa
import pyarrow.parquet as pq
import qdrant
from embed_folder import SCHEMA
from made import IMAGES_PER_IDENTITY, STRICT, THRESHOLD, Identities
from qdrant_edge import EdgeShard
from server import postgresql

DIGEST = "sha256:made"
#: Settings of the server: memory for the whole index, and both cores build it.
SETTINGS = {
    "shared_buffers": "3GB",
    "maintenance_work_mem": "3GB",
    "max_wal_size": "8GB",
    "max_parallel_maintenance_workers": "1",
}


def write(embeddings: np.ndarray, folder: str) -> None:
    """Writes Parquet files as `embed_folder.py` does."""
    for begin in range(0, len(embeddings), 100_000):
        part = embeddings[begin : begin + 100_000]
        files = [str(row) for row in range(begin, begin + len(part))]
        lists = pa.ListArray.from_arrays(np.arange(len(part) + 1, dtype=np.int32) * part.shape[1], part.ravel())
        columns = {"file": files, "embedding": lists, "digest": [DIGEST] * len(part), "error": pa.nulls(len(part), pa.string())}
        pq.write_table(pa.table(columns, schema=SCHEMA), f"{folder}/part-{begin:09}.parquet")


def brute_force(embeddings: np.ndarray, queries: np.ndarray, limits: list[float]) -> tuple[list[set], dict[float, list[set]]]:
    """For each query: the ten nearest, and all within each limit, by exact distances."""
    squares = np.square(embeddings).sum(axis=1)
    nearest, within = [], {limit: [] for limit in limits}
    for query in queries:
        products = squares - 2 * (embeddings @ query) + query @ query
        rows = np.union1d(np.argpartition(products, 20)[:20], np.flatnonzero(products <= np.square(max(limits)) + 1e-3))
        distances = np.linalg.norm(embeddings[rows].astype(np.float64) - query.astype(np.float64), axis=1)
        nearest.append({str(row) for row in rows[np.argsort(distances)[:10]]})
        for limit in limits:
            within[limit].append({str(row) for row in rows[distances <= limit]})
    return nearest, within


def by_product(embeddings: np.ndarray, squares: np.ndarray, query: np.ndarray, limit: float) -> list[gallery.Neighbour]:
    """A search by numpy: one product finds the candidates."""
    distances = np.maximum(squares - 2 * (embeddings @ query) + query @ query, 0)
    # The product is less exact than the difference.
    rows = np.flatnonzero(distances <= np.square(limit) + 1e-4)
    return gallery.within(query, [str(row) for row in rows], embeddings[rows], limit)


def latencies(
    search: Callable[[np.ndarray], object], queries: np.ndarray, cpu: Callable[[], float] = time.process_time
) -> tuple[str, list]:
    """The median, the 99th percentile and the CPU time of a query in milliseconds, and the results.

    `cpu` gives the CPU time spent so far, in seconds. Unlike a latency, it hardly depends on other programs.
    """
    search(queries[0])
    times, results = [], []
    spent = cpu()
    for query in queries:
        begun = time.perf_counter()
        results.append(search(query))
        times.append(time.perf_counter() - begun)
    spent = (cpu() - spent) / len(queries) * 1000
    p50, p99 = np.percentile(times, [50, 99]) * 1000
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {spent:.2f} ms, {len(queries)} queries", results


def cpu_with(process: int) -> float:
    """The CPU time of this process and of another one, in seconds."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def recall(expected: list[set], results: list[gallery.Found]) -> str:
    """The share of the expected files that were found."""
    found = sum(len(files & {near.file for near in one.neighbours}) for files, one in zip(expected, results, strict=False))
    return f"{found / sum(len(files) for files in expected[: len(results)]):.4f}"


def timed(name: str, work: Callable[[], object]) -> object:
    begun = time.perf_counter()
    result = work()
    print(f"{name}: {time.perf_counter() - begun:.1f} s", flush=True)
    return result


def sweep(
    name: str,
    search: Callable[..., gallery.Found],
    queries: np.ndarray,
    truth: tuple,
    cpu: Callable[[], float] = time.process_time,
) -> None:
    """Prints recall and latency of the ten nearest, of all within the strict threshold, and of all within the other one."""
    nearest, within = truth
    for candidates in (10, 40, 100, 200, 400):
        line, results = latencies(lambda query: search(query, 10.0, 10, candidates), queries, cpu)
        print(f"{name}, 10 nearest, {candidates} candidates: recall {recall(nearest, results)}, {line}", flush=True)
    for limit, most, count in ((STRICT, 100, 300), (STRICT, 400, 300), (THRESHOLD, 1000, 50), (THRESHOLD, 10_000, 50)):
        line, results = latencies(lambda query: search(query, limit, most, min(most, 1000)), queries[:count], cpu)
        cut = sum(not found.complete for found in results)
        print(
            f"{name}, within {limit}, at most {most}: recall {recall(within[limit], results)}, {cut} cut off, {line}",
            flush=True,
        )


def measure_postgresql(url: str, folder: str, queries: np.ndarray, truth: tuple) -> None:
    with postgres.connect(url) as connection:
        timed("PostgreSQL, store and index", lambda: postgres.store(connection, folder))
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
        sizes = "SELECT relname, pg_size_pretty(pg_relation_size(oid)) FROM pg_class WHERE relname ~ '^(embeddings|nearest)'"
        versions = "SELECT version(), extversion FROM pg_extension WHERE extname = 'vector'"
        print(connection.execute(sizes).fetchall(), connection.execute(versions).fetchone())

        def search(query: np.ndarray, limit: float, most: int, candidates: int) -> gallery.Found:
            return postgres.search(connection, DIGEST, query, limit, most=most, candidates=candidates)

        def cpu() -> float:
            return cpu_with(connection.info.backend_pid)

        sweep("PostgreSQL", search, queries, truth, cpu)
        line, results = latencies(
            lambda query: postgres.search(connection, DIGEST, query, STRICT, exact=True), queries[:20], cpu
        )
        print(f"PostgreSQL, all rows, within {STRICT}: recall {recall(truth[1][STRICT], results)}, {line}", flush=True)


def measure_qdrant(place: str, folder: str, queries: np.ndarray, truth: tuple) -> None:
    timed("Qdrant, store and index", lambda: qdrant.store(place, folder))
    path = qdrant.shard_path(place, DIGEST)
    print(f"Qdrant: {sum(file.stat().st_size for file in path.rglob('*') if file.is_file()) / 1e6:.0f} MB in its folder")
    shard = timed("Qdrant, load", lambda: EdgeShard.load(str(path)))

    def search(query: np.ndarray, limit: float, most: int, candidates: int) -> gallery.Found:
        return qdrant.search(shard, query, limit, most=most, candidates=candidates)

    sweep("Qdrant", search, queries, truth)
    line, results = latencies(lambda query: qdrant.search(shard, query, STRICT, exact=True), queries[:20])
    print(f"Qdrant, all points, within {STRICT}: recall {recall(truth[1][STRICT], results)}, {line}", flush=True)
    shard.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures searches among made embeddings.")
    parser.add_argument("--count", type=int, default=1_000_000, help="the number of stored embeddings")
    parser.add_argument("--only", choices=["numpy", "postgresql", "qdrant"], help="measures only this")
    arguments = parser.parse_args()
    identities = arguments.count // IMAGES_PER_IDENTITY
    people = Identities(identities, seed=1)
    embeddings = people.images(np.repeat(np.arange(identities), IMAGES_PER_IDENTITY), seed=2)
    queries = people.images(np.random.default_rng(3).integers(0, identities, 300), seed=4)
    print(f"{len(embeddings)} embeddings of {identities} identities")
    truth = brute_force(embeddings, queries, [STRICT, THRESHOLD])
    for limit, files in truth[1].items():
        print(f"within {limit}: {np.mean(list(map(len, files))):.1f} in the mean")

    if arguments.only in (None, "numpy"):
        for count in sorted({min(count, len(embeddings)) for count in (10_000, 100_000, len(embeddings))}):
            part = np.ascontiguousarray(embeddings[:count])
            squares = np.square(part).sum(axis=1)
            line, _ = latencies(lambda query: by_product(part, squares, query, STRICT), queries[:200])  # noqa: B023
            print(f"numpy, {count} embeddings, within {STRICT}: {line}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write(embeddings, folder)
        if arguments.only in (None, "postgresql"):
            with postgresql(**SETTINGS) as url:
                measure_postgresql(url, folder, queries, truth)
        if arguments.only in (None, "qdrant"):
            with tempfile.TemporaryDirectory() as place:
                measure_qdrant(place, folder, queries, truth)


if __name__ == "__main__":
    main()
