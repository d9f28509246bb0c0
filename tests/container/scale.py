#!/usr/bin/env python3
"""Measures the comparisons per second of one, two and three replicas behind HAProxy, each with a CPU quota; and of HAProxy
alone, with a small CPU quota.

The load is a closed loop: each connection sends its next request when it has the previous response. Prints a table.
"""

import argparse
import asyncio
import itertools
import statistics
import time

from load import ExpectedDistances, Load, requests
from replicas import BALANCER, NETWORK, REPLICAS, address, arguments_of, clear, docker, ready, start_balancer, write_models


async def drive(load: Load, connections: int, seconds: float) -> tuple[float, list[float]]:
    """Returns the rate per second, and all latencies in milliseconds."""
    pairs = itertools.cycle(requests(load.host))
    until = time.monotonic() + seconds
    latencies = []

    async def connection() -> None:
        while (started := time.monotonic()) < until:
            failure = await load.send(*next(pairs))
            assert failure is None, failure
            latencies.append((time.monotonic() - started) * 1e3)

    await asyncio.gather(*(connection() for _ in range(connections)))
    return len(latencies) / seconds, latencies


async def row(name: str, options: argparse.Namespace) -> None:
    """Measures, and prints one row of the table."""
    load = Load(address(BALANCER), 8080, 0.0, ExpectedDistances())
    await drive(load, options.connections, 3)
    rate, latencies = await drive(load, options.connections, options.seconds)
    percentiles = statistics.quantiles(latencies, n=100)
    print(f"| {name} | {rate:.0f} | {percentiles[49]:.1f} | {percentiles[98]:.1f} |", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpus", type=float, default=0.3, help="CPU quota of a replica, in cores")
    parser.add_argument("--balancer-cpus", type=float, default=0.02, help="CPU quota of HAProxy when its own capacity is measured")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    print("| replicas | through HAProxy, pairs/s | p50 ms | p99 ms |\n|---|---|---|---|")
    clear()
    write_models()
    docker("network", "create", NETWORK)
    try:
        start_balancer()
        for name in REPLICAS:
            run, *rest = arguments_of(name, "orl.onnx")
            # Fixed values: tuning at the start is unreliable under a CPU quota.
            fixed = ["--env", "SIAMESE_MODEL__SESSIONS=1", "--env", "SIAMESE_MODEL__THREADS=1", "--env", "SIAMESE_MODEL__MAX_BATCH=1"]
            docker(run, "--cpus", str(options.cpus), *fixed, *rest)
            assert await ready(name)
            # HAProxy's slow start ends after this time.
            await asyncio.sleep(8)
            await row(str(REPLICAS.index(name) + 1), options)
        for name in REPLICAS:
            docker("update", "--cpus", "2", name)
        docker("update", "--cpus", str(options.balancer_cpus), BALANCER)
        await row(f"3, HAProxy limited to {options.balancer_cpus} of a core", options)
    finally:
        clear()


if __name__ == "__main__":
    asyncio.run(main())
