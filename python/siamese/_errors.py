"""The exceptions of the package."""

from __future__ import annotations


class Error(Exception):
    """Any error of this package, except invalid arguments (`TypeError`, `ValueError`)."""


class LoadError(Error):
    """A model can't be loaded. The text states the file and the reason."""


class RunError(Error):
    """ONNX Runtime failed while it ran a model."""


class ChangesError(Error):
    """Two images can't be compared place by place. The text states the reason."""


class ImageError(Error):
    """An image can't be read or decoded, or shows no face for a model that needs one.

    `index` is the position of the image among the arguments, from 0, and `reason` is a text for people.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(index, reason)
        self.index = index
        self.reason = reason

    def __str__(self) -> str:
        return f"image {self.index}: {self.reason}"


class ConnectionFailed(Error):
    """The server can't be reached, or did not respond in time."""


class UnexpectedResponse(Error):
    """The response is not one of the server: a proxy may have sent it."""


class Problem(Error):
    """A response of a server with an error (RFC 9457).

    `status` is the HTTP status. `code` never changes and is made for programs; `detail` is made for people. `field` names the
    faulty part of the request, such as `a` or `images[2]`. `request_id` is in the log of the server. `retry_after` is the
    number of seconds after which the server is to be asked again.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, detail, field, request_id, retry_after)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        place = f" ({self.field})" if self.field else ""
        return f"{self.status} {self.code}{place}: {self.detail}"
