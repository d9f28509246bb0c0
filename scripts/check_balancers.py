#!/usr/bin/env python3
"""Checks the retries of HAProxy, nginx and Envoy with the shipped configurations.

Each program runs in front of three test servers. They stay silent, break connections, refuse connections or respond with 503,
as the path of a request tells them. The check counts how many servers each request reaches. If a server may have started to
process a request, the request must reach that server only: otherwise a request that crashes one replica could crash all of
them. A refused request must reach another server. Metrics must not be public, and HAProxy's own errors are problem documents.
"""

import asyncio
import collections
import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
# Replaces the timeout of the shipped configurations for a silent server, to shorten the check.
REPLICA_TIMEOUT = "1s"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def replaced(pattern: str, replacement: str, text: str) -> str:
    text, times = re.subn(pattern, replacement, text)
    assert times, f"the configuration does not contain {pattern}"
    return text


class Replicas:
    """Three test servers, which respond as the path of a request tells them, and count the requests per path."""

    def __init__(self) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.reached: collections.Counter[str] = collections.Counter()
        self.tasks: set[asyncio.Task] = set()

    async def start(self, serving: list[str]) -> None:
        """Starts the servers. All pass health checks; those not in `serving` refuse other connections."""
        for host in HOSTS:
            await asyncio.start_server(self.accept, host, self.admin_port)
        for host in serving:
            await asyncio.start_server(self.accept, host, self.port)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := re.search(rb"content-length: (\d+)", head.lower()):
                    await reader.readexactly(int(length[1]))
                path = head.split()[1].decode()
                self.reached[path] += 1
                if path.startswith("/silent"):
                    await reader.read()
                if path.startswith("/reset"):
                    linger = b"\1\0\0\0\0\0\0\0"
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if path.startswith(("/silent", "/reset", "/broken")):
                    break
                refused = path.startswith("/full") or path.startswith("/once-full") and self.reached[path] == 1
                status = b"503 Service Unavailable\r\nretry-after: 1" if refused else b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\ncontent-length: 0\r\n\r\n" % status)
                await writer.drain()
        writer.close()


class Client:
    """A client that reuses one connection to the load balancer while it stays open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.body = b""

    async def post(self, path: str, size: int = 2) -> bytes:
        """Returns the head of the response, or nothing if the connection ends without one. Keeps its body."""
        if self.streams is None or self.streams[0].at_eof():
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        try:
            writer.write(b"POST %s HTTP/1.1\r\nhost: siamese\r\ncontent-length: %d\r\n\r\n" % (path.encode(), size))
            writer.write(bytes(size))
            self.body = b""
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).lower()
            if length := re.search(rb"content-length: (\d+)", head):
                self.body = await reader.readexactly(int(length[1]))
        except (OSError, asyncio.IncompleteReadError):
            self.streams = None
            return b""
        if b"connection: close" in head:
            self.streams = None
        return head


def status(head: bytes) -> int:
    return int(head[9:12] or b"0")


def haproxy(replicas: Replicas, port: int, folder: pathlib.Path) -> tuple[str, list[str]]:
    text = (DEPLOY / "compose" / "haproxy.cfg").read_text()
    text = replaced(r"timeout server \d+s", f"timeout server {REPLICA_TIMEOUT}", text)
    text = replaced(r"bind :8080", f"bind 127.0.0.1:{port}", text)
    text = replaced(r"bind :8404", f"bind 127.0.0.1:{free_port()}", text)
    text = replaced(r"/tmp/", f"{folder}/", text)
    text = replaced(r"port 9090", f"port {replicas.admin_port}", text)
    servers = "".join(f"    server {host} {host}:{replicas.port} check\n" for host in HOSTS)
    return replaced(r" *server-template .*\n", servers, text), ["/usr/sbin/haproxy", "-db", "-f"]


def nginx(replicas: Replicas, port: int, folder: pathlib.Path) -> tuple[str, list[str]]:
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    text = replaced(r"proxy_read_timeout \d+s", f"proxy_read_timeout {REPLICA_TIMEOUT}", text)
    text = replaced(r"listen 8080", f"listen 127.0.0.1:{port}", text)
    text = replaced(r"/tmp/", f"{folder}/", text)
    # The passive checks would exclude all three servers, because each of them fails here in turn.
    text = replaced(r"siamese-(\d):8080 max_fails=\d+", rf"127.0.0.\1:{replicas.port} max_fails=0", text)
    return text, ["/usr/sbin/nginx", "-g", "daemon off;", "-c"]


def envoy(replicas: Replicas, port: int, program: pathlib.Path) -> tuple[str, list[str]]:
    import yaml

    configuration = yaml.safe_load((DEPLOY / "envoy" / "envoy.yaml").read_text())
    configuration["admin"]["address"]["socket_address"]["port_value"] = 0
    resources = configuration["static_resources"]
    resources["listeners"][0]["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    endpoints = resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoints[0]["endpoint"].pop("health_check_config") == {"port_value": 9090}
    endpoints[:] = [
        {
            "endpoint": {
                "address": {"socket_address": {"address": host, "port_value": replicas.port}},
                "health_check_config": {"port_value": replicas.admin_port},
            }
        }
        for host in HOSTS
    ]
    text = replaced(r"timeout: 12s", f"timeout: {REPLICA_TIMEOUT}", yaml.safe_dump(configuration))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"]
    return text, [str(program), *options]


async def check_refusals(name: str, port: int) -> None:
    """Sends requests while one server refuses connections."""
    # Every second request is larger than HAProxy's buffer.
    for number in range(12):
        response = status(await Client(port).post(f"/refused-{number}", 2 if number % 2 else 200_000))
        assert response == 200, f"{name}: a refused connection was not retried on another server: {response}"


async def check_silence(name: str, replicas: Replicas, port: int) -> None:
    """Sends each kind of request, over new and over reused connections."""
    for reused in (False, True):
        client = Client(port)
        for path, expected in {"/silent": {504}, "/broken": {502}, "/reset": {502}}.items():
            # On a reused connection, HAProxy closes it instead, and the client may retry.
            allowed = expected | ({0} if name == "haproxy" and reused and path != "/silent" else set())
            path = f"{path}-{reused}"
            if reused:
                assert status(await client.post("/ok")) == 200
            else:
                client = Client(port)
            response = status(await client.post(path))
            assert response in allowed, f"{name}: {path} responds with {response}"
            times = replicas.reached[path]
            assert times == 1, f"{name}: {path} reached {times} servers"
        path = f"/once-full-{reused}"
        assert status(await client.post(path)) == 200, f"{name}: a 503 was not retried"
        assert replicas.reached[path] == 2, f"{name}: {path}"
        head = await client.post(f"/full-{reused}")
        assert status(head) == 503 and b"retry-after: 1" in head, f"{name}: the 503 of a server does not reach the client"


def check_problem(name: str, head: bytes, body: bytes, expected: int) -> None:
    assert status(head) == expected, f"{name} responds with {status(head)} in place of {expected}"
    assert b"content-type: application/problem+json" in head, f"{name}: a {expected} is no problem document"
    problem = json.loads(body)
    assert problem["status"] == expected and problem["code"] and problem["detail"], f"{name}: {problem}"


async def check_problems(name: str, replicas: Replicas, port: int) -> None:
    """Checks that metrics are not public, and that the errors of HAProxy itself are problem documents."""
    client = Client(port)
    for path in ("/metrics", "/metrics?format=text"):
        check_problem(name, await client.post(path), client.body, 404)
        assert replicas.reached[path] == 0, f"{name} forwards {path}"
    if name != "haproxy":
        return
    for path, expected in {"/silent-problem": 504, "/broken-problem": 502}.items():
        client = Client(port)
        check_problem(name, await client.post(path), client.body, expected)


async def check_outage(name: str, port: int) -> None:
    """Checks the response when all servers refuse connections."""
    client = Client(port)
    head = await client.post("/outage")
    check_problem(name, head, client.body, 503)
    assert b"retry-after: 1" in head, f"{name}: a 503 without Retry-After"


async def run_check(name: str, program: pathlib.Path | None, refusing: int) -> None:
    """Runs the program in front of the servers, of which the first `refusing` refuse connections."""
    replicas = Replicas()
    await replicas.start(HOSTS[refusing:])
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        configure = {"haproxy": haproxy, "nginx": nginx, "envoy": envoy}[name]
        text, command = configure(replicas, port, program or pathlib.Path(folder))
        file = pathlib.Path(folder) / "configuration.yaml"
        file.write_text(text)
        process = subprocess.Popen([*command, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    if status(await Client(port).post("/started")) in (200, 503 if refusing == len(HOSTS) else 200):
                        break
                assert process.poll() is None, f"{name} exited"
                await asyncio.sleep(0.05)
            if refusing == len(HOSTS):
                await check_outage(name, port)
            elif refusing:
                await check_refusals(name, port)
            else:
                await check_silence(name, replicas, port)
                await check_problems(name, replicas, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def check(name: str, program: pathlib.Path | None = None) -> None:
    """Checks one of `haproxy`, `nginx` and `envoy`. For Envoy, `program` is its path."""
    for refusing in (0, 1, len(HOSTS)) if name == "haproxy" else (0, 1):
        asyncio.run(run_check(name, program, refusing))
