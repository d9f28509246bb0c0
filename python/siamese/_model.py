"""Models in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from . import _results, _runtime
from ._errors import ImageError
from ._images import Image, is_one, refuse_one, several, upload
from ._native import Model as Native
from ._results import Changes, Comparison

#: Each thread may have a session of its own, which takes memory.
MOST_THREADS = 1024

#: How many images one thread has to work on before the next ones are read from an iterable.
PER_THREAD = 32


class Model:
    """A model that runs on the CPU of this process, on all cores.

    It runs the code of the server, so embeddings and verdicts are the same. Several threads may use one model: its methods
    release the GIL. After a fork, load the model in the child.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None) -> None:
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"threads must be between 1 and {MOST_THREADS}, not {threads}")
        _runtime.prepare()
        self._path = path
        self._native = Native(path, threads)

    @classmethod
    def load(cls, path: str | os.PathLike[str], threads: int | None = None) -> Model:
        """Loads an ONNX file with a card, or with a sidecar beside it.

        `threads` is the number of threads that decode images and run the model: one for each core if it is `None`.

        Raises:
            LoadError: the file is missing, is no model, or fails the check of its golden pairs.
            ValueError: `threads` is not between 1 and 1024.
        """
        return cls(path, threads)

    @cached_property
    def card(self) -> dict[str, Any]:
        """The card, as `GET /model` of a server returns it: name, digest, input, threshold, calibration and more."""
        card: dict[str, Any] = json.loads(self._native.card())
        return card

    @property
    def name(self) -> str:
        """The name of the model."""
        return str(self.card["name"])

    @property
    def digest(self) -> str:
        """`sha256:` and the hex digest of everything that determines an embedding."""
        return str(self.card["digest"])

    @property
    def width(self) -> int:
        """The number of coordinates of an embedding."""
        return self._native.width

    def embed(self, images: Image | Iterable[Image], *, faces: str = "largest") -> np.ndarray:
        """Embeds one image, or several.

        An image is the bytes of a file, a path, an image of Pillow, or an array (`siamese.Image`). Images are decoded and run
        on all threads at once. An iterable is read a part at a time, so it need not fit into memory.

        `faces` matters for a model that aligns faces: `largest` uses the largest face of an image, and `only` refuses an image
        with several.

        Returns:
            `float32` of the shape `(width,)` for one image, and `(n, width)` for several. The numbers are those of a server,
            bit for bit, and do not depend on the other images.

        Raises:
            ImageError: for the first image that can't be embedded; its `index` counts from 0.
            RunError: ONNX Runtime failed.
        """
        embeddings, errors = self.try_embed(several(images), faces=faces)
        if errors:
            raise errors[0]
        return embeddings[0] if is_one(images) else embeddings

    def try_embed(self, images: Iterable[Image], *, faces: str = "largest") -> tuple[np.ndarray, list[ImageError]]:
        """Embeds several images, of which some may be bad.

        Returns:
            The embeddings, `float32` of the shape `(n, width)`, and an error for each image that can't be embedded. Its row
            is NaN.

        Raises:
            RunError: ONNX Runtime failed.
        """
        refuse_one(images)
        rows, errors = [np.empty((0, self.width), np.float32)], []
        rest, done = iter(images), 0
        while part := list(islice(rest, PER_THREAD * self._native.threads)):
            uploads, unread = [], {}
            for index, image in enumerate(part, done):
                try:
                    uploads.append(_read(image, index))
                except ImageError as error:
                    unread[index] = error
                    # An image without bytes fails in its place.
                    uploads.append(b"")
            numbers, reasons = self._native.embed(uploads, faces)
            rows.append(np.frombuffer(numbers, np.float32).reshape(-1, self.width))
            failed = [(index, reason) for index, reason in enumerate(reasons, done) if reason is not None]
            errors += [unread.get(index) or ImageError(index, reason) for index, reason in failed]
            done += len(part)
        return np.concatenate(rows), errors

    def preprocess(self, image: Image, *, faces: str = "largest") -> np.ndarray:
        """The input of the model for an image.

        Returns:
            `float32` of the shape `(channels, height, width)`.

        Raises:
            ImageError: the image can't be decoded.
        """
        numbers = self._native.preprocess(_read(image, 0), faces)
        return np.frombuffer(numbers, np.float32).reshape(self._native.shape)

    def compare(
        self,
        a: Image,
        b: Image,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        faces: str = "largest",
    ) -> Comparison:
        """Compares two images.

        Without `threshold` and `fmr`, the threshold is that of the model's card. `threshold` is another one. `fmr`, between 0
        and 1, selects the operating point with the largest threshold whose false match rate is at most that.

        Raises:
            ImageError: an image can't be embedded; its `index` is 0 for `a` and 1 for `b`.
            ValueError: `threshold` or `fmr` is invalid, both are given, or the card supports no such threshold.
            RunError: ONNX Runtime failed.
        """
        return _results.comparison(json.loads(self._native.compare(_read(a, 0), _read(b, 1), threshold, fmr, faces)))

    def changes(
        self,
        before: Image,
        after: Image,
        *,
        threshold: float | None = None,
        fmr: float | None = None,
        align: str = "auto",
        cell: float | None = None,
        ignore: Iterable[Sequence[float]] = (),
    ) -> Changes:
        """Finds what has changed between two images of a scene.

        Needs a model of whole images, such as `models/changes.onnx`. `threshold` and `fmr` concern the distance of a cell.
        `align` is how the first image is brought onto the second: `auto`, `none`, `shift` or `affine`. `cell` is the side of
        a cell in pixels of the second image. `ignore` has rectangles that are not compared: left, top, width and height in
        pixels of the second image.

        Raises:
            ChangesError: the images can't be compared: no alignment is certain, nothing is left to compare, or the model
                aligns faces.
            ImageError: an image can't be decoded; its `index` is 0 for `before` and 1 for `after`.
            ValueError: an argument is invalid, or the card supports no such threshold.
            RunError: ONNX Runtime failed.
        """
        rectangles = [list(rectangle) for rectangle in ignore]
        scene, numbers = self._native.changes(_read(before, 0), _read(after, 1), threshold, fmr, align, cell, rectangles)
        values = json.loads(scene)
        shape = values["map"]["rows"], values["map"]["columns"]
        return _results.changes(values, np.frombuffer(numbers, np.float32).reshape(shape))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._path, self._native.threads)

    def __repr__(self) -> str:
        return f"<siamese.Model {self.name!r}, {self.digest}>"


def _read(image: Image, index: int) -> bytes | str | os.PathLike[str]:
    """What the extension reads of an image. Pillow may fail to read it, or an array may have another shape."""
    try:
        return upload(image)
    except (OSError, ValueError) as error:
        raise ImageError(index, str(error)) from error
