"""The scenarios of the failure test: what happens to the replicas under load, and which failures clients may see."""

import asyncio
import subprocess
import time
from dataclasses import dataclass

from load import Outcome
from replicas import ADMIN_PORT, BALANCER, REPLICAS, ROOT, STATUS_PORT, address, docker_async, metric_sum, inspect, ready, remove, start
from stall import stalling_request, status_of

# How long HAProxy sends requests to a silent replica, in seconds: 2.75 s until two probes have failed, and a margin for a busy
# machine.
DETECTION_TIME = 4.0
# In seconds; longer than HAProxy's `timeout server`, so requests in progress are reported as lost.
SILENCE = 15.0


@dataclass
class Loss:
    """The failures that are allowed: requests in progress on the failed replica, or sent there before HAProxy noticed."""

    failed_at: float
    excluded_at: float
    kinds: tuple[str, ...]

    def covers(self, outcome: Outcome) -> bool:
        in_time = outcome.due <= self.excluded_at and self.failed_at <= outcome.due + outcome.latency
        return in_time and outcome.failure in self.kinds


# HAProxy's `maxconn`: the maximum number of requests in progress on one replica.
MOST_LOST = 64
SILENT = ("504 of the load balancer",)
# On a reused connection, HAProxy closes it instead, and the client may retry.
BROKEN = ("502 of the load balancer", "connection: IncompleteReadError", "connection: ConnectionResetError")


async def rolling(model: str) -> None:
    """Replaces one replica after the other, the next once the previous one is ready."""
    for name in REPLICAS:
        await remove(name)
        await start(name, model)
        assert await ready(name), f"{name} did not become ready"
        # HAProxy also needs time to notice.
        await asyncio.sleep(1.5)


async def restart() -> list[Loss]:
    await rolling("orl.onnx")
    return []


async def rollout() -> list[Loss]:
    await rolling("characters.onnx")
    return []


async def kill() -> list[Loss]:
    failed_at = time.monotonic()
    await docker_async("kill", "--signal", "KILL", REPLICAS[0])
    loss = Loss(failed_at, time.monotonic(), BROKEN)
    await asyncio.sleep(6)
    await docker_async("start", REPLICAS[0])
    assert await ready(REPLICAS[0])
    return [loss]


async def hang() -> list[Loss]:
    failed_at = time.monotonic()
    await docker_async("kill", "--signal", "STOP", REPLICAS[1])
    loss = Loss(failed_at, time.monotonic() + DETECTION_TIME, SILENT)
    await asyncio.sleep(SILENCE)
    await docker_async("kill", "--signal", "CONT", REPLICAS[1])
    assert await ready(REPLICAS[1])
    return [loss]


async def network_failure() -> list[Loss]:
    """Cuts the network of a replica, without any notice to HAProxy."""
    process = inspect(REPLICAS[2], "{{.State.Pid}}")
    link = ["nsenter", "--target", process, "--net", "ip", "link", "set", "eth0"]
    failed_at = time.monotonic()
    await asyncio.to_thread(subprocess.run, [*link, "down"], check=True)
    loss = Loss(failed_at, time.monotonic() + DETECTION_TIME, SILENT)
    await asyncio.sleep(SILENCE)
    await asyncio.to_thread(subprocess.run, [*link, "up"], check=True)
    assert await ready(REPLICAS[2])
    return [loss]


async def broken_model() -> list[Loss]:
    """Starts a replica with a model that fails its golden pairs, and makes another replica swap to such a model."""
    name = REPLICAS[0]
    await remove(name)
    await start(name, "broken.onnx")
    assert not await ready(name, within=8), "a model that fails its self-test is in service"
    await docker_async("rm", "--force", name)
    await start(name)
    assert await ready(name)
    model = ROOT / "target" / "container" / "orl.onnx"
    good, broken = model.read_bytes(), model.with_name("broken.onnx").read_bytes()
    model.write_bytes(broken)
    await docker_async("kill", "--signal", "HUP", name)
    await asyncio.sleep(5)
    model.write_bytes(good)
    assert await ready(name), "the refused model replaced the old one"
    return []


async def refusal() -> list[Loss]:
    """A replica reports that it is ready but refuses connections. HAProxy must send its requests to another replica."""
    name, series = REPLICAS[2], "haproxy_server_redispatch_warnings_total"
    await remove(name)
    host = address(BALANCER)
    redispatched = await metric_sum(host, STATUS_PORT, series)
    await start(name, SIAMESE_SERVER__LISTEN="0.0.0.0:8081")
    assert await ready(name)
    until = time.monotonic() + 30
    while await metric_sum(host, STATUS_PORT, series) < redispatched + 100:
        assert time.monotonic() < until, "HAProxy sent nothing to the replica"
        await asyncio.sleep(0.25)
    await remove(name)
    await start(name)
    assert await ready(name)
    return []


async def find_replica(request: asyncio.Task) -> str | None:
    """The replica that processes the stalling request, or `None` if the response came first."""
    hosts = {name: address(name) for name in REPLICAS}
    while not request.done():
        for name, host in hosts.items():
            # This counts images of requests with more than a pair. The load sends no such requests.
            if await metric_sum(host, ADMIN_PORT, "siamese_bulk_images{") > 0:
                return name
    return None


async def stall() -> list[Loss]:
    """Freezes a replica during a request. The other replicas must never get that request."""
    losses = []
    host = address(BALANCER)
    for _ in range(20):
        request = asyncio.create_task(status_of(host, 8080, stalling_request(host)))
        name = await find_replica(request)
        if name is None:
            continue
        failed_at = time.monotonic()
        await docker_async("pause", name)
        losses.append(Loss(failed_at, time.monotonic() + DETECTION_TIME, SILENT))
        # A response that was already sent arrives within this time.
        await asyncio.wait([request], timeout=0.5)
        if not request.done():
            break
        await docker_async("unpause", name)
        assert await ready(name)
    else:
        raise AssertionError("the response always came before the replica was frozen")
    others = {other: address(other) for other in REPLICAS if other != name}
    embedded = 'siamese_requests_total{route="/embed"'
    before = {other: await metric_sum(host, ADMIN_PORT, embedded) for other, host in others.items()}
    while not request.done():
        for other, host in others.items():
            assert await metric_sum(host, ADMIN_PORT, "siamese_bulk_images{") == 0, f"{other} got the request of {name}"
        await asyncio.sleep(0.1)
    assert request.result() == 504, f"the client of the frozen replica got {request.result()}"
    for other, host in others.items():
        assert await metric_sum(host, ADMIN_PORT, embedded) == before[other], f"{other} processed the request of {name}"
    print(f"{name} was frozen during a request; the client got a 504, and the other replicas never got the request", flush=True)
    await docker_async("unpause", name)
    assert await ready(name)
    host, compared = address(name), 'siamese_requests_total{route="/compare"'
    resumed_at = await metric_sum(host, ADMIN_PORT, compared)
    until = time.monotonic() + 20
    while await metric_sum(host, ADMIN_PORT, compared) < resumed_at + 100 or await metric_sum(host, ADMIN_PORT, "siamese_bulk_images{"):
        assert time.monotonic() < until, f"{name} gets no requests, or still processes the abandoned one"
        await asyncio.sleep(0.25)
    return losses


# Each scenario, and the minimum number of requests.
SCENARIOS = {
    "rolling restart": (restart, 20_000),
    "rollout of another model": (rollout, 20_000),
    "failed self-test": (broken_model, 20_000),
    "refused connections": (refusal, 0),
    "freeze during a request": (stall, 0),
    "crash (SIGKILL)": (kill, 0),
    "hang (SIGSTOP)": (hang, 0),
    "network failure": (network_failure, 0),
}
