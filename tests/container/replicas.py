"""Three replicas and HAProxy, each in its own container, on a separate network."""

import asyncio
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NETWORK = "siamese-test"
BALANCER = "siamese-test-haproxy"
REPLICAS = ["siamese-test-1", "siamese-test-2", "siamese-test-3"]
# The maximum time in seconds that a replica takes to stop: lame duck and drain.
GRACE = 40
# The ports for health and metrics of a replica, and of HAProxy.
ADMIN_PORT = 9090
STATUS_PORT = 8404


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


async def docker_async(*arguments: str) -> str:
    """Runs a docker command while the load continues."""
    return await asyncio.to_thread(docker, *arguments)


def inspect(name: str, what: str) -> str:
    return docker("inspect", "--format", what, name)


def address(name: str) -> str:
    return inspect(name, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")


def arguments_of(name: str, model: str, **settings: str) -> list[str]:
    """The arguments of `docker run` for a replica: read-only, unprivileged, and with the limits of the chart and Compose.
    The cache is off, so the model runs for every request."""
    settings = {"SIAMESE_CACHE__MAX_BYTES": "0", "SIAMESE_MODEL__FILE": f"/models/{model}", **settings}
    return [
        "run", "--detach", "--name", name, "--network", NETWORK, "--network-alias", "siamese",
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "2g", "--pids-limit", "1024",
        "--volume", f"{ROOT / 'target' / 'container'}:/models:ro",
        *(argument for key, value in settings.items() for argument in ("--env", f"{key}={value}")),
        "siamese",
    ]


def start_balancer() -> None:
    """Starts HAProxy with the shipped configuration."""
    configuration = ROOT / "deploy" / "compose" / "haproxy.cfg"
    mount = f"{configuration}:/usr/local/etc/haproxy/haproxy.cfg:ro"
    docker("run", "--detach", "--name", BALANCER, "--network", NETWORK, "--volume", mount, "siamese-test-haproxy")


async def start(name: str, model: str = "orl.onnx", **settings: str) -> None:
    await docker_async(*arguments_of(name, model, **settings))


async def remove(name: str) -> None:
    """Stops a replica as an orchestrator does, then removes it."""
    await docker_async("stop", "--time", str(GRACE), name)
    await docker_async("rm", name)


async def ready(name: str, within: float = 60.0) -> bool:
    """Whether `siamese health` succeeds within this many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            await docker_async("exec", name, "/opt/siamese/siamese", "health")
            return True
        except RuntimeError:
            await asyncio.sleep(0.25)
    return False


async def metric_sum(host: str, port: int, series: str) -> float:
    """The sum of all series in /metrics whose line starts with this text."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET /metrics HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        text = (await asyncio.wait_for(reader.read(), 5)).decode()
    finally:
        writer.close()
    assert text.startswith("HTTP/1.1 200 "), f"{host}:{port} does not serve metrics: {text[:80]}"
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(series))


def write_models() -> None:
    """Writes the models that replicas serve, and one with wrong golden distances."""
    folder = ROOT / "target" / "container"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("orl.onnx", "characters.onnx"):
        (folder / name).write_bytes((ROOT / "models" / name).read_bytes())
    good = (folder / "orl.onnx").read_bytes()
    digit = good.index(b'"distance":0.', good.index(b'{"tolerance"')) + len(b'"distance":0.')
    broken = good[:digit] + (b"1" if good[digit:digit + 1] == b"9" else b"9") + good[digit + 1:]
    (folder / "broken.onnx").write_bytes(broken)


def clear() -> None:
    subprocess.run(["docker", "rm", "--force", *REPLICAS, BALANCER], capture_output=True)
    subprocess.run(["docker", "network", "rm", NETWORK], capture_output=True)
