"""Made pairs of photographs: a thing is added, removed, moved or painted over, and the camera has moved a little."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from camera import lit, misaligned, recorded, shaded
from truth import truth
from words import WORDS, font


def files(data: Path, held_out: bool) -> list[Path]:
    """The photographs of the folder `things`. Every fourth class, from the first one, is held out (fold 0)."""
    classes = sorted(folder.name for folder in (data / "things").iterdir() if folder.is_dir())
    chosen = [name for number, name in enumerate(classes) if (number % 4 == 0) == held_out]
    return [file for name in chosen for file in sorted((data / "things" / name).glob("*.jpg"))]


def any_of(random: np.random.Generator, photographs: list[Path], side: int) -> np.ndarray:
    """A square of one of the photographs, enlarged or reduced."""
    image = Image.open(photographs[random.integers(len(photographs))]).convert("RGB")
    factor = max(side / min(image.size), np.exp(random.uniform(np.log(0.75), np.log(1.6))))
    image = image.resize([int(np.ceil(length * factor)) for length in image.size], Image.Resampling.BICUBIC)
    top, left = (int(random.integers(0, length - side + 1)) for length in (image.size[1], image.size[0]))
    return np.array(image.crop((left, top, left + side, top + side))).astype(np.float32)


def pair(random: np.random.Generator, photographs: list[Path], image: np.ndarray, changes: int | None = None) -> tuple:
    """Makes two photographs of the scene `image`, and the truth.

    Without `changes`, their number is drawn: none in a third of the pairs, else one to three.
    """
    if changes is None:
        changes = 0 if random.random() < 0.35 else int(random.integers(1, 4))
    before = after = image
    for _ in range(changes):
        after = changed(random, after, any_of(random, photographs, max(image.shape[:2])))
    masks = truth(before, after)
    if changes and random.random() < 0.5:
        before, after = after, before
    if random.random() < 0.8:
        before = lit(random, before)
    if random.random() < 0.3:
        before = shaded(random, before)
    if random.random() < 0.7:
        before = misaligned(random, before, 1.0)
    if random.random() < 0.25:
        blur = random.uniform(0, 0.8)
        before = ndimage.gaussian_filter(before, (blur, blur, 0))
    return recorded(random, before, "photo"), recorded(random, after, "photo"), *masks


def changed(random: np.random.Generator, image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Changes one place of an image. `other` is an image of at least the same size."""
    height, width = image.shape[:2]
    kind = random.integers(7)
    if kind == 6:
        return drawn_on(random, image)
    mask = blob(random, height, width)[..., None]
    if kind <= 1:
        # A part of another photograph appears.
        patch = other[:height, :width]
    elif kind == 2:
        # A part of the same photograph appears.
        patch = np.roll(image, (int(random.integers(15, height - 15)), int(random.integers(15, width - 15))), (0, 1))
    elif kind == 3:
        patch = filled(random, image, mask)
    elif kind == 4:
        # A thing moves, and leaves another background behind.
        shift = int(random.integers(-50, 50)), int(random.integers(-50, 50))
        left = image * (1 - mask) + np.roll(image, (height // 3, width // 2), (0, 1)) * mask
        mask = np.roll(mask, shift, (0, 1))
        return left * (1 - mask) + np.roll(image, shift, (0, 1)) * mask
    elif random.random() < 0.6:
        patch = np.ones_like(image) * random.uniform(0, 255, 3)
    else:
        # The light of one place changes strongly.
        patch = np.clip(image * np.exp(random.choice([-1, 1]) * random.uniform(0.4, 0.9)), 0, 255)
    return image * (1 - mask) + patch * mask


def filled(random: np.random.Generator, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Removes what `mask` covers: its place is filled from the surroundings, with some texture."""
    around = (mask[..., 0] <= 0.02).astype(np.float32)
    reach = max(4, np.sqrt((around == 0).sum()) / 3)
    weight = ndimage.gaussian_filter(around, reach) + 1e-3
    smooth = [ndimage.gaussian_filter(image[..., channel] * around, reach) / weight for channel in range(3)]
    grain = ndimage.gaussian_filter(random.normal(0, 1, image.shape), (1, 1, 0))
    return np.stack(smooth, 2) + grain * random.uniform(0, 12)


def blob(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A mask, from 0 to 1, of one rectangle, ellipse, polygon or ragged spot of 6 to 110 pixels."""
    size, aspect = np.exp(random.uniform(np.log(6), np.log(110))), np.exp(random.uniform(-0.7, 0.7))
    rows, columns = int(min(max(4, size * aspect), height * 0.6)), int(min(max(4, size / aspect), width * 0.6))
    kind = random.integers(4)
    shape = Image.new("L", (columns, rows), 0)
    draw = ImageDraw.Draw(shape)
    if kind == 0:
        draw.rectangle((0, 0, columns, rows), fill=255)
    elif kind == 1:
        draw.ellipse((0, 0, columns - 1, rows - 1), fill=255)
    elif kind == 2:
        corners = int(random.integers(5, 10))
        angles, radii = np.sort(random.uniform(0, 2 * np.pi, corners)), random.uniform(0.5, 1, corners)
        across, down = (1 + radii * np.cos(angles)) * columns / 2, (1 + radii * np.sin(angles)) * rows / 2
        draw.polygon(list(zip(across.tolist(), down.tolist())), fill=255)
    else:
        field = ndimage.gaussian_filter(random.normal(0, 1, (rows, columns)), max(1.5, min(rows, columns) / 5))
        shape = Image.fromarray(((np.quantile(field, 0.45) < field) * 255).astype(np.uint8))
    top, left = int(random.integers(0, height - rows + 1)), int(random.integers(0, width - columns + 1))
    mask = np.zeros((height, width), np.float32)
    mask[top : top + rows, left : left + columns] = np.array(shape, np.float32) / 255
    softness = random.uniform(0.5, 2.5) if random.random() < 0.6 else 0
    return ndimage.gaussian_filter(mask, softness) if softness else mask


def drawn_on(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Draws a frame, some words, a line or a ring onto an image."""
    height, width = image.shape[:2]
    picture = Image.fromarray(image.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    colour, kind = tuple(random.integers(0, 256, 3).tolist()), random.integers(4)
    left, top = int(random.integers(0, width - 20)), int(random.integers(0, height - 20))
    right, bottom = left + int(random.integers(8, 120)), top + int(random.integers(8, 120))
    stroke = int(random.integers(2, 6))
    if kind == 0:
        draw.rectangle((left, top, right, bottom), outline=colour, width=stroke)
    elif kind == 1:
        text = " ".join(random.choice(WORDS, random.integers(1, 4)))
        draw.text((left, top), text, fill=colour, font=font(random, 10, 30))
    elif kind == 2:
        end = left + int(random.integers(-100, 100)), top + int(random.integers(-100, 100))
        draw.line((left, top, *end), fill=colour, width=stroke)
    else:
        draw.ellipse((left, top, right, bottom), outline=colour, width=stroke)
    return np.array(picture).astype(np.float32)
