"""Responses match the server's own OpenAPI document."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from checks import code
from conftest import FACES

IMAGE = base64.b64encode((FACES / "s5_1.jpg").read_bytes()).decode()
TENSOR = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [IMAGE]}
NO_FACE = base64.b64encode(b"P5 1 1 255\n\0").decode()
STORED = {"embedding": [0.5] * 128, "digest": "sha256:another"}
REQUESTS = [
    ("GET", "/livez", None, 200),
    ("GET", "/readyz", None, 200),
    ("GET", "/model", None, 200),
    ("POST", "/compare", {"a": IMAGE, "b": {"image": IMAGE}}, 200),
    ("POST", "/compare?threshold=0.8", {"a": IMAGE, "b": IMAGE}, 200),
    ("POST", "/compare?fmr=0.01", {"a": IMAGE, "b": IMAGE}, 200),
    ("POST", "/compare?fmr=0.00001", {"a": IMAGE, "b": IMAGE}, 422),
    ("POST", "/compare?threshold=near", {"a": IMAGE, "b": IMAGE}, 400),
    ("POST", "/compare?faces=only", {"a": IMAGE, "b": IMAGE}, 200),
    ("POST", "/compare?faces=all", {"a": IMAGE, "b": IMAGE}, 400),
    ("POST", "/compare", {"a": IMAGE, "b": NO_FACE}, 422),
    ("POST", "/compare", {"a": IMAGE}, 400),
    ("POST", "/compare", {"a": IMAGE, "b": STORED}, 409),
    ("POST", "/compare", {"a": IMAGE, "b": "aGVsbG8="}, 415),
    ("POST", "/compare/batch", {"pairs": [{"a": IMAGE, "b": IMAGE}, {"a": IMAGE, "b": ""}]}, 200),
    ("POST", "/compare/batch", {"pairs": []}, 422),
    ("POST", "/embed", {"image": IMAGE}, 200),
    ("POST", "/embed", {"images": [IMAGE, "", IMAGE]}, 200),
    ("POST", "/embed", {"image": IMAGE, "images": []}, 400),
    ("POST", "/detect", {"image": IMAGE}, 200),
    ("POST", "/detect", {"image": NO_FACE}, 200),
    ("POST", "/detect", {"images": [IMAGE, IMAGE]}, 422),
    ("POST", "/pixels", {"image": "!"}, 422),
    ("GET", "/v1/models", None, 200),
    ("POST", "/v1/embeddings", {"input": IMAGE}, 200),
    ("POST", "/v1/embeddings", {"input": [{"image_url": IMAGE}], "encoding_format": "base64"}, 200),
    ("POST", "/v1/embeddings", {"input": IMAGE, "model": "other"}, 404),
    ("POST", "/v1/embeddings", {"input": []}, 422),
    ("GET", "/v2", None, 200),
    ("GET", "/v2/health/live", None, 200),
    ("GET", "/v2/health/ready", None, 200),
    ("POST", "/v2/models/{name}/infer", {"inputs": [TENSOR]}, 200),
    ("POST", "/v2/models/{name}/infer", {"inputs": [{**TENSOR, "data": ["!"]}]}, 422),
    ("POST", "/v2/models/{name}/infer", {"inputs": []}, 400),
    ("GET", "/v2/models/{name}", None, 200),
    ("GET", "/v2/models/{name}/ready", None, 200),
    ("GET", "/v1/models/{id}", None, 200),
]


def send(address: str, method: str, path: str, body) -> tuple[int, str, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"content-type": "application/json"}, method=method)
    try:
        response = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        response = error
    return response.status, response.headers.get_content_type(), response.read()


@pytest.fixture(scope="session")
def document(server) -> dict:
    return json.loads(send(server.address, "GET", "/openapi.json", None)[2])


@pytest.mark.parametrize(("method", "path", "body", "status"), REQUESTS)
def test_a_response_is_as_documented(server, document, method, path, body, status):
    named = path.replace("{name}", "faces").replace("{id}", "faces")
    found, kind, response = send(server.address, method, named, body)
    assert found == status
    operation = document["paths"][path.split("?")[0]][method.lower()]
    documented = operation["responses"][str(status)]
    whole = {**documented["content"][kind]["schema"], "components": document["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(json.loads(response))
    # The errors of the Open Inference Protocol have no code.
    if status != 200 and not path.startswith("/v2"):
        assert code(json.loads(response)) in documented["x-codes"]


@pytest.mark.parametrize(("path", "status"), [("/compare", 200), ("/embed", 200), ("/compare?threshold=near", 400)])
def test_the_headers_of_a_response_are_documented(server, document, path, status):
    body = {"image": IMAGE} if path == "/embed" else {"a": IMAGE, "b": IMAGE}
    headers = {"content-type": "application/json", "accept": "application/octet-stream" if path == "/embed" else "*/*"}
    request = urllib.request.Request(server.address + path, json.dumps(body).encode(), headers)
    try:
        response = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        response = error
    documented = document["paths"][path.split("?")[0]]["post"]["responses"][str(status)]["headers"]
    ours = {name for name in response.headers if name.lower().startswith(("siamese-", "x-request-", "server-timing"))}
    assert response.status == status and {name.lower() for name in ours} == {name.lower() for name in documented}


def test_a_wrong_response_is_rejected(document):
    """Shows that the check above can fail."""
    schema = {"$ref": "#/components/schemas/Comparison", "components": document["components"]}
    assert not jsonschema_rs.Draft202012Validator(schema).is_valid({"verdict": "perhaps"})


def test_the_document_is_valid(document):
    validate(document)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    named = [operation["operationId"] for operation in operations]
    assert 20 < len(named) == len(set(named))


def test_all_errors_of_a_protocol_have_one_schema(document):
    errors = [
        (content["schema"]["$ref"].rsplit("/")[-1], response)
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        for content in response["content"].values()
        if status != "200"
    ]
    assert {name for name, _ in errors} == {"Problem", "OpenAiError", "InferenceError"}
    for name, response in errors:
        codes = response.get("x-codes", [])
        assert bool(codes) == (name != "InferenceError")
        assert [code for code in codes if f"`{code}`" not in response["description"]] == []


def test_every_code_is_documented(document):
    source = pathlib.Path(__file__).parents[2] / "src" / "http" / "error.rs"
    table = source.read_text().split("fn definition(self)")[1].split("\n    }\n")[0]
    # No route documents the codes of unknown paths and methods. For an unknown model, other protocols have other codes.
    codes = set(table.split('"')[1::2]) - {"not_found", "method_not_allowed", "model_unknown"}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    responses = [response for operation in operations for response in operation["responses"].values()]
    documented = {code for response in responses for code in response.get("x-codes", [])}
    assert 20 < len(codes) and codes - documented == set()


def test_schemathesis_finds_nothing(server, tmp_path):
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    configuration = pathlib.Path(__file__).with_name("schemathesis.toml")
    command = [program, "--config-file", configuration, "run", f"{server.address}/openapi.json", "--seed", "1"]
    # It imports the check of codes.
    environment = {**os.environ, "PYTHONPATH": str(configuration.parent)}
    found = subprocess.run(
        [*command, "--max-examples", "50"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr
