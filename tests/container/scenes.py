"""What happens to the replicas while they are asked, and what clients may see of it."""

import asyncio
import subprocess
import time
from dataclasses import dataclass

from load import Outcome
from replicas import ADMIN_PORT, BALANCER, REPLICAS, ROOT, STATUS_PORT, address, beside, counted, inspect, ready, remove, start
from stall import ask, stalling

# How long HAProxy sends requests to a replica that fell silent: until two checks have failed, 2.75 s, and some for a busy machine.
NOTICE = 4.0
# Longer than HAProxy's `timeout server`, so that what is in flight is told to be lost.
SILENCE = 15.0


@dataclass
class Loss:
    """What may fail: requests that were in flight on one replica when it was struck, or sent there until it was left out."""

    struck: float
    left_out: float
    kinds: tuple[str, ...]

    def covers(self, outcome: Outcome) -> bool:
        in_time = outcome.due <= self.left_out and self.struck <= outcome.due + outcome.latency
        return in_time and outcome.failure in self.kinds


# HAProxy's `maxconn`: one replica has no more requests at once.
MOST_LOST = 64
SILENT = ("504 of the balancer",)
# On a connection that was used before, HAProxy leaves it to the client to ask again, by ending it.
BROKEN = ("502 of the balancer", "connection: IncompleteReadError", "connection: ConnectionResetError")


async def rolling(model: str) -> None:
    """One replica after the other is replaced, the next once the one before is ready again."""
    for name in REPLICAS:
        await remove(name)
        await start(name, model)
        assert await ready(name), f"{name} did not become ready"
        # The balancer has to see it too.
        await asyncio.sleep(1.5)


async def restart() -> list[Loss]:
    await rolling("faces.onnx")
    return []


async def rollout() -> list[Loss]:
    await rolling("characters.onnx")
    return []


async def kill() -> list[Loss]:
    struck = time.monotonic()
    await beside("kill", "--signal", "KILL", REPLICAS[0])
    loss = Loss(struck, time.monotonic(), BROKEN)
    await asyncio.sleep(6)
    await beside("start", REPLICAS[0])
    assert await ready(REPLICAS[0])
    return [loss]


async def hang() -> list[Loss]:
    struck = time.monotonic()
    await beside("kill", "--signal", "STOP", REPLICAS[1])
    loss = Loss(struck, time.monotonic() + NOTICE, SILENT)
    await asyncio.sleep(SILENCE)
    await beside("kill", "--signal", "CONT", REPLICAS[1])
    assert await ready(REPLICAS[1])
    return [loss]


async def cut() -> list[Loss]:
    """Nothing comes from it nor goes to it, and nobody is told."""
    process = inspect(REPLICAS[2], "{{.State.Pid}}")
    link = ["nsenter", "--target", process, "--net", "ip", "link", "set", "eth0"]
    struck = time.monotonic()
    await asyncio.to_thread(subprocess.run, [*link, "down"], check=True)
    loss = Loss(struck, time.monotonic() + NOTICE, SILENT)
    await asyncio.sleep(SILENCE)
    await asyncio.to_thread(subprocess.run, [*link, "up"], check=True)
    assert await ready(REPLICAS[2])
    return [loss]


async def broken_model() -> list[Loss]:
    """A replica comes with a model that misses its golden pairs, and one is told to take such a model while it serves."""
    name = REPLICAS[0]
    await remove(name)
    await start(name, "broken.onnx")
    assert not await ready(name, within=8), "a model that fails its self-test was put into service"
    await beside("rm", "--force", name)
    await start(name)
    assert await ready(name)
    faces = ROOT / "target" / "container" / "faces.onnx"
    good, broken = faces.read_bytes(), faces.with_name("broken.onnx").read_bytes()
    faces.write_bytes(broken)
    await beside("kill", "--signal", "HUP", name)
    await asyncio.sleep(5)
    faces.write_bytes(good)
    assert await ready(name), "a refused model took the old one out of service"
    return []


async def refusal() -> list[Loss]:
    """A replica says that it is well, and accepts no connection: what is sent to it must be sent to another."""
    name, series = REPLICAS[2], "haproxy_server_redispatch_warnings_total"
    await remove(name)
    host = address(BALANCER)
    sent_on = await counted(host, STATUS_PORT, series)
    await start(name, SIAMESE_SERVER__LISTEN="0.0.0.0:8081")
    assert await ready(name)
    until = time.monotonic() + 30
    while await counted(host, STATUS_PORT, series) < sent_on + 100:
        assert time.monotonic() < until, "the replica was not asked at all"
        await asyncio.sleep(0.25)
    await remove(name)
    await start(name)
    assert await ready(name)
    return []


async def holder(request: asyncio.Task) -> str | None:
    """The replica that works on the stalling request, or none where it is answered before one was found."""
    hosts = {name: address(name) for name in REPLICAS}
    while not request.done():
        for name, host in hosts.items():
            # Images of requests with more than a pair, which the load has none of.
            if await counted(host, ADMIN_PORT, "siamese_bulk_images ") > 0:
                return name
    return None


async def stall() -> list[Loss]:
    """One replica is frozen over a request: the others must never get it."""
    losses = []
    host = address(BALANCER)
    for _ in range(20):
        request = asyncio.create_task(ask(host, 8080, stalling(host)))
        name = await holder(request)
        if name is None:
            continue
        struck = time.monotonic()
        await beside("pause", name)
        losses.append(Loss(struck, time.monotonic() + NOTICE, SILENT))
        # An answer that was on its way would be here by now.
        await asyncio.wait([request], timeout=0.5)
        if not request.done():
            break
        await beside("unpause", name)
        assert await ready(name)
    else:
        raise AssertionError("the request was always answered before its replica was frozen")
    others = {other: address(other) for other in REPLICAS if other != name}
    embedded = 'siamese_requests_total{route="/embed"'
    before = {other: await counted(at, ADMIN_PORT, embedded) for other, at in others.items()}
    while not request.done():
        for other, at in others.items():
            assert await counted(at, ADMIN_PORT, "siamese_bulk_images ") == 0, f"{other} got the request of {name}"
        await asyncio.sleep(0.1)
    assert request.result() == 504, f"the client of the frozen replica was told {request.result()}"
    for other, at in others.items():
        assert await counted(at, ADMIN_PORT, embedded) == before[other], f"{other} answered the request of {name}"
    print(f"{name} was frozen over a request, which was answered by 504; the others never got it", flush=True)
    await beside("unpause", name)
    assert await ready(name)
    at, compared = address(name), 'siamese_requests_total{route="/compare"'
    before_that = await counted(at, ADMIN_PORT, compared)
    until = time.monotonic() + 20
    while await counted(at, ADMIN_PORT, compared) < before_that + 100 or await counted(at, ADMIN_PORT, "siamese_bulk_images "):
        assert time.monotonic() < until, f"{name} gets no requests again, or goes on with the one that was given up"
        await asyncio.sleep(0.25)
    return losses


# What happens, and how many requests there are at least.
SCENES = {
    "rolling restart": (restart, 20_000),
    "rollout to another model": (rollout, 20_000),
    "failed self-test": (broken_model, 20_000),
    "one refuses connections": (refusal, 0),
    "one frozen over a request": (stall, 0),
    "SIGKILL of one": (kill, 0),
    "SIGSTOP of one (a hang)": (hang, 0),
    "network cut of one": (cut, 0),
}
