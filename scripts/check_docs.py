#!/usr/bin/env python3
"""Runs the examples of README.md and docs/api.md against the real server, and checks the links between all pages.

Needs cargo. Installs curl, Node.js and Go from the system's packages if they are missing, and `requests` into the build folder.
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


def anchors(page: pathlib.Path) -> set[str]:
    """The anchors of the headings of a Markdown page, as the forge names them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links() -> list[str]:
    """Links between pages whose file or heading does not exist."""
    broken = []
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    for page in sorted(pages):
        for link in LINK.findall(page.read_text()):
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = page.parent / path if path else page
            if not target.exists() or anchor and target.suffix == ".md" and anchor not in anchors(target):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    return broken


def python() -> pathlib.Path:
    """The path of a Python with `requests`."""
    folder = TARGET / "tools" / "docs"
    program = folder / "bin" / "python"
    if not program.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([program, "-m", "pip", "install", "--quiet", REQUESTS], check=True)
    return program


def install(program: str, package: str) -> None:
    """Installs a program from the system's packages if it is missing."""
    if shutil.which(program):
        return
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*root, "apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
    command = ["apt-get", "-q", "install", "--yes", "--no-install-recommends", package]
    subprocess.run([*root, *command], check=True, stdout=subprocess.DEVNULL)


def serve(port: int) -> subprocess.Popen:
    """Starts the server and waits until it is ready."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "siamese"], check=True, cwd=ROOT)
    # A build without optimisation needs seconds for the many runs of an explanation.
    environment = {**os.environ, "RUST_LOG": "error", "SIAMESE_SERVER__DEADLINE_MS": "60000"}
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
    # Each curl command fails on an error status, even without the option.
    (folder / ".curlrc").write_text("fail-with-body\n")
    environment = {**os.environ, "CURL_HOME": str(folder)}
    return subprocess.run([*command, file], cwd=ROOT, env=environment, capture_output=True, timeout=300)


def main() -> None:
    broken = broken_links()
    if broken:
        sys.exit("broken links:\n" + "\n".join(broken))
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
                passed = done.returncode == 0 and done.stdout
                print("ok    " if passed else "FAILED", language, code.strip().splitlines()[0])
                if not passed:
                    failed += 1
                    print((done.stdout + done.stderr).decode(errors="replace"))
    finally:
        server.terminate()
        server.wait()
    print(f"{len(blocks) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not blocks else 0)


if __name__ == "__main__":
    main()
