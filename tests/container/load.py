"""An open-loop load of real images: each request is sent at its due time, whatever happened to earlier ones."""

import asyncio
import collections
import itertools
import json
import pathlib
import statistics
import time
from dataclasses import dataclass, field

FACES = pathlib.Path(__file__).resolve().parent.parent.parent / "samples"
BOUNDARY = b"between-the-parts"
# How long a client waits for a response, in seconds.
CLIENT_TIMEOUT = 15.0


@dataclass
class Outcome:
    """The result of a request: its due time, its latency from then, and its failure if it failed."""

    due: float
    latency: float
    failure: str | None


@dataclass
class ExpectedDistances:
    """The distance of each pair by each model. The first response for a pair sets what all later ones must match."""

    known: dict = field(default_factory=dict)

    def check(self, pair: str, comparison: dict) -> str | None:
        key = (comparison["model"]["digest"], pair)
        distance = self.known.setdefault(key, comparison["distance"])
        return None if abs(distance - comparison["distance"]) < 1e-4 else "wrong distance"


def requests(host: str) -> list[tuple[str, bytes]]:
    """Makes a request for every pair of the sample faces."""
    made = []
    for a, b in itertools.combinations(sorted(FACES.glob("*.jpg")), 2):
        parts = []
        for name, image in (("a", a), ("b", b)):
            disposition = f'content-disposition: form-data; name="{name}"; filename="{image.name}"'
            parts.append(b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY, disposition.encode(), image.read_bytes()))
        body = b"".join(parts) + b"--%s--\r\n" % BOUNDARY
        head = (
            f"POST /compare HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n"
            f"content-type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
        )
        made.append((f"{a.stem}, {b.stem}", head.encode() + body))
    return made


class Load:
    """A constant rate of requests to one address, until `running` is false."""

    def __init__(self, host: str, port: int, rate: float, expected: ExpectedDistances):
        self.host, self.port, self.rate, self.expected = host, port, rate, expected
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.outcomes: list[Outcome] = []
        self.running = True

    async def run(self) -> None:
        started = time.monotonic()
        pending = set()
        for number, request in enumerate(itertools.cycle(requests(self.host))):
            due = started + number / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not self.running:
                break
            task = asyncio.create_task(self.one(due, *request))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        for _, writer in self.idle:
            writer.close()

    async def one(self, due: float, pair: str, request: bytes) -> None:
        try:
            failure = await asyncio.wait_for(self.send(pair, request), CLIENT_TIMEOUT)
        except asyncio.TimeoutError:
            failure = "no response in time"
        except (OSError, asyncio.IncompleteReadError, ValueError) as err:
            failure = f"connection: {type(err).__name__}"
        self.outcomes.append(Outcome(due, time.monotonic() - due, failure))

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The most recently used idle connection that is still open, as in any client's pool; otherwise a new one."""
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port)

    async def send(self, pair: str, request: bytes) -> str | None:
        reader, writer = await self.connection()
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in head:
            writer.close()
        else:
            self.idle.append((reader, writer))
        status = int(head[9:12])
        if status == 200:
            return self.expected.check(pair, json.loads(body))
        # Each response of a server has a request ID. The load balancer's own errors have none.
        code = json.loads(body).get("code", "") if b"x-request-id" in head else "of the load balancer"
        return f"{status} {code}".strip()


def summary(outcomes: list[Outcome]) -> dict:
    """Counts requests and failures by kind, and computes quantiles of the latencies in milliseconds."""
    latencies = sorted(outcome.latency * 1e3 for outcome in outcomes)
    failures = collections.Counter(outcome.failure for outcome in outcomes if outcome.failure)
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive") if 1 < len(latencies) else [float("nan")] * 99
    longest = latencies[-1] if latencies else float("nan")
    return {"requests": len(outcomes), "failures": dict(failures), "p50": percentiles[49], "p99": percentiles[98], "longest": longest}
