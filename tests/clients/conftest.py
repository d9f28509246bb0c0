"""A server, and its pages in a real Chromium."""

import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FACES = ROOT / "samples"
# A name of this machine for which browsers require HTTPS, as for any other machine.
REMOTE = "siamese.test"
# The settings of a server that has only the model of faces, and so starts sooner.
ONLY_FACES = {"SIAMESE_MODEL__FILE": str(ROOT / "models" / "faces.onnx")}
# A debug build loads all models in seconds, and in far more on a busy machine.
START_SECONDS = 120


class Server:
    """The real server, with all shipped models unless others are named. A test may stop it."""

    def __init__(self, address: str | None = None, models: dict[str, pathlib.Path] = {}, **environment: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = address or "http://127.0.0.1:%d" % free.getsockname()[1]
        listen = self.address.removeprefix("http://")
        command = [os.environ["SIAMESE"], "serve", "--device", "cpu", "--listen", listen]
        for name, file in models.items():
            command += ["--model", f"{name}={file}"]
        environment = {**os.environ, "RUST_LOG": "error", **environment}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.address}/readyz", timeout=1)
                return
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
        raise AssertionError("the server did not become ready")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def choose(page: Page, area: str, *files) -> None:
    page.locator(f"{area} input[type=file]").first.set_input_files(list(files))


def check_accessibility(page: Page) -> None:
    """Fails if the page has a serious or critical accessibility problem."""
    violations = Axe().run(page).response["violations"]
    severe = [rule for rule in violations if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in severe] == []


@pytest.fixture(scope="session")
def server():
    # A build without optimisation needs seconds for changes, and more on a busy machine.
    running = Server(SIAMESE_SERVER__DEADLINE_MS="60000")
    yield running
    running.stop()


@pytest.fixture
def described(tmp_path):
    """Starts a server of a tiny model without a calibration, described by lines of a sidecar, after some other models."""
    running = []

    def started(*lines: str, after: dict[str, pathlib.Path] = {}, name: str = "tiny") -> Server:
        shutil.copy(ROOT / "tests" / "fixtures" / "models" / "plain.onnx", tmp_path / "tiny.onnx")
        sidecar = ['input = "4x4"', 'colour = "grey"', *lines]
        (tmp_path / "tiny.toml").write_text("\n".join(sidecar))
        running.append(Server(models={**after, name: tmp_path / "tiny.onnx"}))
        return running[-1]

    yield started
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root in a container. It resolves the name that stands for another machine.
        arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {REMOTE} 127.0.0.1"]
        yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)


@pytest.fixture
def open_page(browser: Browser):
    """Opens the page. At the end of the test, the browser must not have reported any unexpected error or warning."""
    contexts, problems, expected = [], [], []

    def opened(address: str, expect: list[str] = [], width: int = 1440, scheme: str = "light", **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        expected.extend(expect)
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    unexpected = [problem for problem in problems if not any(word in problem for word in expected)]
    assert unexpected == []
