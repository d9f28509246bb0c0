"""Three replicas and HAProxy before them, each in a container of its own on a network of their own."""

import asyncio
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NETWORK = "siamese-proof"
BALANCER = "siamese-proof-haproxy"
REPLICAS = ["siamese-proof-1", "siamese-proof-2", "siamese-proof-3"]
# What a replica takes at most to stop: its lame duck and its drain.
GRACE = 40
# Where a replica tells of its health and counters, and where HAProxy does.
ADMIN_PORT = 9090
STATUS_PORT = 8404


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


def arguments_of(name: str, model: str, **settings: str) -> list[str]:
    """What runs a replica: read-only, without rights, within the limits that the chart and Compose give, and with the cache
    off, so that the model runs for every request."""
    settings = {"SIAMESE_CACHE__MAX_BYTES": "0", "SIAMESE_MODEL__FILE": f"/models/{model}", **settings}
    return [
        "run", "--detach", "--name", name, "--network", NETWORK, "--network-alias", "siamese",
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "2g", "--pids-limit", "1024",
        "--volume", f"{ROOT / 'target' / 'container'}:/models:ro",
        *(it for key, value in settings.items() for it in ("--env", f"{key}={value}")),
        "siamese",
    ]


def balancer() -> None:
    """HAProxy, by the file that is shipped."""
    configuration = ROOT / "deploy" / "compose" / "haproxy.cfg"
    mount = f"{configuration}:/usr/local/etc/haproxy/haproxy.cfg:ro"
    docker("run", "--detach", "--name", BALANCER, "--network", NETWORK, "--volume", mount, "siamese-test-haproxy")


async def start(name: str, model: str = "faces.onnx", **settings: str) -> None:
    await beside(*arguments_of(name, model, **settings))


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


async def counted(host: str, port: int, series: str) -> float:
    """The sum of the series that begin like this, as /metrics tells them at an address."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        text = (await asyncio.wait_for(reader.read(), 5)).decode()
    finally:
        writer.close()
    assert text.startswith("HTTP/1.1 200 "), f"{host}:{port} does not tell its metrics: {text[:80]}"
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series))


def models() -> None:
    """The models that replicas serve, and one whose golden distances are wrong."""
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
