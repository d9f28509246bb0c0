"""Checks a machine with an NVIDIA GPU in one call: `python3 scripts/check_gpu.py [MODEL...]`.

For each model (default: all that are shipped), the script checks that:
- the golden pairs pass on the GPU;
- GPU and CPU give the same distances for real images;
- the server reports that the GPU runs the model;
- no batch size stalls;
- memory does not grow under mixed work.
Then the benchmark measures the rate of the whole service, over HTTP and from JPEG. The script exits with 1 if a check fails.
`--device cpu` runs the same checks without a GPU, to test this script.

Needs Rust, a driver, and Python's pip. pip installs the GPU build of ONNX Runtime with its CUDA and cuDNN libraries into
target/gpu, unless ORT_DYLIB_PATH names a library.
"""

import argparse
import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/siamese"
FACES = sorted((ROOT / "samples").glob("s[0-9]*.jpg"))
PACKAGE = "onnxruntime-gpu[cuda,cudnn]==1.31.1"
SIZES = [*range(1, 34), 48, 63, 64]
AGREEMENT = 1e-3  # the tolerance of the golden pairs, but for a model in 8 bits
STALL = 20.0  # the first run of a size without warm-up takes hundreds of times the median
GROWTH = 0.02  # relative to the memory after the first half of the mixed work

failures: list[str] = []


def check(passed: bool, what: str) -> None:
    print(f"{'ok  ' if passed else 'FAIL'} {what}", flush=True)
    if not passed:
        failures.append(what)


def library() -> None:
    """Sets the variables through which child processes find the GPU build of ONNX Runtime."""
    if os.environ.get("ORT_DYLIB_PATH"):
        return
    folder = ROOT / "target/gpu"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target"]
        subprocess.run([*pip, str(folder), PACKAGE], check=True)
    found = next(folder.glob("onnxruntime/capi/libonnxruntime.so*"))
    beside = {str(path.parent) for path in folder.glob("nvidia/**/*.so*")}
    paths = [str(found.parent), *sorted(beside), os.environ.get("LD_LIBRARY_PATH", "")]
    os.environ["ORT_DYLIB_PATH"] = str(found)
    os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, paths))


def embeddings(model: Path, device: str) -> list[list[float]]:
    command = [PROGRAM, "embed", *FACES, "--model", model, "--device", device]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line)["embedding"] for line in lines]


def parity(model: Path, device: str) -> None:
    inspected = subprocess.run(
        [PROGRAM, "inspect", model, "--device", device, "--json"], capture_output=True, text=True
    )
    check(inspected.returncode == 0, f"golden pairs on {device} {inspected.stderr.strip()}")
    weights = json.loads(inspected.stdout or "{}").get("weights")
    # A GPU does not round the activations of a model in 8 bits as the CPU does.
    agreement = max(AGREEMENT, weights["drift"]["largest"]) if weights else AGREEMENT
    here, there = embeddings(model, device), embeddings(model, "cpu")
    pairs = [(a, b) for a in range(len(here)) for b in range(a)]
    off = max(
        abs(math.dist(here[a], here[b]) - math.dist(there[a], there[b])) for a, b in pairs
    )
    check(off < agreement, f"{len(pairs)} distances on {device} and cpu differ by {off:.1e} at most")


class Server:
    def __init__(self, model: Path, device: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", self.address, "--model", model, "--device", device],
            env={**os.environ, "SIAMESE_CACHE__MAX_BYTES": "0", "SIAMESE_LOG__FORMAT": "json"},
        )
        for _ in range(600):
            time.sleep(0.1)
            try:
                self.card = json.load(urllib.request.urlopen(f"http://{self.address}/model"))
                return
            except OSError:
                if self.process.poll() is not None:
                    break
        raise SystemExit(f"the server of {model} does not start")

    def model_ms(self, size: int) -> float:
        """The time of the model for one request with this many images, from Server-Timing, in ms."""
        parts = [
            b'--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n'
            + FACES[index % len(FACES)].read_bytes()
            + b"\r\n"
            for index in range(size)
        ]
        request = urllib.request.Request(
            f"http://{self.address}/embed",
            b"".join(parts) + b"--b--\r\n",
            {"content-type": "multipart/form-data; boundary=b"},
        )
        with urllib.request.urlopen(request) as response:
            stages = dict(re.findall(r"(\w+);dur=([\d.]+)", response.headers["server-timing"]))
        return float(stages["model"])

    def memory(self) -> dict[str, float]:
        """Memory of the process and of the GPU, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        held = {"process": int(status.split("VmRSS:")[1].split()[0]) / 1024}
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        try:
            used = subprocess.run(query, capture_output=True, text=True, check=True).stdout
            held["gpu"] = float(used.split()[0])
        except (OSError, subprocess.CalledProcessError):
            pass
        return held

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def serve(model: Path, device: str, seconds: float) -> None:
    server = Server(model, device)
    try:
        card = server.card
        expected = ("cpu", "CPUExecutionProvider") if device == "cpu" else ("gpu", "CUDAExecutionProvider")
        runs = (card["device"], card["execution_provider"])
        check(runs == expected, f"/model reports {' '.join(runs)}")

        first, usual = {}, {}
        for size in SIZES:
            first[size] = server.model_ms(size)
            usual[size] = statistics.median(server.model_ms(size) for _ in range(9))
        print("images: first run, median of nine, in ms")
        for size in SIZES:
            print(f"{size:>8}: {first[size]:9.3f} {usual[size]:9.3f}")
        worst = max(SIZES, key=lambda size: first[size] / usual[size])
        ratio = first[worst] / usual[worst]
        check(ratio < STALL, f"no size stalls: the first run of {worst} took {ratio:.1f} medians")

        halves = []
        for _ in range(2):
            until = time.monotonic() + seconds / 2
            while time.monotonic() < until:
                for size in SIZES[:: 1 + len(halves)]:
                    server.model_ms(size)
            halves.append(server.memory())
        for place, before in halves[0].items():
            after = halves[1][place]
            flat = after <= before * (1 + GROWTH) + 1
            check(flat, f"memory of the {place}: {before:.0f} MiB, then {after:.0f} MiB")
    finally:
        server.stop()


def rate(model: Path, device: str) -> None:
    command = ["cargo", "bench", "--bench", "service", "--", "--model", model, "--device", device]
    for route in ("embed", "compare"):
        subprocess.run([*command, "--only", f"closed/face/{route}"], cwd=ROOT, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=sorted((ROOT / "models").glob("*.onnx")))
    parser.add_argument("--device", default="require-gpu", choices=["require-gpu", "cpu"])
    parser.add_argument("--seconds", type=float, default=60, help="duration of the mixed work of the memory check")
    parser.add_argument("--no-rate", action="store_true", help="skip the benchmark")
    arguments = parser.parse_args()
    if arguments.device != "cpu":
        library()
    subprocess.run(["cargo", "build", "--release", "--bin", "siamese"], cwd=ROOT, check=True)
    for model in arguments.models:
        print(f"== {model}", flush=True)
        parity(model, arguments.device)
        serve(model, arguments.device, arguments.seconds)
        if not arguments.no_rate:
            rate(model, arguments.device)
    print(f"{len(failures)} failed" if failures else "all checks passed")
    raise SystemExit(bool(failures))


main()
