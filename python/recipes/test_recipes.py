"""Runs the recipes on the real engines: Ray, PostgreSQL with pgvector, and Qdrant."""

import os
import pathlib
import shutil
import subprocess
import sys

import gallery
import numpy as np
import postgres
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import qdrant
import ray
from conftest import SAMPLES, loaded, path
from embed_folder import SCHEMA
from made import STRICT, THRESHOLD, Identities
from qdrant_edge import EdgeShard
from server import postgresql

HERE = pathlib.Path(__file__).parent
#: The files of the folder that are no images.
BAD = {"empty.jpg", "faces/text.png"}


@pytest.fixture(scope="session")
def cluster():
    """A cluster of Ray on this machine, which the programs join by the variable `RAY_ADDRESS`."""
    for attempt in range(10):
        try:
            context = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
            break
        except Exception as error:
            # Ray gives up after 30 s, which a busy machine may need. It has no exception of its own for that.
            if attempt == 9 or "timed out" not in str(error).lower():
                raise
            ray.shutdown()
    yield context.address_info["address"]
    ray.shutdown()


def run(program: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, HERE / program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def printed(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of images, of which two are bad."""
    folder = tmp_path_factory.mktemp("images")
    shutil.copytree(SAMPLES, folder / "faces", ignore=lambda _, names: [name for name in names if not name.startswith("s")])
    (folder / "faces" / "text.png").write_text("not an image")
    (folder / "empty.jpg").touch()
    return folder


@pytest.fixture(scope="session")
def parquet(images, tmp_path_factory, cluster):
    os.environ["RAY_ADDRESS"] = cluster
    out = tmp_path_factory.mktemp("embeddings")
    count = sum(file.is_file() for file in images.rglob("*"))
    done = printed(run("embed_folder.py", path("orl"), images, out, "--part", 4))
    assert done == f"{count} files embedded, 2 of them with an error; 0 had a row already"
    return out


@pytest.fixture(scope="session")
def url():
    with postgresql() as url:
        yield url


def written(folder: pathlib.Path, embeddings: np.ndarray, digests: list[str]) -> pathlib.Path:
    """A Parquet file of made embeddings, as `embed_folder.py` writes them."""
    files = [str(row) for row in range(len(embeddings))]
    table = pa.table(
        {"file": files, "embedding": list(embeddings), "digest": digests, "error": [None] * len(files)}, schema=SCHEMA
    )
    pq.write_table(table, folder / "part-0.parquet")
    return folder


class Database:
    """One of the two databases."""

    def __init__(self, program: str, place: str) -> None:
        self.program, self.place = program, place

    def store(self, parquet: pathlib.Path) -> int:
        if self.program == "qdrant.py":
            return qdrant.store(self.place, str(parquet))
        with postgres.connect(self.place) as connection:
            return postgres.store(connection, str(parquet))

    def search(self, digest: str, embeddings: np.ndarray, threshold: float, **options: object) -> list[gallery.Found]:
        if self.program == "qdrant.py":
            shard = EdgeShard.load(str(qdrant.shard_path(self.place, digest)))
            found = [qdrant.search(shard, embedding, threshold, **options) for embedding in embeddings]
            shard.close()
            return found
        with postgres.connect(self.place) as connection:
            return [postgres.search(connection, digest, embedding, threshold, **options) for embedding in embeddings]


@pytest.fixture(params=["postgres.py", "qdrant.py"])
def database(request, tmp_path_factory):
    place = request.getfixturevalue("url") if request.param == "postgres.py" else str(tmp_path_factory.mktemp("qdrant"))
    return Database(request.param, place)


def test_each_file_has_a_row_and_a_bad_one_its_error(images, parquet):
    rows = pq.read_table(parquet).to_pylist()
    model = loaded("orl")
    assert sorted(row["file"] for row in rows) == sorted(
        str(file.relative_to(images)) for file in images.rglob("*") if file.is_file()
    )
    assert {row["file"] for row in rows if row["error"]} == BAD
    for row in rows:
        assert row["digest"] == model.digest
        if row["error"]:
            assert row["embedding"] is None
        else:
            np.testing.assert_array_equal(np.float32(row["embedding"]), model.embed(images / row["file"]))


def test_a_stopped_job_continues_with_the_files_that_have_no_row(images, parquet, tmp_path):
    out = shutil.copytree(parquet, tmp_path / "out")
    part = sorted(out.glob("part-*"))[0]
    lost = pq.read_table(part).num_rows
    # What a worker leaves that ends while it writes.
    part.rename(out / part.name.replace("part-", "_"))
    done = printed(run("embed_folder.py", path("orl"), images, out))
    assert done.startswith(f"{lost} files embedded,")
    assert sorted(pq.read_table(out)["file"].to_pylist()) == sorted(pq.read_table(parquet)["file"].to_pylist())


def test_a_folder_has_embeddings_of_one_model(images, parquet):
    done = run("embed_folder.py", path("things"), images, parquet)
    assert done.returncode == 1
    assert f"has embeddings of the model {loaded('orl').digest}" in done.stderr


@pytest.mark.parametrize("fmr", [None, 0.01, 0.1])
def test_neighbours_are_the_files_that_the_model_calls_same(database, images, parquet, fmr):
    model = loaded("orl")
    assert database.store(parquet) == sum(1 for _ in gallery.rows(str(parquet)))
    good = sorted(file for file in images.rglob("s*.*"))
    threshold = gallery.threshold(model.card, fmr)
    found = database.search(model.digest, model.embed(good), threshold)
    for image, (neighbours, complete) in zip(good, found, strict=True):
        comparisons = {str(other.relative_to(images)): model.compare(image, other, fmr=fmr) for other in good}
        assert complete
        assert {near.file for near in neighbours} == {file for file, one in comparisons.items() if one.verdict == "same"}
        for near in neighbours:
            assert near.distance == pytest.approx(comparisons[near.file].distance, abs=1e-12)


@pytest.mark.parametrize("model", ["orl", "things"])
@pytest.mark.parametrize("fmr", [0.002, 0.01, 0.05, 0.3])
def test_an_fmr_selects_the_threshold_that_the_model_selects(model, fmr):
    expected = loaded(model).compare(SAMPLES / "s5_1.jpg", SAMPLES / "s5_2.jpg", fmr=fmr).threshold
    assert gallery.threshold(loaded(model).card, fmr) == expected


def test_an_fmr_below_what_the_calibration_supports_is_refused():
    with pytest.raises(ValueError, match="does not support"):
        gallery.threshold(loaded("orl").card, 1e-6)


def test_the_command_line_searches_with_a_model_or_a_server(database, images, parquet, servers):
    assert printed(run(database.program, "store", database.place, parquet)) == "12 embeddings stored"
    image = images / "faces" / "s5_1.jpg"
    here = printed(run(database.program, "search", database.place, path("orl"), image, "--fmr", 0.01))
    assert here.splitlines()[0] == "0.000000  faces/s5_1.jpg"
    assert printed(run(database.program, "search", database.place, servers("orl"), image, "--fmr", 0.01)) == here


def test_a_search_with_another_model_says_that_its_embeddings_are_missing(database, images, parquet):
    database.store(parquet)
    done = run(database.program, "search", database.place, path("things"), images / "faces" / "s5_1.jpg")
    assert done.returncode == 1
    assert f"no embedding of the model {loaded('things').digest} is stored" in done.stderr


def test_embeddings_of_two_models_are_refused_together(database, tmp_path):
    folder = written(tmp_path, np.eye(4, dtype=np.float32), ["sha256:a1", "sha256:a1", "sha256:a1", "sha256:b2"])
    with pytest.raises((ValueError, psycopg.errors.CheckViolation), match="several models|one_model"):
        database.store(folder)


def test_a_file_that_is_stored_again_is_replaced(database, tmp_path):
    digest = "sha256:c3"
    database.store(written(tmp_path, np.eye(4, dtype=np.float32), [digest] * 4))
    database.store(written(tmp_path, np.eye(4, dtype=np.float32)[::-1], [digest] * 4))
    [found] = database.search(digest, np.eye(4, dtype=np.float32)[:1], 2.0)
    assert [near.file for near in found.neighbours][0] == "3"
    assert len(found.neighbours) == 4


def test_a_search_that_is_cut_off_says_so(database, tmp_path):
    digest = "sha256:d4"
    database.store(written(tmp_path, np.eye(4, dtype=np.float32), [digest] * 4))
    [found] = database.search(digest, np.eye(4, dtype=np.float32)[:1], 2.0, most=3)
    assert len(found.neighbours) == 3
    assert not found.complete


def test_many_embeddings_have_the_neighbours_of_brute_force(database, tmp_path):
    digest, people = "sha256:e5", Identities(600, seed=1)
    embeddings = people.images(np.repeat(np.arange(600), 10), seed=2)
    queries = people.images(np.arange(50), seed=3)
    database.store(written(tmp_path, embeddings, [digest] * len(embeddings)))
    for threshold in (STRICT, THRESHOLD):
        expected = [
            {str(row) for row in np.flatnonzero(np.linalg.norm(np.float64(embeddings) - query, axis=1) <= threshold)}
            for query in queries
        ]
        exact = database.search(digest, queries, threshold, exact=True)
        assert [{near.file for near in found.neighbours} for found in exact] == expected
        by_index = database.search(digest, queries, threshold)
        hits = sum(
            len(wanted & {near.file for near in found.neighbours}) for wanted, found in zip(expected, by_index, strict=True)
        )
        assert 0.98 * sum(map(len, expected)) <= hits
