"""Two generators take the server's OpenAPI document, and what they make works with the server."""

import base64
import importlib
import json
import pathlib
import pkgutil
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from pydantic import ValidationError

from conftest import FACES

A, B = ((FACES / name).read_bytes() for name in ("s5_1.jpg", "s5_2.jpg"))
IMAGE = base64.b64encode(A).decode()
# Media types that the generator does not know.
SETTINGS = """
content_type_overrides: {image/png: application/octet-stream, application/x-npy: application/octet-stream}
post_hooks: []
"""


def run(program: str, *arguments: str | pathlib.Path) -> str:
    """What a program of this environment prints."""
    command = [pathlib.Path(sys.executable).with_name(program), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def folder(server, tmp_path_factory):
    """A folder with the document, from which Python imports what is generated into it."""
    folder = tmp_path_factory.mktemp("generated")
    urllib.request.urlretrieve(f"{server.address}/openapi.json", folder / "openapi.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def generated(folder):
    """The package of openapi-python-client: imports a module of it by its name."""
    (folder / "settings.yml").write_text(SETTINGS)
    paths = ["--path", folder / "openapi.json", "--config", folder / "settings.yml", "--output-path", folder / "client"]
    printed = run("openapi-python-client", "generate", "--meta", "none", *paths)
    # It knows media types by their full names only. The same routes take images as application/octet-stream.
    left_out = printed.count("WARNING") - printed.count("Unsupported content type image/*")
    assert left_out == 0 and "ERROR" not in printed, printed
    return lambda name: importlib.import_module(f"client.{name}")


def test_all_of_a_generated_package_can_be_imported(folder, generated):
    package = importlib.import_module("client")
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, "client.")]
    for module in modules:
        importlib.import_module(module)
    schemas = json.loads((folder / "openapi.json").read_text())["components"]["schemas"]
    # Each class has the name of a schema: none is made up for a schema without a name.
    classes = {module.rsplit(".")[-1].replace("_", "") for module in modules if module.startswith("client.models.")}
    assert 60 < len(classes) < 110 and classes - {name.lower() for name in schemas} == set()


def test_a_generated_client_asks_the_server(server, generated):
    client = generated("client").Client(base_url=server.address, timeout=60)
    schemas, file = generated("models"), generated("types").File
    images = [file(payload=image, file_name="image.jpg", mime_type="image/jpeg") for image in (A, B)]

    listed = generated("api.models.models").sync(client=client)
    model = listed.models[0]
    assert (model.name, model.aligns_faces, model.width) == ("faces", True, 128)
    card = generated("api.models.card_of_model").sync(model.name, client=client)
    assert card.digest == model.model.digest and card.in_force.threshold == model.in_force.threshold

    form = schemas.PairForm(a=images[0], b=images[1])
    compared = generated("api.images.compare").sync(client=client, body=form, faces=schemas.FaceChoice.ONLY)
    assert compared.verdict is schemas.Verdict.SAME and 0 < compared.distance <= compared.threshold
    of_model = generated("api.images.compare_of_model").sync(model.name, client=client, body=form)
    assert of_model == compared
    body = schemas.OneImage(image=IMAGE)
    embedded = generated("api.images.embed").sync(client=client, body=body)
    assert len(embedded.embedding) == model.width and embedded.model == model.model
    assert generated("api.images.pixels").sync(client=client, body=body).payload.read(4) == b"\x89PNG"

    bad = schemas.PairRequest(a=IMAGE, b=base64.b64encode(b"not an image").decode())
    response = generated("api.images.compare").sync_detailed(client=client, body=bad)
    problem = response.parsed
    assert response.status_code == 415 and type(problem) is schemas.Problem
    assert (problem.code, problem.field, problem.status) == ("image_format_unsupported", "b", 415)


RESPONSES = {
    "Models": ("/models", None),
    "Card": ("/model", None),
    "Ready": ("/readyz", None),
    "Comparison": ("/compare", {"a": IMAGE, "b": IMAGE}),
    "Comparisons": ("/compare/batch", {"pairs": [{"a": IMAGE, "b": IMAGE}, {"a": IMAGE, "b": ""}]}),
    "OneEmbedding": ("/models/faces/embed", {"image": IMAGE}),
    "SeveralEmbeddings": ("/embed", {"images": [IMAGE, ""]}),
    "Detection": ("/detect", {"image": IMAGE}),
    "Problem": ("/detect", {"image": "!"}),
    "OpenAiEmbeddings": ("/v1/embeddings", {"input": IMAGE}),
    "OpenAiModels": ("/v1/models", None),
    "OpenAiError": ("/v1/embeddings", {"input": []}),
    "InferenceModel": ("/v2/models/faces", None),
    "InferenceError": ("/v2/models/faces/infer", {"inputs": []}),
}


@pytest.fixture(scope="module")
def types(folder):
    """The types that datamodel-code-generator makes for pydantic. They refuse members that the document does not have."""
    kind = ["--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel", "--extra-fields", "forbid"]
    paths = ["--input", folder / "openapi.json", "--output", folder / "types_of_api.py"]
    run("datamodel-codegen", *kind, "--formatters", "builtin", *paths)
    return importlib.import_module("types_of_api")


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_has_its_generated_type(server, types, name):
    path, body = RESPONSES[name]
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.address + path, data, {"content-type": "application/json"})
    try:
        text = urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        text = error.read()
    values = json.loads(text)
    assert getattr(types, name).model_validate(values)
    with pytest.raises(ValidationError):
        getattr(types, name).model_validate({**values, "another": 1})
