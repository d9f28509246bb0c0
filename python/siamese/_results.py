"""The results of a model and of a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

T = TypeVar("T")


def known(kind: type[T], values: Mapping[str, Any], **others: Any) -> T:
    """A result from the JSON of a response. Members that this version does not know are left out."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{**{name: value for name, value in values.items() if name in names}, **others})


@dataclass(frozen=True)
class OperatingPoint:
    """Where a threshold comes from and, if the model is calibrated, the error rates that were measured at it.

    `source` is `request`, `settings`, `calibration`, `card` or `margin`. `fmr` is the share of different pairs called same, and
    `fnmr` the share of same pairs called different, both in [0, 1].
    """

    source: str
    fmr: float | None = None
    fnmr: float | None = None
    same_pairs: int | None = None
    different_pairs: int | None = None
    data: str | None = None


@dataclass(frozen=True)
class ResultWarning:
    """A reason to trust a result less: a code for programs, the image, and a text for people."""

    code: str
    field: str
    detail: str


@dataclass(frozen=True)
class Face:
    """A face in an upright image.

    `box` is left, top, width and height in pixels. `points` has `left_eye`, `right_eye`, `nose` and `mouth` as columns and
    rows. `score` and `sharpness` are in [0, 1], `roll` and `yaw` in degrees.
    """

    box: list[float]
    points: dict[str, list[float]]
    score: float
    roll: float
    yaw: float
    sharpness: float


@dataclass(frozen=True)
class Seen:
    """What a model saw of an image.

    `familiarity`, in (0, 1], is the share of the calibration images that are at least as unusual; `None` if the model does not
    describe these. `face` is `None` if the model embeds whole images.
    """

    familiarity: float | None = None
    face: Face | None = None


@dataclass(frozen=True)
class Comparison:
    """The verdict on two images.

    The verdict is `same` if the distance is at most the threshold. `probability` is that of `same` at equal priors; `None` if
    the model is not calibrated. `a` and `b` are `None` if nothing is known of the image.
    """

    verdict: Literal["same", "different"]
    distance: float
    threshold: float
    operating_point: OperatingPoint
    margin: float | None = None
    probability: float | None = None
    a: Seen | None = None
    b: Seen | None = None
    warnings: tuple[ResultWarning, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether the verdict is `same`."""
        return self.verdict == "same"


@dataclass(frozen=True, eq=False)
class Embedded:
    """The embedding of an image, `float32` of the shape `(width,)`, and what the model saw of the image.

    `digest` identifies the model. A server compares the embedding only with those of the same model.
    """

    embedding: np.ndarray
    digest: str
    familiarity: float | None = None
    face: Face | None = None
    warnings: tuple[ResultWarning, ...] = ()


@dataclass(frozen=True)
class Detection:
    """The faces in an image: first the one that is embedded, then the others, the largest first.

    `width` and `height` are those of the upright image, in pixels.
    """

    faces: tuple[Face, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Region:
    """Changed cells that touch each other.

    `box` is left, top, width and height, `polygon` the outline and `area` the area of the cells, all in pixels of the second
    image. `distance` has the `mean` and the `greatest` of the cells. `kind` is `added`, `removed` or `altered`.
    """

    box: list[float]
    polygon: list[list[float]]
    area: float
    distance: dict[str, float]
    kind: Literal["added", "removed", "altered"]


@dataclass(frozen=True, eq=False)
class Changes:
    """What differs between two images of a scene.

    The verdict is `changed` if the distance of a cell is greater than the threshold. `regions` begin with the most different
    one. `distances` is `float32` of the shape `(rows, columns)`: one value for each cell, 0 where nothing is compared; `None`
    from a client. `operating_point`, `alignment`, `light`, `map` and `image` are those of the JSON of `POST /changes`.
    """

    verdict: Literal["changed", "unchanged"]
    threshold: float
    regions: tuple[Region, ...]
    operating_point: dict[str, Any]
    alignment: dict[str, Any]
    light: dict[str, Any]
    map: dict[str, Any]
    image: dict[str, int]
    warnings: tuple[ResultWarning, ...] = ()
    distances: np.ndarray | None = None

    @property
    def is_changed(self) -> bool:
        """Whether the verdict is `changed`."""
        return self.verdict == "changed"


def comparison(values: Mapping[str, Any]) -> Comparison:
    """A comparison from JSON."""
    point = known(OperatingPoint, values["operating_point"])
    a, b = (_seen(values.get(name)) for name in ("a", "b"))
    return known(Comparison, values, operating_point=point, a=a, b=b, warnings=_warnings(values))


def embedded(values: Mapping[str, Any], digest: str) -> Embedded:
    """An embedding from JSON."""
    embedding = np.asarray(values["embedding"], np.float32)
    face = _face(values.get("face"))
    return known(Embedded, values, embedding=embedding, digest=digest, face=face, warnings=_warnings(values))


def detection(values: Mapping[str, Any]) -> Detection:
    """Faces from JSON."""
    image = values["image"]
    return Detection(tuple(known(Face, face) for face in values["faces"]), image["width"], image["height"])


def changes(values: Mapping[str, Any], distances: np.ndarray | None = None) -> Changes:
    """Changes from JSON."""
    regions = tuple(known(Region, region) for region in values["regions"])
    return known(Changes, values, regions=regions, warnings=_warnings(values), distances=distances)


def _face(values: Mapping[str, Any] | None) -> Face | None:
    return None if values is None else known(Face, values)


def _seen(values: Mapping[str, Any] | None) -> Seen | None:
    return None if values is None else known(Seen, values, face=_face(values.get("face")))


def _warnings(values: Mapping[str, Any]) -> tuple[ResultWarning, ...]:
    return tuple(known(ResultWarning, warning) for warning in values.get("warnings", ()))
