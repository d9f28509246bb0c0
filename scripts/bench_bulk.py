#!/usr/bin/env python3
"""Measures how much batch requests slow down single comparisons.

The script starts the release build of the server. It sends single pairs at a constant rate, each at its due time. It sends
them alone, and then beside clients that send one full `/compare/batch` after the other, with new images only. Prints a table.
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

from load import FACES, ExpectedDistances, Load, summary  # noqa: E402

# server.max_pairs.
PAIRS = 256
BOUNDARY = b"between-the-parts"


def batch_request(host: str, generator: random.Random) -> bytes:
    """Compares one face with 256 others. A random comment in each file makes it new to the server."""
    image = (FACES / "s5_1.jpg").read_bytes()
    other = (FACES / "s1_1.jpg").read_bytes()
    parts = [("a", image)]
    for _ in range(PAIRS):
        comment = b"\xff\xfe\x00\x12" + generator.randbytes(16)
        parts.append(("b", other[:2] + comment + other[2:]))
    body = b"".join(
        b'--%s\r\ncontent-disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n' % (BOUNDARY, name.encode(), content)
        for name, content in parts
    ) + b"--%s--\r\n" % BOUNDARY
    head = (
        f"POST /compare/batch HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n"
        f"content-type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    )
    return head.encode() + body


async def stream(host: str, port: int, seed: int, running: list[bool]) -> int:
    """Sends batch requests one after the other and returns the number of pairs compared."""
    reader, writer = await asyncio.open_connection(host, port)
    generator, compared = random.Random(seed), 0
    while running[0]:
        writer.write(batch_request(host, generator))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        compared += len(json.loads(await reader.readexactly(length))["results"])
    writer.close()
    return compared


async def measure(port: int, rate: float, seconds: float, streams: int) -> tuple[dict, float]:
    load, running = Load("127.0.0.1", port, rate, ExpectedDistances()), [True]
    others = [asyncio.create_task(stream("127.0.0.1", port, seed, running)) for seed in range(streams)]
    await asyncio.sleep(1)
    singles = asyncio.create_task(load.run())
    await asyncio.sleep(seconds)
    load.running = False
    await singles
    running[0] = False
    pairs = sum(await asyncio.gather(*others))
    return summary(load.outcomes), pairs / (seconds + 1)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=50.0, help="single pairs per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--streams", type=int, default=2)
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked", "--bin", "siamese"], check=True, cwd=ROOT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RUST_LOG": "error", "SIAMESE_CACHE__MAX_BYTES": "0", "SIAMESE_MODEL__DEVICE": "cpu"}
    command = [TARGET / "release" / "siamese", "serve", "--model", "models/orl.onnx", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        print("| load beside them | single pairs | failures | p50 ms | p99 ms | ratio of p99 | batch pairs/s |\n|---|---|---|---|---|---|---|")
        before = None
        # In turn, so a machine that slows down affects both.
        for streams in (0, options.streams) * 2:
            measured, pairs = await measure(port, options.rate, options.seconds, streams)
            failures = ", ".join(f"{count} × {kind}" for kind, count in measured["failures"].items()) or "0"
            ratio = f"{measured['p99'] / before:.1f}" if streams else ""
            before = before if streams else measured["p99"]
            beside = f"{streams} streams of {PAIRS} pairs" if streams else "none"
            print(f"| {beside} | {measured['requests']} | {failures} | {measured['p50']:.1f} | {measured['p99']:.1f} | {ratio} | {pairs:.0f} |", flush=True)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    asyncio.run(main())
