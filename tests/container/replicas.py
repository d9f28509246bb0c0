#!/usr/bin/env python3
"""Drives three replicas behind HAProxy, all in containers, while replicas stop, crash, hang, are cut off and get another
tower, and counts what clients see.

Needs a Docker engine and root (to cut a replica's network). Prints a table, writes it and its figures into a folder, and
ends with 1 where a client saw what it must not see.
"""

import argparse
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import time

from load import Load, Truth, summary

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NETWORK = "siamese-proof"
BALANCER = "siamese-proof-haproxy"
REPLICAS = ["siamese-proof-1", "siamese-proof-2", "siamese-proof-3"]
# What a replica takes at most to stop: its lame duck and its drain.
GRACE = 40


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


async def beside(*arguments: str) -> str:
    """A docker command that the load does not wait for."""
    return await asyncio.to_thread(docker, *arguments)


def inspect(name: str, what: str) -> str:
    return docker("inspect", "--format", what, name)


def address(name: str) -> str:
    return inspect(name, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")


def arguments_of(name: str, tower: str) -> list[str]:
    """What runs a replica: read-only, without rights, and with the cache off, so that the tower runs for every request."""
    return [
        "run", "--detach", "--name", name, "--network", NETWORK, "--network-alias", "siamese",
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "1g",
        "--volume", f"{ROOT / 'target' / 'container'}:/towers:ro",
        "--env", "SIAMESE_CACHE__MAX_BYTES=0", "--env", f"SIAMESE_TOWER__PATH=/towers/{tower}",
        "siamese",
    ]


def balancer() -> None:
    """HAProxy, by the file that is shipped."""
    configuration = ROOT / "deploy" / "compose" / "haproxy.cfg"
    mount = f"{configuration}:/usr/local/etc/haproxy/haproxy.cfg:ro"
    docker("run", "--detach", "--name", BALANCER, "--network", NETWORK, "--volume", mount, "haproxy:2.6")


async def start(name: str, tower: str = "faces.onnx") -> None:
    await beside(*arguments_of(name, tower))


async def remove(name: str) -> None:
    """Stops a replica as an orchestrator does."""
    await beside("stop", "--time", str(GRACE), name)
    await beside("rm", name)


async def ready(name: str, within: float = 60.0) -> bool:
    """Whether the program's own health check says so before long."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            await beside("exec", name, "/opt/siamese/siamese", "health")
            return True
        except RuntimeError:
            await asyncio.sleep(0.25)
    return False


async def rolling(tower: str) -> None:
    """One replica after the other is replaced, the next once the one before is ready again."""
    for name in REPLICAS:
        await remove(name)
        await start(name, tower)
        assert await ready(name), f"{name} did not become ready"
        # The balancer has to see it too.
        await asyncio.sleep(1.5)


async def restart() -> None:
    await rolling("faces.onnx")


async def rollout() -> None:
    await rolling("characters.onnx")


async def kill() -> None:
    await beside("kill", "--signal", "KILL", REPLICAS[0])
    await asyncio.sleep(6)
    await beside("start", REPLICAS[0])
    assert await ready(REPLICAS[0])


async def hang() -> None:
    await beside("kill", "--signal", "STOP", REPLICAS[1])
    await asyncio.sleep(10)
    await beside("kill", "--signal", "CONT", REPLICAS[1])
    assert await ready(REPLICAS[1])


async def cut() -> None:
    """Nothing comes from it nor goes to it, and nobody is told."""
    process = inspect(REPLICAS[2], "{{.State.Pid}}")
    link = ["nsenter", "--target", process, "--net", "ip", "link", "set", "eth0"]
    await asyncio.to_thread(subprocess.run, [*link, "down"], check=True)
    await asyncio.sleep(10)
    await asyncio.to_thread(subprocess.run, [*link, "up"], check=True)
    assert await ready(REPLICAS[2])


async def broken_tower() -> None:
    """A replica comes with a tower that misses its golden pairs, and one is told to take such a tower while it serves."""
    name = REPLICAS[0]
    await remove(name)
    await start(name, "broken.onnx")
    assert not await ready(name, within=8), "a tower that fails its self-test was put into service"
    await beside("rm", "--force", name)
    await start(name)
    assert await ready(name)
    faces = ROOT / "target" / "container" / "faces.onnx"
    good, broken = faces.read_bytes(), faces.with_name("broken.onnx").read_bytes()
    faces.write_bytes(broken)
    await beside("kill", "--signal", "HUP", name)
    await asyncio.sleep(5)
    faces.write_bytes(good)
    assert await ready(name), "a refused tower took the old one out of service"


# What happens, and how many requests there are at least.
SCENES = {
    "rolling restart": (restart, 20_000),
    "rollout to another tower": (rollout, 20_000),
    "failed self-test": (broken_tower, 20_000),
    "SIGKILL of one": (kill, 0),
    "SIGSTOP of one (a hang)": (hang, 0),
    "network cut of one": (cut, 0),
}
AROUND = 10.0


def towers() -> None:
    """The towers that replicas serve, and one whose golden distances are wrong."""
    folder = ROOT / "target" / "container"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("faces.onnx", "characters.onnx"):
        (folder / name).write_bytes((ROOT / "models" / name).read_bytes())
    good = (folder / "faces.onnx").read_bytes()
    at = good.index(b'"distance":0.', good.index(b'{"tolerance"')) + len(b'"distance":0.')
    broken = good[:at] + (b"1" if good[at:at + 1] == b"9" else b"9") + good[at + 1:]
    (folder / "broken.onnx").write_bytes(broken)


def clear() -> None:
    subprocess.run(["docker", "rm", "--force", *REPLICAS, BALANCER], capture_output=True)
    subprocess.run(["docker", "network", "rm", NETWORK], capture_output=True)


async def play(name: str, rate: float, truth: Truth) -> dict:
    """One scene: the load before it, during it and after it."""
    scene, least = SCENES[name]
    load = Load(address(BALANCER), 8080, rate, truth)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(AROUND)
    begun = time.monotonic()
    await scene()
    ended = time.monotonic()
    await asyncio.sleep(max(AROUND, least / rate - AROUND - (ended - begun)))
    load.going = False
    await running
    phases = {"before": (0.0, begun), "during": (begun, ended), "after": (ended, float("inf"))}
    result = {"all": summary(load.outcomes)}
    for phase, (first, last) in phases.items():
        result[phase] = summary([it for it in load.outcomes if first <= it.due < last])
    return result


def table(results: dict) -> str:
    head = "| | requests | failures | p50 before, during, after | p99 before, during, after | longest |"
    lines = [head, "|---|---|---|---|---|---|"]
    for name, result in results.items():
        failures = ", ".join(f"{count} × {kind}" for kind, count in result["all"]["failures"].items()) or "0"
        phases = [result[phase] for phase in ("before", "during", "after")]
        at = lambda quantile: ", ".join(f"{it[quantile]:.1f}" for it in phases)
        longest = f"{result['all']['longest']:.0f}"
        lines.append(f"| {name} | {result['all']['requests']} | {failures} | {at('p50')} | {at('p99')} | {longest} |")
    return "\n".join(lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "container")
    parser.add_argument("scenes", nargs="*", help=f"of {', '.join(SCENES)}; by default all")
    options = parser.parse_args()
    clear()
    towers()
    docker("network", "create", NETWORK)
    results = {}
    try:
        for name in REPLICAS:
            await start(name)
        for name in REPLICAS:
            assert await ready(name), docker("logs", name)
        balancer()
        await asyncio.sleep(8)
        for name in options.scenes or SCENES:
            results[name] = await play(name, options.rate, Truth())
            print(name, json.dumps(results[name]), flush=True)
            for replica in REPLICAS if name == "rollout to another tower" else []:
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
    failed = [name for name, result in results.items() if result["all"]["failures"]]
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    asyncio.run(main())
