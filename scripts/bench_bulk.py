#!/usr/bin/env python3
"""How much longer single comparisons take beside streams of full bulk requests.

Starts the release build of the server, asks it for single pairs at a steady rate, each at its due time, first alone and then beside
clients that send `/compare/batch` after `/compare/batch` with as many pairs as are allowed, all of images never seen
before. Prints a table.
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
sys.path.append(str(ROOT / "tests" / "container"))

from load import FACES, Load, Truth, summary  # noqa: E402

# As many as server.max_pairs lets through.
PAIRS = 256
BOUNDARY = b"between-the-parts"


def bulk(host: str, chance: random.Random) -> bytes:
    """One face against 256 that differ from all before in a comment within their file."""
    image = (FACES / "s5_1.jpg").read_bytes()
    other = (FACES / "s1_1.jpg").read_bytes()
    parts = [("a", image)]
    for _ in range(PAIRS):
        comment = b"\xff\xfe\x00\x12" + chance.randbytes(16)
        parts.append(("b", other[:2] + comment + other[2:]))
    body = b"".join(
        b'--%s\r\ncontent-disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % (BOUNDARY, name.encode(), it)
        for name, it in parts
    ) + b"--%s--\r\n" % BOUNDARY
    head = (
        f"POST /compare/batch HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    )
    return head.encode() + body


async def stream(host: str, port: int, seed: int, going: list[bool]) -> int:
    """Sends bulk requests one after the other; how many pairs were answered."""
    reader, writer = await asyncio.open_connection(host, port)
    chance, done = random.Random(seed), 0
    while going[0]:
        writer.write(bulk(host, chance))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        done += len(json.loads(await reader.readexactly(length))["results"])
    writer.close()
    return done


async def measure(port: int, rate: float, seconds: float, streams: int) -> tuple[dict, float]:
    load, going = Load("127.0.0.1", port, rate, Truth()), [True]
    others = [asyncio.create_task(stream("127.0.0.1", port, at, going)) for at in range(streams)]
    await asyncio.sleep(1)
    singles = asyncio.create_task(load.run())
    await asyncio.sleep(seconds)
    load.going = False
    await singles
    going[0] = False
    pairs = sum(await asyncio.gather(*others))
    return summary(load.outcomes), pairs / (seconds + 1)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=50.0, help="single pairs a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--streams", type=int, default=2)
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "--bin", "siamese"], check=True, cwd=ROOT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RUST_LOG": "error", "SIAMESE_CACHE__MAX_BYTES": "0", "SIAMESE_MODEL__DEVICE": "cpu"}
    command = [TARGET / "release" / "siamese", "serve", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        print("| beside | single pairs | failures | p50 ms | p99 ms | ratio of p99 | bulk pairs a second |\n|---|---|---|---|---|---|---|")
        before = None
        # In turn, so that a machine that slows down slows both.
        for streams in (0, options.streams) * 2:
            found, pairs = await measure(port, options.rate, options.seconds, streams)
            failures = ", ".join(f"{count} × {kind}" for kind, count in found["failures"].items()) or "0"
            ratio = f"{found['p99'] / before:.1f}" if streams else ""
            before = before if streams else found["p99"]
            beside = f"{streams} streams of {PAIRS} pairs" if streams else "nothing"
            print(f"| {beside} | {found['requests']} | {failures} | {found['p50']:.1f} | {found['p99']:.1f} | {ratio} | {pairs:.0f} |", flush=True)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    asyncio.run(main())
