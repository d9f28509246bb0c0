#!/usr/bin/env python3
"""Stores embeddings in PostgreSQL with pgvector, and finds the stored files that show the same as an image.

Each model has a table of its own, named by its digest, and a constraint keeps embeddings of other models out. After a change of
the model there is no table until its embeddings are stored.
"""

import argparse
import itertools
import sys

import gallery
import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql

#: The most neighbours that a search returns.
MOST = 100

#: How many of the nearest rows a search in the index keeps in view.
CANDIDATES = 100


def connect(url: str) -> psycopg.Connection:
    """Connects, and adds pgvector to the database if it is missing."""
    connection = psycopg.connect(url)
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    register_vector(connection)
    connection.commit()
    return connection


def table(digest: str) -> sql.Identifier:
    """The table of a model. Its constraint holds the whole digest."""
    return sql.Identifier(f"embeddings_{digest.removeprefix('sha256:')[:16]}")


def create(connection: psycopg.Connection, digest: str, width: int) -> None:
    """Creates the table of a model, unless it exists."""
    statement = sql.SQL(
        """
        CREATE TABLE IF NOT EXISTS {table} (
            file text PRIMARY KEY,
            embedding vector({width}) NOT NULL,
            digest text NOT NULL CONSTRAINT one_model CHECK (digest = {digest})
        );
        -- Embeddings of up to some 2,000 bytes stay in the row, where a scan reads them faster.
        ALTER TABLE {table} ALTER embedding SET STORAGE PLAIN
        """
    )
    connection.execute(statement.format(table=table(digest), width=sql.Literal(width), digest=sql.Literal(digest)))


def index(connection: psycopg.Connection, digest: str) -> None:
    """Creates the index of a table, unless it exists. An index of rows that are there is faster to build than a growing one."""
    name = sql.Identifier(f"nearest_{digest.removeprefix('sha256:')[:16]}")
    statement = "CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (embedding vector_l2_ops)"
    connection.execute(sql.SQL(statement).format(name, table(digest)))


def store(connection: psycopg.Connection, parquet: str) -> int:
    """Stores the embeddings of Parquet files, all or none, and returns how many. A file that is stored already is replaced.

    Raises:
        psycopg.errors.CheckViolation: the files have embeddings of several models.
    """
    rows = gallery.rows(parquet)
    first = next(rows, None)
    if first is None:
        return 0
    with connection.transaction(), connection.cursor() as cursor:
        create(connection, first.digest, len(first.embedding))
        model_table = table(first.digest)
        cursor.execute(sql.SQL("CREATE TEMPORARY TABLE arriving ON COMMIT DROP AS TABLE {} WITH NO DATA").format(model_table))
        with cursor.copy("COPY arriving FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["text", "vector", "text"])
            for row in itertools.chain([first], rows):
                copy.write_row(row)
        insert = """
            INSERT INTO {} SELECT DISTINCT ON (file) * FROM arriving
            ON CONFLICT (file) DO UPDATE SET embedding = excluded.embedding, digest = excluded.digest
        """
        stored = cursor.execute(sql.SQL(insert).format(model_table)).rowcount
        index(connection, first.digest)
        return stored


def search(
    connection: psycopg.Connection,
    digest: str,
    embedding: np.ndarray,
    threshold: float,
    *,
    most: int = MOST,
    candidates: int = CANDIDATES,
    exact: bool = False,
) -> gallery.Found:
    """The stored files within a threshold of an embedding, `most` at most.

    The index finds nearly all of them; more `candidates`, 1,000 at most, find more and take longer. `exact` reads all rows in
    place of the index and finds each one.

    Raises:
        psycopg.errors.UndefinedTable: no embedding of this model is stored.
    """
    # The condition on the distance is outside: inside, PostgreSQL would read on in search of more rows within it.
    nearest = """
        WITH nearest AS MATERIALIZED (
            SELECT file, embedding, embedding <-> %(embedding)s AS distance FROM {}
            ORDER BY embedding <-> %(embedding)s LIMIT %(most)s
        )
        SELECT file, embedding, (SELECT max(distance) FROM nearest) > %(limit)s FROM nearest WHERE distance <= %(limit)s
    """
    with connection.transaction():
        if exact:
            connection.execute("SET LOCAL enable_indexscan = off")
        connection.execute(f"SET LOCAL hnsw.ef_search = {candidates}")
        # Without this, a search would return no more than the candidates.
        connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
        values = {"embedding": embedding, "most": most, "limit": threshold * (1 + gallery.MARGIN)}
        rows = connection.execute(sql.SQL(nearest).format(table(digest)), values).fetchall()
    files, vectors = [row[0] for row in rows], [row[1].to_numpy() for row in rows]
    # A scan of the index may also end early by `hnsw.max_scan_tuples` or `work_mem`.
    complete = all(row[2] for row in rows)
    return gallery.Found(gallery.within(embedding, files, vectors, threshold), complete)


def main() -> None:
    parser = argparse.ArgumentParser(description="Stores embeddings in PostgreSQL with pgvector, and finds neighbours.")
    commands = parser.add_subparsers(dest="command", required=True)
    storing = commands.add_parser("store", help="stores the embeddings of Parquet files")
    storing.add_argument("url", help="such as postgresql://user@host/database")
    storing.add_argument("parquet", help="the folder of the Parquet files")
    searching = commands.add_parser("search", help="finds the stored files that show the same as an image")
    searching.add_argument("url", help="such as postgresql://user@host/database")
    searching.add_argument("model", help="an ONNX file with a card, or the URL of a server")
    searching.add_argument("image")
    searching.add_argument(
        "--fmr", type=float, help="the largest false match rate; without it, the threshold of the model counts"
    )
    arguments = parser.parse_args()

    with connect(arguments.url) as connection:
        if arguments.command == "store":
            print(f"{store(connection, arguments.parquet)} embeddings stored")
            return
        card, embedding = gallery.embed(arguments.model, arguments.image)
        threshold = gallery.threshold(card, arguments.fmr)
        try:
            found = search(connection, card["digest"], embedding, threshold)
        except psycopg.errors.UndefinedTable:
            sys.exit(f"no embedding of the model {card['digest']} is stored: embed the images with it first")
    gallery.show(found)


if __name__ == "__main__":
    main()
