#!/usr/bin/env python3
"""Runs HAProxy, nginx and Envoy by the files that are shipped, before three replicas that fall silent, break off, refuse
and say 503 as they are asked to, and counts how often each request reaches one.

A request that may have begun its work must reach one replica only: one that stalls or ends a replica would else do the same to
each in turn. One that was refused must reach another.
"""

import asyncio
import collections
import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
# The balancers' patience with a silent replica while they are tried, instead of the shipped one.
PATIENCE = "1s"


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def replaced(pattern: str, by: str, text: str) -> str:
    text, times = re.subn(pattern, by, text)
    assert times, f"nothing in the file is like {pattern}"
    return text


class Replicas:
    """Three servers that answer by the path they are asked for, and what has reached them."""

    def __init__(self) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.reached: collections.Counter[str] = collections.Counter()
        self.tasks: set[asyncio.Task] = set()

    async def begin(self, serving: list[str]) -> None:
        """All are in good health; those that do not serve refuse connections."""
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
                full = path.startswith("/full") or path.startswith("/once-full") and self.reached[path] == 1
                status = b"503 Service Unavailable\r\nretry-after: 1" if full else b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\ncontent-length: 0\r\n\r\n" % status)
                await writer.drain()
        writer.close()


class Client:
    """One connection to the balancer, as long as that keeps it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, size: int = 2) -> bytes:
        """The answer's head, or nothing where the connection ends without one."""
        if self.streams is None or self.streams[0].at_eof():
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        try:
            writer.write(b"POST %s HTTP/1.1\r\nhost: siamese\r\ncontent-length: %d\r\n\r\n" % (path.encode(), size))
            writer.write(bytes(size))
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).lower()
            if length := re.search(rb"content-length: (\d+)", head):
                await reader.readexactly(int(length[1]))
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
    text = replaced(r"timeout server \d+s", f"timeout server {PATIENCE}", text)
    text = replaced(r"bind :8080", f"bind 127.0.0.1:{port}", text)
    text = replaced(r"bind :8404", f"bind 127.0.0.1:{free_port()}", text)
    text = replaced(r"/tmp/", f"{folder}/", text)
    text = replaced(r"port 9090", f"port {replicas.admin_port}", text)
    servers = "".join(f"    server {host} {host}:{replicas.port} check\n" for host in HOSTS)
    return replaced(r" *server-template .*\n", servers, text), ["/usr/sbin/haproxy", "-db", "-f"]


def nginx(replicas: Replicas, port: int, folder: pathlib.Path) -> tuple[str, list[str]]:
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    text = replaced(r"proxy_read_timeout \d+s", f"proxy_read_timeout {PATIENCE}", text)
    text = replaced(r"listen 8080", f"listen 127.0.0.1:{port}", text)
    text = replaced(r"/tmp/", f"{folder}/", text)
    # Its passive checks would leave out all three, which are made to fail here one after the other.
    text = replaced(r"siamese-(\d):8080 max_fails=\d+", rf"127.0.0.\1:{replicas.port} max_fails=0", text)
    return text, ["/usr/sbin/nginx", "-g", "daemon off;", "-c"]


def envoy(replicas: Replicas, port: int, program: pathlib.Path) -> tuple[str, list[str]]:
    import yaml

    made = yaml.safe_load((DEPLOY / "envoy" / "envoy.yaml").read_text())
    made["admin"]["address"]["socket_address"]["port_value"] = 0
    resources = made["static_resources"]
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
    text = replaced(r"timeout: 12s", f"timeout: {PATIENCE}", yaml.safe_dump(made))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"]
    return text, [str(program), *options]


async def hold_refusals(name: str, port: int) -> None:
    """Asks while one of the replicas accepts no connection."""
    # Every other one is larger than HAProxy's buffer.
    for number in range(12):
        said = status(await Client(port).post(f"/refused-{number}", 2 if number % 2 else 200_000))
        assert said == 200, f"{name}: a refused connection was not tried elsewhere: {said}"


async def hold_silence(name: str, replicas: Replicas, port: int) -> None:
    """Asks in each way, over new connections and over kept ones."""
    for kept in (False, True):
        client = Client(port)
        for path, expected in {"/silent": {504}, "/broken": {502}, "/reset": {502}}.items():
            # Where a connection was kept, HAProxy leaves it to the client to ask again, by ending it.
            allowed = expected | ({0} if name == "haproxy" and kept and path != "/silent" else set())
            path = f"{path}-{kept}"
            if kept:
                assert status(await client.post("/well")) == 200
            else:
                client = Client(port)
            said = status(await client.post(path))
            assert said in allowed, f"{name}: {path} is answered by {said}"
            times = replicas.reached[path]
            assert times == 1, f"{name}: {path} reached {times} replicas, one after the other"
        path = f"/once-full-{kept}"
        assert status(await client.post(path)) == 200, f"{name}: a 503 was not tried again"
        assert replicas.reached[path] == 2, f"{name}: {path}"
        head = await client.post(f"/full-{kept}")
        assert status(head) == 503 and b"retry-after: 1" in head, f"{name}: a replica's 503 does not come through"


async def drive(name: str, program: pathlib.Path | None, refusing: bool) -> None:
    replicas = Replicas()
    await replicas.begin(HOSTS[refusing:])
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        make = {"haproxy": haproxy, "nginx": nginx, "envoy": envoy}[name]
        text, command = make(replicas, port, program or pathlib.Path(folder))
        file = pathlib.Path(folder) / "configuration.yaml"
        file.write_text(text)
        process = subprocess.Popen([*command, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    if status(await Client(port).post("/begun")) == 200:
                        break
                assert process.poll() is None, f"{name} ended by itself"
                await asyncio.sleep(0.05)
            if refusing:
                await hold_refusals(name, port)
            else:
                await hold_silence(name, replicas, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def check(name: str, program: pathlib.Path | None = None) -> None:
    """Holds one of `haproxy`, `nginx` and `envoy`, the last by the program named."""
    for refusing in (False, True):
        asyncio.run(drive(name, program, refusing))
