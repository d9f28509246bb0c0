"""The requests of a client, and how their responses are read. Both clients send them."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import numpy as np

from . import _results
from ._errors import Problem, UnexpectedResponse
from ._images import Image, content, refuse_one
from ._results import Changes, Comparison, Detection, Embedded

T = TypeVar("T")

#: The most images, and about the most bytes, of one request. A server accepts 64 images and 20 MiB by default.
IMAGES = 32
BYTES = 16 << 20


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and how its response becomes a result."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: dict[str, Any] = field(default_factory=dict)
    #: Other arguments of `httpx.Client.request`.
    body: dict[str, Any] = field(default_factory=dict)
    accept: str = "application/json"

    def arguments(self, model: str | None) -> dict[str, Any]:
        """The arguments of `httpx.Client.request`, for the model of this name or for the first one."""
        params = {name: value for name, value in self.params.items() if value is not None}
        headers = {"Accept": self.accept, **self.body.get("headers", {})}
        return {"method": self.method, "url": self._path(model), "params": params, **self.body, "headers": headers}

    def _path(self, model: str | None) -> str:
        if model is None:
            return self.path
        # The card is the resource of the model itself.
        return f"/models/{quote(model, safe='')}{self.path.removesuffix('/model')}"

    def result(self, response: httpx.Response) -> T:
        """The result, or the problem that the response states."""
        if not response.is_success:
            raise problem(response)
        try:
            return self.read(response)
        except (ValueError, KeyError, TypeError) as error:
            # A proxy may answer in place of the server, such as with a page to log in.
            raise UnexpectedResponse(f"{response.url}: not a response of the server: {error}") from error


def compare(
    a: Image | Embedded, b: Image | Embedded, threshold: float | None, fmr: float | None, faces: str | None
) -> Call[Comparison]:
    params = {"threshold": threshold, "fmr": fmr, "faces": faces}
    if isinstance(a, Embedded) or isinstance(b, Embedded):
        body: dict[str, Any] = {"json": {"a": _source(a), "b": _source(b)}}
    else:
        body = {"files": [_part("a", content(a)), _part("b", content(b))]}
    return Call("POST", "/compare", lambda response: _results.comparison(response.json()), params, body)


def embed(image: Image, faces: str | None) -> Call[Embedded]:
    def read(response: httpx.Response) -> Embedded:
        values = response.json()
        return _results.embedded(values, values["model"]["digest"])

    return Call("POST", "/embed", read, {"faces": faces}, _upload(image))


def embed_many(images: Iterable[Image], faces: str | None) -> Iterator[tuple[int, Call[np.ndarray]]]:
    """Requests for some images each, and how many images are in the requests before."""

    def read(response: httpx.Response) -> np.ndarray:
        return np.atleast_2d(np.load(io.BytesIO(response.content), allow_pickle=False))

    refuse_one(images)
    done = 0
    for uploads in _portions(images):
        body = {"files": [_part("image", upload) for upload in uploads]}
        yield done, Call("POST", "/embed", read, {"faces": faces}, body, "application/x-npy")
        done += len(uploads)


def detect(image: Image) -> Call[Detection]:
    return Call("POST", "/detect", lambda response: _results.detection(response.json()), body=_upload(image))


def changes(
    before: Image,
    after: Image,
    threshold: float | None,
    fmr: float | None,
    align: str | None,
    cell: float | None,
    ignore: Iterable[Sequence[float]],
) -> Call[Changes]:
    rectangles = ";".join(",".join(str(float(number)) for number in rectangle) for rectangle in ignore)
    params = {"threshold": threshold, "fmr": fmr, "align": align, "cell": cell, "ignore": rectangles or None}
    body = {"files": [_part("before", content(before)), _part("after", content(after))]}
    return Call("POST", "/changes", lambda response: _results.changes(response.json()), params, body)


def model() -> Call[dict[str, Any]]:
    return Call("GET", "/model", lambda response: response.json())


def seconds_until_retry(response: httpx.Response) -> float | None:
    """After how many seconds the server wants the request again; `None` if it does not say."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def problem(response: httpx.Response) -> Problem:
    """The problem that a response states. A proxy may have sent it, in another form."""
    try:
        values = response.json()
        code, detail = values["code"], values["detail"]
    except (ValueError, KeyError, TypeError):
        values, code, detail = {}, "unknown", response.reason_phrase
    request_id = response.headers.get("X-Request-Id")
    wait = seconds_until_retry(response)
    return Problem(response.status_code, code, detail, values.get("field"), request_id, wait)


def of_all(problem: Problem, done: int) -> Problem:
    """A problem of a request for some images, with the position of the image among all."""
    if problem.field:
        problem.field = re.sub(r"\d+", lambda index: str(done + int(index[0])), problem.field)
    return problem


def _upload(image: Image) -> dict[str, Any]:
    return {"content": content(image), "headers": {"Content-Type": "application/octet-stream"}}


def _part(name: str, upload: bytes) -> tuple[str, tuple[str, bytes, str]]:
    return name, (name, upload, "application/octet-stream")


def _source(source: Image | Embedded) -> dict[str, Any]:
    if isinstance(source, Embedded):
        return {"embedding": source.embedding.tolist(), "digest": source.digest}
    return {"image": base64.b64encode(content(source)).decode()}


def _portions(images: Iterable[Image]) -> Iterator[list[bytes]]:
    portion: list[bytes] = []
    for image in images:
        upload = content(image)
        if portion and (len(portion) == IMAGES or BYTES < sum(map(len, portion)) + len(upload)):
            yield portion
            portion = []
        portion.append(upload)
    if portion:
        yield portion
