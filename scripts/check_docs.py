#!/usr/bin/env python3
"""Runs the requests of README.md and all code of docs/api.md against the real server, and looks whether the book's links lead anywhere.

Needs cargo, curl and node; `requests` goes into an environment beside the build, Go comes from the system's packages.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
REQUESTS = "requests==2.32.5"
BLOCK = re.compile(r"^```(sh|python|javascript|go)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def links() -> list[str]:
    """Links of the book's pages to files that are not there."""
    broken = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        for link in LINK.findall(page.read_text()):
            path = link.split("#")[0]
            if path and not re.match(r"[a-z]+:", path) and not (page.parent / path).exists():
                broken.append(f"{page.name}: {link}")
    return broken


def python() -> pathlib.Path:
    """A Python that has `requests`."""
    folder = TARGET / "tools" / "docs"
    program = folder / "bin" / "python"
    if not program.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([program, "-m", "pip", "install", "--quiet", REQUESTS], check=True)
    return program


def install(program: str, package: str) -> None:
    """A program from the system's packages, where it is missing."""
    if shutil.which(program):
        return
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*root, "apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
    command = ["apt-get", "-q", "install", "--yes", "--no-install-recommends", package]
    subprocess.run([*root, *command], check=True, stdout=subprocess.DEVNULL)


def serve(port: int) -> subprocess.Popen:
    """The server, once it is ready."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "siamese"], check=True, cwd=ROOT)
    environment = {**os.environ, "RUST_LOG": "error"}
    listen = ["serve", "--device", "cpu", "--listen", f"127.0.0.1:{port}"]
    server = subprocess.Popen([TARGET / "debug" / "siamese", *listen], cwd=ROOT, env=environment)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1)
            return server
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
    server.kill()
    sys.exit("the server did not become ready")


def run(language: str, code: str, folder: pathlib.Path, interpreter: pathlib.Path) -> subprocess.CompletedProcess:
    name, command = {
        "sh": ("code.sh", ["bash", "-euo", "pipefail"]),
        "python": ("code.py", [interpreter]),
        "javascript": ("code.mjs", ["node"]),
        "go": ("code.go", ["go", "run"]),
    }[language]
    file = folder / name
    file.write_text(code)
    # A refusal is a failure, whether or not the page's reader would ask for that.
    (folder / ".curlrc").write_text("fail-with-body\n")
    environment = {**os.environ, "CURL_HOME": str(folder)}
    return subprocess.run([*command, file], cwd=ROOT, env=environment, capture_output=True, timeout=300)


def main() -> None:
    broken = links()
    if broken:
        sys.exit("links that lead nowhere:\n" + "\n".join(broken))
    blocks = [block for page in ("README.md", "docs/api.md") for block in BLOCK.findall((ROOT / page).read_text())]
    for program, package in (("curl", "curl"), ("node", "nodejs"), ("go", "golang-go")):
        install(program, package)
    interpreter = python()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failed = 0
    server = serve(port)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for language, code in blocks:
                code = code.replace("localhost:8080", f"127.0.0.1:{port}")
                done = run(language, code, pathlib.Path(folder), interpreter)
                well = done.returncode == 0 and done.stdout
                print("ok    " if well else "FAILED", language, code.strip().splitlines()[0])
                if not well:
                    failed += 1
                    print((done.stdout + done.stderr).decode(errors="replace"))
    finally:
        server.terminate()
        server.wait()
    print(f"{len(blocks) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not blocks else 0)


if __name__ == "__main__":
    main()
