"""The package `openai`, unchanged, as a client of this server."""

import base64
import json
import math
import urllib.request

import openai
import pytest

from conftest import FACES, Server

KEY = "a-key-of-openai-0123456789"


def uri(name: str) -> str:
    return "data:image/jpeg;base64," + base64.b64encode((FACES / name).read_bytes()).decode()


def embedded(server, name: str) -> list[float]:
    """The embedding by this server's own route."""
    request = urllib.request.Request(
        f"{server.address}/embed", (FACES / name).read_bytes(), {"content-type": "image/jpeg"}
    )
    return json.load(urllib.request.urlopen(request))["embedding"]


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.address}/v1", api_key="unused", max_retries=0)


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_embeddings_are_those_of_the_server(server, client, options):
    names = ["s5_1.jpg", "s1_1.jpg"]
    response = client.embeddings.create(model="faces", input=[uri(name) for name in names], **options)
    assert response.model == "faces" and [item.index for item in response.data] == [0, 1]
    for item, name in zip(response.data, names):
        vector = item.embedding
        if isinstance(vector, str):
            vector = memoryview(base64.b64decode(vector)).cast("f").tolist()
        assert math.dist(vector, embedded(server, name)) < 1e-5


def test_the_models_are_listed(client):
    first, *others = client.models.list().data
    assert first.id == "faces" and client.models.retrieve("faces") == first
    assert "things" in [model.id for model in others]


def test_errors_have_the_classes_of_the_package(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.embeddings.create(model="text-embedding-3-small", input=uri("s5_1.jpg"))
    assert unknown.value.code == "model_not_found" and unknown.value.param == "model"
    with pytest.raises(openai.UnprocessableEntityError, match="the server fetches nothing") as url:
        client.embeddings.create(model="faces", input=["https://example.com/a.jpg"])
    assert url.value.code == "base64_invalid" and url.value.param == "input[0]"
    with pytest.raises(openai.BadRequestError, match="128 dimensions"):
        client.embeddings.create(model="faces", input=uri("s5_1.jpg"), dimensions=256)


def test_a_key_is_a_key():
    server = Server(SIAMESE_AUTH__KEYS=KEY)
    try:
        client = openai.OpenAI(base_url=f"{server.address}/v1", api_key=KEY, max_retries=0)
        assert len(client.embeddings.create(model="faces", input=uri("s5_1.jpg")).data) == 1
        with pytest.raises(openai.AuthenticationError) as refused:
            client.with_options(api_key="another-key-0123456789").models.list()
        assert refused.value.code == "invalid_api_key"
    finally:
        server.stop()
