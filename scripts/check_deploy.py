#!/usr/bin/env python3
"""Checks what stands under deploy/, the Dockerfile and the forge's workflows, each by its own program's check, and the
numbers in them against each other.

`--write` renders the chart into deploy/kubernetes; without it, what stands there must be what the chart renders. HAProxy and
nginx come from Debian's packages, the rest from PyPI into an environment beside the build.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "tools" / "deploy"
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "siamese"
RENDERED = DEPLOY / "kubernetes"

# Manifests that are kept beside the chart, and the values that make them.
KEPT = {
    "cpu.yaml": {},
    "gpu.yaml": {"gpu": {"enabled": True}},
}
# Other values, each of which must render to what Kubernetes takes.
TRIED = [
    {"autoscaling": {"enabled": True}, "serviceMonitor": {"enabled": True}},
    {"tower": {"from": "volume", "claim": "towers"}, "keysSecret": "keys"},
    {"tower": {"from": "fetch", "fetch": {"image": "towers:1", "command": ["cp", "/tower.onnx", "/towers/"]}}},
    {"settings": {"SIAMESE_TOWER__THRESHOLD": "0.9"}, "networkPolicy": {"enabled": False}},
]


def environment() -> None:
    """Goes on in an environment that has what is needed."""
    program = TOOLS / "bin" / "python"
    if pathlib.Path(sys.prefix) == TOOLS.resolve():
        return
    if not program.exists():
        venv.create(TOOLS, with_pip=True)
    requirements = DEPLOY / "requirements.txt"
    subprocess.run([program, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
    os.execv(program, [program, __file__, *sys.argv[1:]])


def install(program: str, package: str) -> None:
    if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
        return
    root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*root, "apt-get", "-q", "update"], check=True, stdout=subprocess.DEVNULL)
    # Only the program is wanted, and no service of it: in run level 1 none is started.
    command = ["env", "RUNLEVEL=1", "apt-get", "-q", "install", "--yes", "--no-install-recommends", package]
    subprocess.run([*root, *command], check=True, stdout=subprocess.DEVNULL)


def run(*command: object) -> None:
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise AssertionError(f"{command[0]}: {done.stdout}{done.stderr}")


def render(values: dict) -> str:
    from helm_python import Chart

    with Chart.load(CHART) as chart:
        made = chart.render(values=values, name="siamese", namespace="siamese")
    texts = [text.strip() for _, text in sorted(made.items()) if text.strip()]
    return "\n---\n".join(texts) + "\n"


def check_chart() -> None:
    import kubernetes_validate
    import yaml
    from helm_python import lint

    found = lint(CHART)
    # 2 is a warning.
    assert not found["errors"] and all(it["severity"] < 2 for it in found["messages"]), found
    for values in [*KEPT.values(), *TRIED]:
        for manifest in yaml.safe_load_all(render(values)):
            # The one kind here that is no part of Kubernetes.
            if manifest["kind"] != "ServiceMonitor":
                kubernetes_validate.validate(manifest, "1.37", strict=True)


def check_rendered() -> None:
    for name, values in KEPT.items():
        path = RENDERED / name
        text = f"# Rendered from deploy/helm/siamese by scripts/check_deploy.py --write.\n{render(values)}"
        if "--write" in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists() and path.read_text() == text, f"{path.name} is not what the chart renders; use --write"


def check_numbers() -> None:
    """Times that must hold together, and names that must be those of the server."""
    import yaml

    server = tomllib.loads((ROOT / "config" / "default.toml").read_text())["server"]
    needed = (server["lame_duck_ms"] + server["drain_ms"]) / 1000
    for name in KEPT:
        manifests = {it["kind"]: it for it in yaml.safe_load_all((RENDERED / name).read_text())}
        pod = manifests["Deployment"]["spec"]["template"]["spec"]
        container = pod["containers"][0]
        variables = {it["name"]: it["value"] for it in container["env"]}
        stop = int(variables["SIAMESE_SERVER__LAME_DUCK_MS"]) + int(variables["SIAMESE_SERVER__DRAIN_MS"])
        assert stop / 1000 < pod["terminationGracePeriodSeconds"], "a stop takes longer than the grace period"
        ready = container["readinessProbe"]
        notice = ready["periodSeconds"] * ready["failureThreshold"] * 1000
        assert notice < int(variables["SIAMESE_SERVER__LAME_DUCK_MS"]), "the lame duck is over before anybody looked"
    compose = yaml.safe_load((DEPLOY / "compose" / "docker-compose.yml").read_text())
    grace = compose["services"]["siamese"]["stop_grace_period"]
    assert needed < float(grace.removesuffix("s")), "compose kills a replica that still drains"
    for path in ("compose/haproxy.cfg", "nginx/nginx.conf"):
        keep = re.search(r"(?:http-keep-alive|keepalive_timeout) (\d+)s", (DEPLOY / path).read_text())
        assert int(keep[1]) * 1000 < server["idle_timeout_ms"], f"{path} keeps connections longer than the server"
    documented = (ROOT / "docs" / "operating.md").read_text()
    metric = re.search(r"metric: \{name: (\w+)\}", (CHART / "templates" / "autoscaling.yaml").read_text())[1]
    assert f"`{metric}`" in documented, f"{metric} is no metric of the server"


def check_haproxy() -> None:
    install("haproxy", "haproxy")
    run("/usr/sbin/haproxy", "-c", "-f", DEPLOY / "compose" / "haproxy.cfg")


def check_nginx() -> None:
    install("nginx", "nginx-light")
    # It looks its names up, which only a network of replicas has.
    text = re.sub(r"siamese-\d:8080", "127.0.0.1:8080", (DEPLOY / "nginx" / "nginx.conf").read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(text)
        file.flush()
        run("/usr/sbin/nginx", "-t", "-q", "-c", file.name)


def check_envoy() -> None:
    run(TOOLS / "bin" / "envoy", "--mode", "validate", "--config-path", DEPLOY / "envoy" / "envoy.yaml")


def check_dockerfile() -> None:
    # Packages of a build stage needn't be pinned (DL3008); its pipes end in what fails by itself (DL4006).
    ignored = [f"--ignore={rule}" for rule in ("DL3008", "DL4006", "DL3003")]
    run(TOOLS / "bin" / "hadolint", *ignored, "Dockerfile")


def check_workflows() -> None:
    run(TOOLS / "bin" / "zizmor", "--offline", "--no-progress", ROOT / ".github" / "workflows")


def main() -> None:
    environment()
    checks = [check_rendered, check_chart, check_numbers, check_haproxy, check_nginx, check_envoy, check_dockerfile, check_workflows]
    failed = 0
    for check in checks:
        name = check.__name__.removeprefix("check_")
        try:
            check()
            print("ok    ", name)
        except Exception as err:
            failed += 1
            print("FAILED", name, err)
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
