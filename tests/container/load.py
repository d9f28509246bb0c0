"""An open-loop load of real pictures: each request has its time, whatever became of those before it."""

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
# What a client waits for, in seconds.
PATIENCE = 15.0


@dataclass
class Outcome:
    """What became of a request: when it was due, how long it took from then, and what was wrong, if anything."""

    due: float
    latency: float
    failure: str | None


@dataclass
class Truth:
    """What each tower says of each pair; the first answer is held against all that follow."""

    known: dict = field(default_factory=dict)

    def check(self, pair: str, answer: dict) -> str | None:
        key = (answer["model"]["digest"], pair)
        distance = self.known.setdefault(key, answer["distance"])
        return None if abs(distance - answer["distance"]) < 1e-4 else "wrong distance"


def requests(host: str) -> list[tuple[str, bytes]]:
    """Every pair of the fixtures' faces, as a request to compare it."""
    made = []
    for a, b in itertools.combinations(sorted(FACES.glob("*.jpg")), 2):
        parts = []
        for name, picture in (("a", a), ("b", b)):
            disposition = f'content-disposition: form-data; name="{name}"; filename="{picture.name}"'
            parts.append(b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY, disposition.encode(), picture.read_bytes()))
        body = b"".join(parts) + b"--%s--\r\n" % BOUNDARY
        head = (
            f"POST /compare HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n"
            f"content-type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
        )
        made.append((f"{a.stem}, {b.stem}", head.encode() + body))
    return made


class Load:
    """A load on one address, until it is stopped."""

    def __init__(self, host: str, port: int, rate: float, truth: Truth):
        self.host, self.port, self.rate, self.truth = host, port, rate, truth
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.outcomes: list[Outcome] = []
        self.going = True

    async def run(self) -> None:
        begun = time.monotonic()
        pending = set()
        for number, request in enumerate(itertools.cycle(requests(self.host))):
            due = begun + number / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not self.going:
                break
            task = asyncio.create_task(self.one(due, *request))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        for _, writer in self.idle:
            writer.close()

    async def one(self, due: float, pair: str, request: bytes) -> None:
        try:
            failure = await asyncio.wait_for(self.ask(pair, request), PATIENCE)
        except asyncio.TimeoutError:
            failure = "no answer in time"
        except (OSError, asyncio.IncompleteReadError, ValueError) as err:
            failure = f"connection: {type(err).__name__}"
        self.outcomes.append(Outcome(due, time.monotonic() - due, failure))

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The one used last that the balancer has not ended meanwhile, as any client's pool gives it; else a new one."""
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port)

    async def ask(self, pair: str, request: bytes) -> str | None:
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
            return self.truth.check(pair, json.loads(body))
        code = json.loads(body).get("code", "") if b"problem+json" in head else "of the balancer"
        return f"{status} {code}".strip()


def summary(outcomes: list[Outcome]) -> dict:
    """Requests, failures by kind, and quantiles of the latencies in milliseconds."""
    latencies = sorted(it.latency * 1e3 for it in outcomes)
    failures = collections.Counter(it.failure for it in outcomes if it.failure)
    at = statistics.quantiles(latencies, n=100, method="inclusive") if 1 < len(latencies) else [float("nan")] * 99
    longest = latencies[-1] if latencies else float("nan")
    return {"requests": len(outcomes), "failures": dict(failures), "p50": at[49], "p99": at[98], "longest": longest}
