#!/usr/bin/env python3
"""Checks the files in deploy/, the Dockerfile and the CI workflows.

Each file is validated by the program that reads it. The script also checks that times, ports and limits in these files agree.
`--write` copies the alerts into the chart and renders the chart into deploy/kubernetes. Without it, the files there must be
equal. HAProxy and nginx come from Debian's packages. The other programs come from PyPI, in an environment in the build folder.
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

import check_balancers

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "tools" / "deploy"
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "siamese"
RENDERED = DEPLOY / "kubernetes"

# The rendered manifests, and the values of the chart for each.
KEPT = {
    "cpu.yaml": {},
    "gpu.yaml": {"gpu": {"enabled": True}},
}
# Other values. Each must render to valid Kubernetes manifests.
MONITORED = {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "networkPolicy": {"metricsFrom": [{"podSelector": {}}]}}
COLLECTOR = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tracing"}}}], "ports": [{"port": 4318}]}
TRACED = {"settings": {"SIAMESE_TRACES__ENDPOINT": "http://collector.tracing:4318"}, "networkPolicy": {"egress": [COLLECTOR]}}
ROUTED = {"ingress": {"enabled": True, "className": "nginx", "host": "siamese.example.org", "tlsSecret": "certificate"}}
TESTED = [
    {"autoscaling": {"enabled": True}, **MONITORED},
    {"model": {"from": "volume", "claim": "models"}, "keysSecret": "keys"},
    {"model": {"from": "fetch", "fetch": {"image": "models:1", "command": ["cp", "/model.onnx", "/models/"]}}},
    {"settings": {"SIAMESE_MODEL__THRESHOLD": "0.9"}, "networkPolicy": {"enabled": False}},
    {"adminPort": 9191, **MONITORED},
    TRACED,
    ROUTED,
]
# Values that the chart refuses, each with a part of its reason.
REFUSED = [
    ({"serviceMonitor": {"enabled": True}}, "metricsFrom"),
    ({"settings": TRACED["settings"]}, "networkPolicy.egress"),
    ({"settings": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.tracing:4318"}}, "networkPolicy.egress"),
    ({"ingress": {"enabled": True}}, "ingress.host"),
    ({"settings": {"SIAMESE_SERVER__ADMIN_LISTEN": "0.0.0.0:9191"}}, "adminPort"),
]
# The kinds of the Prometheus operator, which are not part of Kubernetes.
OPERATOR = ("ServiceMonitor", "PrometheusRule")
# For each load balancer, the settings for the keep-alive time and the response timeout, in seconds.
BALANCERS = {
    "compose/haproxy.cfg": (r"http-keep-alive (\d+)s", r"timeout server (\d+)s"),
    "nginx/nginx.conf": (r"keepalive_timeout (\d+)s", r"proxy_read_timeout (\d+)s"),
    "envoy/envoy.yaml": (r"idle_timeout: (\d+)s", r"  timeout: (\d+)s\n"),
}


def environment() -> None:
    """Restarts the script in an environment with its requirements."""
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
    # Run level 1 keeps the package from starting its service.
    command = ["env", "RUNLEVEL=1", "apt-get", "-q", "install", "--yes", "--no-install-recommends", package]
    subprocess.run([*root, *command], check=True, stdout=subprocess.DEVNULL)


def run(*command: object) -> None:
    done = subprocess.run([str(argument) for argument in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise AssertionError(f"{command[0]}: {done.stdout}{done.stderr}")


def rendered(values: dict) -> dict:
    """The files of the chart by their paths."""
    from helm_python import Chart

    with Chart.load(CHART) as chart:
        return chart.render(values=values, name="siamese", namespace="siamese")


def render(values: dict) -> str:
    files = sorted(rendered(values).items())
    texts = [text.strip() for path, text in files if text.strip() and not path.endswith("NOTES.txt")]
    return "\n---\n".join(texts) + "\n"


def of_kind(values: dict, kind: str) -> list[dict]:
    import yaml

    return [manifest for manifest in yaml.safe_load_all(render(values)) if manifest["kind"] == kind]


def check_chart() -> None:
    import kubernetes_validate
    import yaml
    from helm_python import lint

    report = lint(CHART)
    # Severity 2 is a warning.
    assert not report["errors"] and all(message["severity"] < 2 for message in report["messages"]), report
    for values in [*KEPT.values(), *TESTED]:
        for manifest in yaml.safe_load_all(render(values)):
            if manifest["kind"] not in OPERATOR:
                kubernetes_validate.validate(manifest, "1.37", strict=True)
    for values, reason in REFUSED:
        try:
            render(values)
        except Exception as err:
            assert reason in str(err), err
        else:
            raise AssertionError(f"the chart renders {values}")


def check_notes() -> None:
    """Checks that the notes name the addresses and what a user may have forgotten."""

    def notes(values: dict) -> str:
        [text] = [text for path, text in rendered(values).items() if path.endswith("NOTES.txt")]
        return text

    default = notes({})
    for part in ("siamese.siamese:80", "port-forward service/siamese 8080:80", "no API keys", "networkPolicy.from"):
        assert part in default, f"the notes lack {part}: {default}"
    assert "no API keys" not in notes({"keysSecret": "keys"})
    assert "https://siamese.example.org" in notes(ROUTED)
    assert "serviceMonitor.enabled" not in notes(MONITORED)


def check_network() -> None:
    """Checks what the network policy admits."""
    [closed] = of_kind({}, "NetworkPolicy")
    assert closed["spec"]["egress"] == [], "outgoing traffic is open by default"
    [traced] = of_kind(TRACED, "NetworkPolicy")
    [names, collector] = traced["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53} and collector == COLLECTOR
    [routed] = of_kind(ROUTED, "NetworkPolicy")
    [requests] = routed["spec"]["ingress"]
    controller = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
    assert requests["ports"] == [{"port": "http"}] and controller in requests["from"], "the Ingress cannot reach the pods"
    [ingress] = of_kind(ROUTED, "Ingress")
    [path] = ingress["spec"]["rules"][0]["http"]["paths"]
    [service] = of_kind(ROUTED, "Service")
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": service["spec"]["ports"][0]["name"]}}


def check_alert_labels() -> None:
    """Checks that the alerts of the chart concern the job of its ServiceMonitor, and that Prometheus selects both."""
    import yaml

    [monitor], [rules] = (of_kind(MONITORED, kind) for kind in OPERATOR)
    [admin] = [service for service in of_kind(MONITORED, "Service") if service["spec"].get("clusterIP") == "None"]
    labels = admin["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items(), "the ServiceMonitor selects no Service"
    alerts = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    assert rules["spec"] == yaml.safe_load(alerts), "the chart renders other alerts"
    job = labels[monitor["spec"]["jobLabel"]]
    assert set(re.findall(r'job="(.*?)"', alerts)) == {job}, f"the alerts do not concern the job {job}"
    for manifest in (monitor, rules):
        assert manifest["metadata"]["labels"]["release"] == "prometheus", f"Prometheus does not select the {manifest['kind']}"


def check_rendered() -> None:
    # A chart contains only files of its own folder.
    alerts = DEPLOY / "prometheus" / "alerts.yml"
    if "--write" in sys.argv:
        shutil.copyfile(alerts, CHART / "alerts.yml")
    assert (CHART / "alerts.yml").read_bytes() == alerts.read_bytes(), "the alerts of the chart differ; use --write"
    for name, values in KEPT.items():
        path = RENDERED / name
        text = f"# Rendered from deploy/helm/siamese by scripts/check_deploy.py --write.\n{render(values)}"
        if "--write" in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists() and path.read_text() == text, f"{path.name} differs from the rendered chart; use --write"


def check_numbers() -> None:
    """Checks that times, memory limits and metric names agree with the server and its documentation."""
    import yaml

    server = tomllib.loads((ROOT / "config" / "default.toml").read_text())["server"]
    needed = (server["lame_duck_ms"] + server["drain_ms"]) / 1000
    for name in KEPT:
        manifests = {manifest["kind"]: manifest for manifest in yaml.safe_load_all((RENDERED / name).read_text())}
        pod = manifests["Deployment"]["spec"]["template"]["spec"]
        container = pod["containers"][0]
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        stop = int(variables["SIAMESE_SERVER__LAME_DUCK_MS"]) + int(variables["SIAMESE_SERVER__DRAIN_MS"])
        assert stop / 1000 < pod["terminationGracePeriodSeconds"], "a shutdown takes longer than the grace period"
        ready = container["readinessProbe"]
        notice = ready["periodSeconds"] * ready["failureThreshold"] * 1000
        assert notice < int(variables["SIAMESE_SERVER__LAME_DUCK_MS"]), "the lame duck ends before the readiness probe fails"
        limit = container["resources"]["limits"]["memory"]
        documented_memory = re.search(r"\*\*(\d+) GiB per replica\*\*", (ROOT / "docs" / "deploying.md").read_text())[1]
        # The guide states the memory for two cores. Without a limit of cores, a large machine would need more.
        assert container["resources"]["limits"]["cpu"] == "2", "the chart does not limit the cores to two"
        assert limit == f"{documented_memory}Gi", f"the memory limit of the chart is {limit}, but docs/deploying.md states {documented_memory} GiB"
    compose = yaml.safe_load((DEPLOY / "compose" / "docker-compose.yml").read_text())
    grace = compose["services"]["siamese"]["stop_grace_period"]
    assert needed < float(grace.removesuffix("s")), "Compose kills a replica that still drains"
    assert compose["services"]["siamese"]["deploy"]["resources"]["limits"]["memory"] == f"{documented_memory}G", "the memory limit of Compose differs"
    assert compose["services"]["siamese"]["environment"]["SIAMESE_IMAGE__DECODES"] == "2", "Compose decodes more than the memory limit allows"
    for path, (keep_alive, response_timeout) in BALANCERS.items():
        text = (DEPLOY / path).read_text()
        keep_alive = re.search(keep_alive, text)
        assert int(keep_alive[1]) * 1000 < server["idle_timeout_ms"], f"{path} keeps connections longer than the server"
        response_timeout = re.search(response_timeout, text)
        assert server["deadline_ms"] < int(response_timeout[1]) * 1000, f"{path} times out before the server responds"
    documented = (ROOT / "docs" / "operating.md").read_text()
    metric = re.search(r"metric: \{name: (\w+)\}", (CHART / "templates" / "autoscaling.yaml").read_text())[1]
    assert f"`{metric}`" in documented, f"{metric} is not a metric of the server"


def check_admin_port() -> None:
    """Checks that health and metrics use the admin port, and that nothing publishes it."""
    import yaml

    dockerfile = (ROOT / "Dockerfile").read_text()
    port = int(re.search(r"SIAMESE_SERVER__ADMIN_LISTEN=0\.0\.0\.0:(\d+)", dockerfile)[1])
    assert re.findall(r"^EXPOSE (.*)", dockerfile, re.MULTILINE) == ["8080"], "the image exposes more than the service port"
    for values in [*KEPT.values(), *TESTED]:
        manifests = list(yaml.safe_load_all(render(values)))
        [deployment] = [manifest for manifest in manifests if manifest["kind"] == "Deployment"]
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        admin_port = values.get("adminPort", port)
        assert {named["name"]: named["containerPort"] for named in container["ports"]} == {"http": 8080, "admin": admin_port}
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        assert variables["SIAMESE_SERVER__ADMIN_LISTEN"] == f"0.0.0.0:{admin_port}"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == "admin", f"the {probe} uses the service port"
        policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
        for rule in [rule for policy in policies for rule in policy["spec"]["ingress"]]:
            assert len(rule["ports"]) == 1 and rule["from"], f"a rule admits too much: {rule}"
        for service in [manifest for manifest in manifests if manifest["kind"] == "Service"]:
            headless = service["spec"].get("clusterIP") == "None"
            assert [exposed["targetPort"] for exposed in service["spec"]["ports"]] == ["admin" if headless else "http"]
    health = {
        "compose/haproxy.cfg": rf"default-server port {port} ",
        "compose/prometheus.yml": rf"names: \[siamese\]\n *type: A\n *port: {port}\n",
        "envoy/envoy.yaml": rf"health_check_config: {{port_value: {port}}}",
    }
    for path, pattern in health.items():
        assert re.search(pattern, (DEPLOY / path).read_text()), f"{path} does not use port {port}"


def check_published() -> None:
    """Checks that Compose publishes the service port only, and monitoring on the loopback address only."""
    import yaml

    def published(file: str) -> dict:
        services = yaml.safe_load((DEPLOY / "compose" / file).read_text())["services"]
        return {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published("docker-compose.yml") == {"haproxy": ["8080:8080"]}
    for service, ports in published("docker-compose.monitoring.yml").items():
        assert all(address.startswith("127.0.0.1:") for address in ports), f"{service} is not limited to the loopback address"


def check_digests() -> None:
    """Checks that container images and workflow actions are pinned by digest."""
    digest = re.compile(r"@sha256:[0-9a-f]{64}$")
    dockerfile = (ROOT / "Dockerfile").read_text()
    bases = dict(re.findall(r"^ARG (\w+)=(.*)", dockerfile.split("FROM", 1)[0], re.MULTILINE))
    for name, image in bases.items():
        assert digest.search(image), f"{name} is {image}, without a digest"
    stages = {"scratch", *(f"${{{name}}}" for name in bases)}
    for base, stage in re.findall(r"^FROM (\S+)(?: AS (\S+))?", dockerfile, re.MULTILINE):
        assert base in stages, f"FROM {base}"
        stages.add(stage)
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    assert f"rust:{toolchain}-" in bases["RUST_IMAGE"], f"the image is not built with Rust {toolchain}"
    for path in (DEPLOY / "compose").glob("docker-compose*.yml"):
        for image in re.findall(r"^ *image: (\S+)", path.read_text(), re.MULTILINE):
            assert image == "siamese" or digest.search(image), f"{path.name}: {image} without a digest"
    for path in (ROOT / ".github" / "workflows").iterdir():
        for action in re.findall(r"uses: (\S+)", path.read_text()):
            assert re.search(r"@[0-9a-f]{40}$", action), f"{path.name}: {action}"


def check_haproxy() -> None:
    install("haproxy", "haproxy")
    run("/usr/sbin/haproxy", "-c", "-f", DEPLOY / "compose" / "haproxy.cfg")
    check_balancers.check("haproxy")


def check_nginx() -> None:
    install("nginx", "nginx-light")
    # nginx resolves these names at the start, and they exist only in a network of replicas.
    text = re.sub(r"siamese-\d:8080", "127.0.0.1:8080", (DEPLOY / "nginx" / "nginx.conf").read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(text)
        file.flush()
        run("/usr/sbin/nginx", "-t", "-q", "-c", file.name)
    check_balancers.check("nginx")


def check_envoy() -> None:
    program = TOOLS / "bin" / "envoy"
    run(program, "--mode", "validate", "--config-path", DEPLOY / "envoy" / "envoy.yaml")
    check_balancers.check("envoy", program)


def check_dockerfile() -> None:
    # A build stage need not pin packages (DL3008). Its pipes end in commands that fail by themselves (DL4006).
    ignored = [f"--ignore={rule}" for rule in ("DL3008", "DL4006", "DL3003")]
    run(TOOLS / "bin" / "hadolint", *ignored, "Dockerfile")


def check_workflows() -> None:
    import yaml

    run(TOOLS / "bin" / "zizmor", "--offline", "--no-progress", ROOT / ".github" / "workflows")
    for path in (ROOT / ".github" / "workflows").iterdir():
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}, f"{path.name} grants permissions to every job"
        for name, job in workflow["jobs"].items():
            signs = any(step.get("uses", "").startswith("actions/attest@") for step in job.get("steps", []))
            for permission in ("id-token", "attestations"):
                assert (job["permissions"].get(permission) == "write") == signs, f"{path.name}: {name} and {permission}"
            for step in job.get("steps", []):
                if step.get("run") in (".ci/run", "scripts/audit.sh"):
                    assert step["env"]["ADVISORIES"] == "required", f"{path.name}: advisories are not required"
                if step.get("run") == ".ci/run":
                    assert step["env"]["MSRV"] == "required", f"{path.name}: the oldest Rust is not required"


def main() -> None:
    environment()
    checks = [
        check_rendered, check_chart, check_notes, check_network, check_alert_labels, check_numbers, check_admin_port, check_published, check_digests,
        check_haproxy, check_nginx, check_envoy, check_dockerfile, check_workflows,
    ]
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
