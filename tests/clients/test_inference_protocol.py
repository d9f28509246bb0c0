"""Triton's own client, `tritonclient`, as a client of this server."""

import base64
import json
import math
import urllib.request

import numpy
import pytest
import tritonclient.http as triton

from conftest import FACES, Server
from tritonclient.utils import InferenceServerException

NAMES = ["s5_1.jpg", "s1_1.jpg"]
KEY = "a-key-of-triton-0123456789"


def image(name: str) -> bytes:
    return (FACES / name).read_bytes()


def embedded(server) -> list[list[float]]:
    """The embeddings by this server's own route."""
    body = json.dumps({"images": [base64.b64encode(image(name)).decode() for name in NAMES]})
    request = urllib.request.Request(f"{server.address}/embed", body.encode(), {"content-type": "application/json"})
    return [result["embedding"] for result in json.load(urllib.request.urlopen(request))["results"]]


def images(shape: list[int], elements: list[bytes], binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput("image", shape, "BYTES")
    tensor.set_data_from_numpy(numpy.array(elements, dtype=numpy.object_).reshape(shape), binary_data=binary)
    return tensor


def pixels(client: triton.InferenceServerClient, count: int, value: float, binary: bool = True) -> triton.InferInput:
    inputs = {tensor["name"]: tensor for tensor in client.get_model_metadata("faces")["inputs"]}
    shape = [count, *inputs["pixels"]["shape"][1:]]
    tensor = triton.InferInput("pixels", shape, inputs["pixels"]["datatype"])
    tensor.set_data_from_numpy(numpy.full(shape, value, dtype=numpy.float32), binary_data=binary)
    return tensor


@pytest.fixture
def client(server):
    client = triton.InferenceServerClient(server.address.removeprefix("http://"))
    yield client
    client.close()


def check(server, result: triton.InferResult) -> None:
    embeddings = result.as_numpy("embedding")
    assert embeddings.dtype == numpy.float32 and embeddings.shape == (2, 128)
    for found, expected in zip(embeddings.tolist(), embedded(server)):
        assert math.dist(found, expected) < 1e-5


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_images_in_binary_are_embedded(server, client, shape):
    check(server, client.infer("faces", [images(shape, [image(name) for name in NAMES])]))


def test_images_and_embeddings_in_json(server, client):
    texts = [base64.b64encode(image(name)) for name in NAMES]
    output = triton.InferRequestedOutput("embedding", binary_data=False)
    result = client.infer("faces", [images([2], texts, binary=False)], outputs=[output], request_id="mine")
    assert result.get_response()["id"] == "mine"
    check(server, result)


def test_requests_run_at_the_same_time(server, client):
    inputs = [images([2], [image(name) for name in NAMES])]
    for request in [client.async_infer("faces", inputs) for _ in range(4)]:
        check(server, request.get_result())


def test_the_server_and_its_model_are_described(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("faces")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    model = client.get_model_metadata("faces")
    (version,) = model["versions"]
    assert client.get_model_metadata("faces", version) == model
    assert client.is_model_ready("faces", version)


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_are_embedded(client, binary):
    one, other = client.infer("faces", [pixels(client, 2, 0, binary)]).as_numpy("embedding").tolist()
    assert math.dist(one, other) < 1e-5 < math.hypot(*one)


def test_errors_are_those_of_the_client(client):
    with pytest.raises(InferenceServerException, match=r"inputs\[0\].data\[1\]: the image is empty") as empty:
        client.infer("faces", [images([2], [image(NAMES[0]), b""])])
    assert empty.value.status() == "422"
    with pytest.raises(InferenceServerException, match='the server has no model "other"') as unknown:
        client.infer("other", [images([1], [image(NAMES[0])])])
    assert unknown.value.status() == "404"
    with pytest.raises(InferenceServerException, match="must be between"):
        client.infer("faces", [pixels(client, 1, 255)])


def test_a_key_is_a_key():
    server = Server(SIAMESE_AUTH__KEYS=KEY)
    try:
        client = triton.InferenceServerClient(server.address.removeprefix("http://"))
        inputs, headers = [images([1], [image(NAMES[0])])], {"Authorization": f"Bearer {KEY}"}
        assert client.is_server_ready()
        assert client.infer("faces", inputs, headers=headers).as_numpy("embedding").shape == (1, 128)
        with pytest.raises(InferenceServerException, match="a valid API key is required") as refused:
            client.infer("faces", inputs)
        assert refused.value.status() == "401"
    finally:
        server.stop()
