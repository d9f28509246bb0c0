#!/usr/bin/env python3
"""Drives three replicas behind HAProxy, all in containers, while replicas stop, crash, hang, refuse, are cut off and get
another model, and counts what clients see.

Needs a Docker engine and root (to cut a replica's network). Prints a table, writes it and its figures into a folder, and
ends with 1 where a client saw what it must not see.
"""

import argparse
import asyncio
import json
import os
import pathlib
import sys
import time

from load import Load, Truth, summary
from replicas import BALANCER, NETWORK, REPLICAS, ROOT, address, balancer, clear, docker, inspect, ready, remove, start, models
from scenes import MOST_LOST, SCENES
from stall import ask

AROUND = 10.0


async def play(name: str, rate: float, truth: Truth) -> dict:
    """One scene: the load before it, during it and after it."""
    scene, least = SCENES[name]
    load = Load(address(BALANCER), 8080, rate, truth)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(AROUND)
    begun = time.monotonic()
    losses = await scene()
    ended = time.monotonic()
    await asyncio.sleep(max(AROUND, least / rate - AROUND - (ended - begun)))
    load.going = False
    await running
    phases = {"before": (0.0, begun), "during": (begun, ended), "after": (ended, float("inf"))}
    result = {"all": summary(load.outcomes)}
    lost = [it for it in load.outcomes if it.failure and any(loss.covers(it) for loss in losses)]
    failed = [it for it in load.outcomes if it.failure and it not in lost]
    result["lost"], result["failed"] = len(lost), len(failed)
    result["passed"] = not failed and len(lost) <= MOST_LOST
    for phase, (first, last) in phases.items():
        result[phase] = summary([it for it in load.outcomes if first <= it.due < last])
    return result


async def doors() -> None:
    """What the image promises of its two ports: metrics are not behind the balancer, and Docker's own check finds it well."""
    host = address(BALANCER)
    for path, expected in {"/readyz": 200, "/metrics": 404}.items():
        request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        status = await ask(host, 8080, request.encode())
        assert status == expected, f"{path} is answered by {status} through the balancer"
    for name in REPLICAS:
        assert inspect(name, "{{.State.Health.Status}}") == "healthy", f"the image's HEALTHCHECK does not find {name} well"


def table(results: dict) -> str:
    head = "| | requests | failures | of these in flight on the one struck | p50 before, during, after | p99 before, during, after | longest |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for name, result in results.items():
        failures = ", ".join(f"{count} × {kind}" for kind, count in result["all"]["failures"].items()) or "0"
        phases = [result[phase] for phase in ("before", "during", "after")]
        at = lambda quantile: ", ".join(f"{it[quantile]:.1f}" for it in phases)
        longest = f"{result['all']['longest']:.0f}"
        counts = f"{result['all']['requests']} | {failures} | {result['lost']}"
        lines.append(f"| {name} | {counts} | {at('p50')} | {at('p99')} | {longest} |")
    return "\n".join(lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "container")
    parser.add_argument("scenes", nargs="*", help=f"of {', '.join(SCENES)}; by default all")
    options = parser.parse_args()
    clear()
    models()
    docker("network", "create", NETWORK)
    results = {}
    try:
        for name in REPLICAS:
            await start(name)
        for name in REPLICAS:
            assert await ready(name), docker("logs", name)
        balancer()
        await asyncio.sleep(8)
        await doors()
        for name in options.scenes or SCENES:
            results[name] = await play(name, options.rate, Truth())
            print(name, json.dumps(results[name]), flush=True)
            for replica in REPLICAS if name == "rollout to another model" else []:
                await remove(replica)
                await start(replica)
                assert await ready(replica)
            await asyncio.sleep(3)
    finally:
        if os.environ.get("KEEP") is None:
            clear()
    text = table(results)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "proof.md").write_text(text + "\n")
    (options.out / "proof.json").write_text(json.dumps(results, indent=2) + "\n")
    print(text)
    failed = [name for name, result in results.items() if not result["passed"]]
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    asyncio.run(main())
