#!/usr/bin/env python3
"""Sends load to three replicas behind HAProxy while replicas restart, crash, hang, refuse connections and lose their network.

All programs run in containers. The test counts the failures that clients see. It needs a Docker engine and root, to cut a
replica's network. It prints a table and writes it to a folder. It exits with 1 if a client saw a failure that is not allowed.
"""

import argparse
import asyncio
import json
import os
import pathlib
import sys
import time

from load import ExpectedDistances, Load, summary
from replicas import BALANCER, NETWORK, REPLICAS, ROOT, address, clear, docker, inspect, ready, remove, start, start_balancer, write_models
from scenarios import MOST_LOST, SCENARIOS
from stall import status_of

# Load before and after each scenario, in seconds.
AROUND = 10.0


async def run_scenario(name: str, rate: float, expected: ExpectedDistances) -> dict:
    """Runs one scenario, with load before, during and after it."""
    scenario, minimum = SCENARIOS[name]
    load = Load(address(BALANCER), 8080, rate, expected)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(AROUND)
    started = time.monotonic()
    losses = await scenario()
    ended = time.monotonic()
    await asyncio.sleep(max(AROUND, minimum / rate - AROUND - (ended - started)))
    load.running = False
    await running
    phases = {"before": (0.0, started), "during": (started, ended), "after": (ended, float("inf"))}
    result = {"all": summary(load.outcomes)}
    lost = [outcome for outcome in load.outcomes if outcome.failure and any(loss.covers(outcome) for loss in losses)]
    failed = [outcome for outcome in load.outcomes if outcome.failure and outcome not in lost]
    result["lost"], result["failed"] = len(lost), len(failed)
    result["passed"] = not failed and len(lost) <= MOST_LOST
    for phase, (first, last) in phases.items():
        result[phase] = summary([outcome for outcome in load.outcomes if first <= outcome.due < last])
    return result


async def check_ports() -> None:
    """Checks that metrics are not reachable through the load balancer, and that the image's HEALTHCHECK succeeds."""
    host = address(BALANCER)
    for path, expected in {"/readyz": 200, "/metrics": 404}.items():
        request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        status = await status_of(host, 8080, request.encode())
        assert status == expected, f"{path} responds with {status} through the load balancer"
    for name in REPLICAS:
        assert inspect(name, "{{.State.Health.Status}}") == "healthy", f"the HEALTHCHECK of the image fails for {name}"


def table(results: dict) -> str:
    head = (
        "| scenario | requests | failures | of these in progress on the affected replica "
        "| p50 ms before, during, after | p99 ms before, during, after | maximum ms |"
    )
    lines = [head, "|---|---|---|---|---|---|---|"]
    for name, result in results.items():
        failures = ", ".join(f"{count} × {kind}" for kind, count in result["all"]["failures"].items()) or "0"
        phases = [result[phase] for phase in ("before", "during", "after")]
        by_phase = lambda quantile: ", ".join(f"{phase[quantile]:.1f}" for phase in phases)
        longest = f"{result['all']['longest']:.0f}"
        counts = f"{result['all']['requests']} | {failures} | {result['lost']}"
        lines.append(f"| {name} | {counts} | {by_phase('p50')} | {by_phase('p99')} | {longest} |")
    return "\n".join(lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "container")
    parser.add_argument("scenarios", nargs="*", help=f"some of: {', '.join(SCENARIOS)}; default: all")
    options = parser.parse_args()
    clear()
    write_models()
    docker("network", "create", NETWORK)
    results = {}
    try:
        for name in REPLICAS:
            await start(name)
        for name in REPLICAS:
            assert await ready(name), docker("logs", name)
        start_balancer()
        await asyncio.sleep(8)
        await check_ports()
        for name in options.scenarios or SCENARIOS:
            results[name] = await run_scenario(name, options.rate, ExpectedDistances())
            print(name, json.dumps(results[name]), flush=True)
            for replica in REPLICAS if name == "rollout of another model" else []:
                await remove(replica)
                await start(replica)
                assert await ready(replica)
            await asyncio.sleep(3)
    finally:
        if os.environ.get("KEEP") is None:
            clear()
    text = table(results)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "failure_test.md").write_text(text + "\n")
    (options.out / "failure_test.json").write_text(json.dumps(results, indent=2) + "\n")
    print(text)
    failed = [name for name, result in results.items() if not result["passed"]]
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    asyncio.run(main())
