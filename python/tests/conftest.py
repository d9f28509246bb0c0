"""Models of this repository, and real servers of them."""

import os
import pathlib
import socket
import subprocess
import time
import urllib.request
from functools import cache

import pytest

import siamese

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "samples"
#: A model that aligns faces, two of whole images, and one that finds changes.
MODELS = ["faces", "orl", "things", "changes"]


def path(model: str) -> pathlib.Path:
    return ROOT / "models" / f"{model}.onnx"


@cache
def loaded(model: str) -> siamese.Model:
    return siamese.Model.load(path(model))


class Server:
    """A real server."""

    def __init__(self, *models: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{address}"
        command = [os.environ["SIAMESE"], "serve", "--device", "cpu", "--listen", address]
        for model in models:
            command += ["--model", f"{model}={path(model)}"]
        # The server loads the library that it was built with. An unoptimised build is slow.
        environment = {name: value for name, value in os.environ.items() if name != "ORT_DYLIB_PATH"}
        environment |= {"RUST_LOG": "error", "SIAMESE_SERVER__DEADLINE_MS": "60000"}
        self.process = subprocess.Popen(command, env=environment)

    def wait(self) -> None:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
        raise AssertionError("the server did not become ready")


@pytest.fixture(scope="session")
def servers():
    """Starts a server of one or several models when a test asks for it."""
    running: dict[tuple[str, ...], Server] = {}

    def server(*models: str) -> str:
        if models not in running:
            running[models] = Server(*models)
            running[models].wait()
        return running[models].url

    yield server
    for each in running.values():
        each.process.kill()
        each.process.wait()
