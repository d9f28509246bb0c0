#!/usr/bin/env python3
"""How many comparisons a second one, two and three replicas do behind HAProxy, each with a given share of a core; and how
many the balancer itself lets through with a small share of one.

A closed loop: so many connections ask as fast as they are answered. Prints a table.
"""

import argparse
import asyncio
import itertools
import statistics
import time

from load import Load, Truth, requests
from replicas import BALANCER, NETWORK, REPLICAS, address, arguments_of, balancer, clear, docker, ready, models


async def drive(load: Load, connections: int, seconds: float) -> tuple[float, list[float]]:
    """The rate, and all latencies in milliseconds."""
    pairs = itertools.cycle(requests(load.host))
    until = time.monotonic() + seconds
    latencies = []

    async def one() -> None:
        while (begun := time.monotonic()) < until:
            failure = await load.ask(*next(pairs))
            assert failure is None, failure
            latencies.append((time.monotonic() - begun) * 1e3)

    await asyncio.gather(*(one() for _ in range(connections)))
    return len(latencies) / seconds, latencies


async def row(name: str, options: argparse.Namespace) -> None:
    """Measures, and prints a row of the table."""
    load = Load(address(BALANCER), 8080, 0.0, Truth())
    await drive(load, options.connections, 3)
    rate, latencies = await drive(load, options.connections, options.seconds)
    at = statistics.quantiles(latencies, n=100)
    print(f"| {name} | {rate:.0f} | {at[49]:.1f} | {at[98]:.1f} |", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpus", type=float, default=0.3, help="a replica's share of a core")
    parser.add_argument("--balancer-cpus", type=float, default=0.02, help="the balancer's, where its own limit is looked for")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    print("| replicas | through HAProxy, pairs a second | p50 ms | p99 ms |\n|---|---|---|---|")
    clear()
    models()
    docker("network", "create", NETWORK)
    try:
        balancer()
        for name in REPLICAS:
            run, *rest = arguments_of(name, "faces.onnx")
            # What it runs with is said, as a start's trial under a share of a core tells little.
            fixed = ["--env", "SIAMESE_MODEL__SESSIONS=1", "--env", "SIAMESE_MODEL__THREADS=1", "--env", "SIAMESE_MODEL__LARGEST_BATCH=1"]
            docker(run, "--cpus", str(options.cpus), *fixed, *rest)
            assert await ready(name)
            # Until the balancer gives it its whole share.
            await asyncio.sleep(8)
            await row(str(REPLICAS.index(name) + 1), options)
        for name in REPLICAS:
            docker("update", "--cpus", "2", name)
        docker("update", "--cpus", str(options.balancer_cpus), BALANCER)
        await row(f"3, and HAProxy held to {options.balancer_cpus} of a core", options)
    finally:
        clear()


if __name__ == "__main__":
    asyncio.run(main())
