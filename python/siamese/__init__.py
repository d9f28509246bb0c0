"""Decides whether two images show the same thing.

`Model` runs a model in this process. `Client` and `AsyncClient` ask a server; they need the extra `siamese[client]`.
Both return the same results.
"""

from ._errors import (
    ChangesError,
    ConnectionFailed,
    Error,
    ImageError,
    LoadError,
    Problem,
    RunError,
    UnexpectedResponse,
)
from ._images import Image
from ._model import Model
from ._results import Changes, Comparison, Detection, Embedded, Face, OperatingPoint, Region, ResultWarning, Seen

__all__ = [
    "AsyncClient",
    "Changes",
    "ChangesError",
    "Client",
    "Comparison",
    "ConnectionFailed",
    "Detection",
    "Embedded",
    "Error",
    "Face",
    "Image",
    "ImageError",
    "LoadError",
    "Model",
    "OperatingPoint",
    "Problem",
    "Region",
    "ResultWarning",
    "RunError",
    "Seen",
    "UnexpectedResponse",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._client import AsyncClient, Client


def __getattr__(name: str) -> object:
    # The clients need httpx, which not everybody has.
    if name in ("AsyncClient", "Client"):
        from . import _client

        return getattr(_client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
