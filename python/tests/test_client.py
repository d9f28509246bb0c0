"""The clients, and their agreement with the server's OpenAPI document."""

import asyncio
import dataclasses
import json
from urllib.parse import parse_qs

import httpx
import numpy as np
import pytest
from conftest import SAMPLES

import siamese

A, B = SAMPLES / "s5_1.jpg", SAMPLES / "s5_2.jpg"


def test_each_client_has_all_answers_of_a_server(servers):
    with siamese.Client(servers("faces"), timeout=60) as client:
        comparison = client.compare(A, B, fmr=0.01)
        embedded = client.embed(A)
        detection = client.detect(A)
        rows = client.embed_many([A] * 40)
        assert client.embed_many([]).shape == (0, 0)
        assert client.compare(embedded, B).distance == client.compare(A, B).distance
    assert comparison.is_same
    assert embedded.face == detection.faces[0] and (detection.width, detection.height) == (92, 112)
    assert rows.dtype == np.float32 and np.array_equal(rows, np.tile(embedded.embedding, (40, 1)))

    async def ask():
        async with siamese.AsyncClient(servers("faces"), timeout=60) as client:
            first = await asyncio.gather(client.compare(A, B, fmr=0.01), client.detect(A), client.model())
            return *first, await client.embed(A), await client.embed_many([A, B])

    same, faces, card, again, two = asyncio.run(ask())
    assert (same, faces, card["digest"]) == (comparison, detection, embedded.digest)
    assert np.array_equal(again.embedding, two[0])


def test_a_problem_states_everything(servers):
    with siamese.Client(servers("orl")) as client:
        with pytest.raises(siamese.Problem, match=r"415 image_format_unsupported \(b\): ") as caught:
            client.compare(A, b"not an image")
        assert caught.value.request_id
        with pytest.raises(siamese.Problem) as caught:
            client.embed_many([A] * 35 + [b""])
        assert (caught.value.code, caught.value.field) == ("image_empty", "images[35]")
        with pytest.raises(siamese.Problem, match="422 no_face_detector"):
            client.detect(A)
    with pytest.raises(siamese.ConnectionFailed, match="http://127.0.0.1:9"):
        siamese.Client("http://127.0.0.1:9").model()


def answers(*responses: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport with these responses, and the requests that it got."""
    left, requests = list(responses), []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return left.pop(0)

    return httpx.MockTransport(respond), requests


def overloaded(status: int = 503, wait: str | None = "0.01") -> httpx.Response:
    problem = {"status": status, "code": "overloaded", "detail": "the server is overloaded"}
    headers = {"X-Request-Id": "7", **({"Retry-After": wait} if wait else {})}
    return httpx.Response(status, json=problem, headers=headers)


CARD = {"name": "test"}


@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_server_is_asked_again(status):
    transport, requests = answers(overloaded(status), overloaded(status), httpx.Response(200, json=CARD))
    assert siamese.Client("http://test", "a-key", transport=transport).model() == CARD
    assert [request.headers["Authorization"] for request in requests] == ["Bearer a-key"] * 3

    async def ask():
        transport, _ = answers(overloaded(status), httpx.Response(200, json=CARD))
        async with siamese.AsyncClient("http://test", transport=transport) as client:
            return await client.model()

    assert asyncio.run(ask()) == CARD


@pytest.mark.parametrize(
    ("responses", "tries"),
    [([overloaded()] * 3, 3), ([overloaded(wait=None)], 1), ([overloaded(wait="60")], 1), ([overloaded(500)], 1)],
)
def test_a_request_is_not_repeated_without_end_or_reason(responses, tries):
    transport, requests = answers(*responses)
    with pytest.raises(siamese.Problem) as caught:
        siamese.Client("http://test", retries=2, transport=transport).model()
    assert (len(requests), caught.value.request_id) == (tries, "7")


def test_an_error_of_a_proxy_is_a_problem_too():
    transport, _ = answers(httpx.Response(502, text="<html>"))
    with pytest.raises(siamese.Problem, match="502 unknown: Bad Gateway"):
        siamese.Client("http://test", transport=transport).model()


def test_a_client_can_use_any_model_of_a_server(servers):
    url = servers("faces", "things")
    with siamese.Client(servers("things"), timeout=60) as client:
        card, comparison, rows = client.model(), client.compare(A, B), client.embed_many([A, B])
    with siamese.Client(url, model="things", timeout=60) as client, siamese.Client(url, timeout=60) as first:
        assert client.model()["digest"] == card["digest"] != first.model()["digest"]
        assert client.compare(A, B) == comparison != first.compare(A, B)
        assert np.array_equal(client.embed_many([A, B]), rows)
        with pytest.raises(siamese.Problem, match="422 no_face_detector"):
            client.detect(A)
    with siamese.Client(url, model="cars/1") as client, pytest.raises(siamese.Problem, match="404 model_unknown"):
        client.embed(A)

    async def ask():
        async with siamese.AsyncClient(url, model=card["digest"], timeout=60) as client:
            return await client.model(), await client.embed(A)

    again, embedded = asyncio.run(ask())
    assert again["digest"] == embedded.digest == card["digest"] and np.array_equal(embedded.embedding, rows[0])


def requests_of_all_methods(model: str | None) -> list[httpx.Request]:
    """A request of each method of a client, with all of its arguments."""
    transport, requests = answers(*[httpx.Response(500)] * 7)
    client = siamese.Client("http://test", model=model, transport=transport)
    stored = siamese.Embedded(np.zeros(2, np.float32), "sha256:0")
    judging = {"threshold": 1.0, "fmr": 0.1}
    for ask in (
        lambda: client.compare(A, B, **judging, faces="only"),
        lambda: client.compare(stored, B),
        lambda: client.embed(A, faces="only"),
        lambda: client.embed_many([A], faces="only"),
        lambda: client.detect(A),
        lambda: client.changes(A, B, **judging, align="none", cell=8.0, ignore=[(1, 2, 3, 4)]),
        client.model,
    ):
        with pytest.raises(siamese.Problem):
            ask()
    return requests


@pytest.mark.parametrize("model", [None, "{model}"])
def test_the_document_has_each_route_and_parameter_of_the_client(model, servers):
    document = httpx.get(f"{servers('faces')}/openapi.json").json()

    def resolved(schema: dict) -> dict:
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def names(schema: dict) -> set[str]:
        schema = resolved(schema)
        parts = [part for kind in ("oneOf", "anyOf", "allOf") for part in schema.get(kind, [])]
        return set(schema.get("properties", {})).union(*map(names, parts))

    for request in requests_of_all_methods(model):
        operation = document["paths"][request.url.path][request.method.lower()]
        parameters = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert set(parse_qs(request.url.query.decode())) <= parameters, request.url
        assert request.headers["Accept"] in operation["responses"]["200"]["content"], request.url
        if request.method == "GET":
            continue
        media = request.headers["Content-Type"].split(";")[0]
        schema = operation["requestBody"]["content"][media]["schema"]
        if media == "application/json":
            assert set(json.loads(request.content)) <= names(schema)
        if media == "multipart/form-data":
            sent = {part.split(b'"')[1].decode() for part in request.content.split(b"; name=")[1:]}
            assert sent and sent <= names(schema), request.url


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (siamese.Comparison, "Comparison"),
        (siamese.Seen, "Seen"),
        (siamese.Face, "Face"),
        (siamese.OperatingPoint, "Provenance"),
        (siamese.ResultWarning, "ResultWarning"),
        (siamese.Region, "Region"),
    ],
)
def test_the_document_has_each_field_of_a_result(kind, schema, servers):
    document = httpx.get(f"{servers('faces')}/openapi.json").json()

    def properties(schema: dict) -> set[str]:
        if "$ref" in schema:
            return properties(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
        parts = [part for kind in ("oneOf", "anyOf", "allOf") for part in schema.get(kind, [])]
        return set(schema.get("properties", {})).union(*map(properties, parts))

    fields = {field.name for field in dataclasses.fields(kind)}
    assert fields <= properties(document["components"]["schemas"][schema])
