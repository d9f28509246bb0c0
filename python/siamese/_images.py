"""From the images of a caller to what a model or a server reads."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias, TypeGuard, Union

import numpy as np

if TYPE_CHECKING:
    import PIL.Image

#: An image: the bytes of a file, the path of a file, an image of Pillow, or an array of bytes (`uint8`) of the shape
#: `(height, width)`, grey, or `(height, width, 3)`, red, green and blue.
Image: TypeAlias = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]", "PIL.Image.Image", np.ndarray]


def is_one(images: object) -> bool:
    """Whether this is one image, and not several."""
    if isinstance(images, np.ndarray):
        return images.ndim in (2, 3)
    return isinstance(images, (bytes, bytearray, memoryview, str, os.PathLike)) or _is_of_pillow(images)


def several(images: Image | Iterable[Image]) -> Iterable[Image]:
    """The images, also if there is only one."""
    return [images] if is_one(images) else images  # type: ignore[list-item,return-value]


def upload(image: Image) -> bytes | str | os.PathLike[str]:
    """The bytes of a file, or the path of one.

    Pixels become a PNM file in memory: a short header, and the pixels as they are. So they go through the same preprocessing
    as any other file.
    """
    if isinstance(image, (bytes, str, os.PathLike)):
        return image
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if _is_of_pillow(image):
        return _pnm(_pixels(image))
    if isinstance(image, np.ndarray):
        return _pnm(image)
    raise TypeError(f"an image is bytes, a path, an image of Pillow or an array, not {type(image).__name__}")


def refuse_one(images: object) -> None:
    """Raises if this is one image where several are expected: an array would be read row by row."""
    if is_one(images):
        raise TypeError("several images are a list or another iterable of images, not one image")
    if isinstance(images, (dict, io.IOBase)):
        raise TypeError(f"several images are a list or another iterable of images, not {type(images).__name__}")


def content(image: Image) -> bytes:
    """The bytes of a file."""
    source = upload(image)
    if isinstance(source, bytes):
        return source
    with open(source, "rb") as file:
        return file.read()


def _is_of_pillow(image: object) -> TypeGuard[PIL.Image.Image]:
    # An image of Pillow exists only if Pillow is imported.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pixels(image: PIL.Image.Image) -> np.ndarray:
    """The pixels of an upright image: grey or RGB, without transparency, as a model reads them from a file of it."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        # A model reads the upper 8 of 16 bits.
        return (np.asarray(upright) >> 8).astype(np.uint8)
    if upright.mode in ("I", "F"):
        raise TypeError(f"an image of the mode {upright.mode} has no range that is known: convert it to L or RGB")
    return np.asarray(upright.convert("L" if upright.mode in ("1", "L", "LA") else "RGB"))


def _pnm(pixels: np.ndarray) -> bytes:
    if pixels.dtype != np.uint8:
        raise TypeError(f"the pixels of an array are uint8, not {pixels.dtype}")
    if pixels.ndim == 2:
        kind = b"P5"
    elif pixels.ndim == 3 and pixels.shape[2] == 3:
        kind = b"P6"
    else:
        raise ValueError(f"an image has the shape (height, width) or (height, width, 3), not {pixels.shape}")
    height, width = pixels.shape[:2]
    return b"%s %d %d 255\n%s" % (kind, width, height, pixels.tobytes())
