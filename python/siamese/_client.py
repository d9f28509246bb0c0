"""Clients of a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

try:
    import httpx
except ImportError as error:
    raise ImportError("the clients need httpx: pip install 'siamese[client]'") from error
import numpy as np

from . import _calls
from ._calls import Call, of_all, seconds_until_retry
from ._errors import ConnectionFailed, Problem
from ._images import Image
from ._results import Changes, Comparison, Detection, Embedded

T = TypeVar("T")


class _Base:
    """What both clients have in common: which model serves, how often a request is sent, and after which waits."""

    def __init__(self, api_key: str | None, model: str | None, timeout: float, retries: int) -> None:
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._model = model
        self._timeout = timeout
        self._retries = retries

    def _wait(self, response: httpx.Response, tries: int) -> float | None:
        """How many seconds to wait before the request is sent again; `None` if it is not."""
        if response.status_code not in (429, 503) or self._retries < tries:
            return None
        wait = seconds_until_retry(response)
        return wait if wait is not None and wait <= self._timeout else None


class Client(_Base):
    """A client of the server at `url`, such as `http://localhost:8080`.

    `api_key` is a key of the server. `model` is the name or the digest of the model that serves all requests; without it,
    that is the first model of the server. `timeout` is the number of seconds that each step of a request may take: to
    connect, to send, and to wait for the response. A server that is overloaded (503, 429) says when it wants the request
    again: the client then waits, and sends it again at most `retries` times, unless the wait is longer than the timeout. No
    other request is sent twice. `transport` replaces that of `httpx`, for instance for a proxy or for tests.

    Several threads may use one client. Close it after use, or use it in a `with` statement.

    All methods raise `Problem` if the server responds with an error, and `ConnectionFailed` if it does not respond. An image
    is one as for `siamese.Model`. Images of Pillow and arrays are sent without compression.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        model: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(api_key, model, timeout, retries)
        self._http = httpx.Client(base_url=url, headers=self._headers, timeout=timeout, transport=transport)

    def compare(
        self,
        a: Image | Embedded,
        b: Image | Embedded,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        faces: str | None = None,
    ) -> Comparison:
        """Compares two images, or stored embeddings.

        `threshold` replaces that of the server. `fmr` selects the operating point with the largest threshold whose false match
        rate is at most that. `faces` is `largest` or `only`; without it, the settings of the server decide.
        """
        return self._send(_calls.compare(a, b, threshold, fmr, faces))

    def embed(self, image: Image, *, faces: str | None = None) -> Embedded:
        """Embeds an image. The result can be stored and compared later."""
        return self._send(_calls.embed(image, faces))

    def embed_many(self, images: Iterable[Image], *, faces: str | None = None) -> np.ndarray:
        """Embeds images, some in each request: `float32` of the shape `(n, width)`.

        Without images, the shape is `(0, 0)`. If an image is bad, the `field` of the problem has its position among all images,
        from 0.
        """
        rows = []
        for done, call in _calls.embed_many(images, faces):
            try:
                rows.append(self._send(call))
            except Problem as problem:
                raise of_all(problem, done) from None
        return np.concatenate(rows) if rows else np.empty((0, 0), np.float32)

    def detect(self, image: Image) -> Detection:
        """Finds the faces in an image."""
        return self._send(_calls.detect(image))

    def changes(
        self,
        before: Image,
        after: Image,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        align: str | None = None,
        cell: float | None = None,
        ignore: Iterable[Sequence[float]] = (),
    ) -> Changes:
        """Finds what has changed between two images of a scene. The arguments are those of `siamese.Model.changes`."""
        return self._send(_calls.changes(before, after, threshold, fmr, align, cell, ignore))

    def model(self) -> dict[str, Any]:
        """The card of the model, and the threshold in force."""
        return self._send(_calls.model())

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _send(self, call: Call[T]) -> T:
        tries = 0
        while True:
            try:
                response = self._http.request(**call.arguments(self._model))
            except httpx.TransportError as error:
                raise ConnectionFailed(f"{self._http.base_url}: {error}") from error
            tries += 1
            wait = self._wait(response, tries)
            if wait is None:
                return call.result(response)
            time.sleep(wait)


class AsyncClient(_Base):
    """A client of the server at `url` for `asyncio`. Its arguments and methods are those of `Client`.

    Close it with `aclose`, or use it in an `async with` statement.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        model: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(api_key, model, timeout, retries)
        self._http = httpx.AsyncClient(base_url=url, headers=self._headers, timeout=timeout, transport=transport)

    async def compare(
        self,
        a: Image | Embedded,
        b: Image | Embedded,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        faces: str | None = None,
    ) -> Comparison:
        """As `Client.compare`."""
        return await self._send(_calls.compare(a, b, threshold, fmr, faces))

    async def embed(self, image: Image, *, faces: str | None = None) -> Embedded:
        """As `Client.embed`."""
        return await self._send(_calls.embed(image, faces))

    async def embed_many(self, images: Iterable[Image], *, faces: str | None = None) -> np.ndarray:
        """As `Client.embed_many`."""
        rows = []
        for done, call in _calls.embed_many(images, faces):
            try:
                rows.append(await self._send(call))
            except Problem as problem:
                raise of_all(problem, done) from None
        return np.concatenate(rows) if rows else np.empty((0, 0), np.float32)

    async def detect(self, image: Image) -> Detection:
        """As `Client.detect`."""
        return await self._send(_calls.detect(image))

    async def changes(
        self,
        before: Image,
        after: Image,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        align: str | None = None,
        cell: float | None = None,
        ignore: Iterable[Sequence[float]] = (),
    ) -> Changes:
        """As `Client.changes`."""
        return await self._send(_calls.changes(before, after, threshold, fmr, align, cell, ignore))

    async def model(self) -> dict[str, Any]:
        """As `Client.model`."""
        return await self._send(_calls.model())

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, call: Call[T]) -> T:
        tries = 0
        while True:
            try:
                response = await self._http.request(**call.arguments(self._model))
            except httpx.TransportError as error:
                raise ConnectionFailed(f"{self._http.base_url}: {error}") from error
            tries += 1
            wait = self._wait(response, tries)
            if wait is None:
                return call.result(response)
            await asyncio.sleep(wait)
