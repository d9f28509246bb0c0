"""Pairs of circuit boards, from the data set DeepPCB: a board without defects, and one with some."""

from pathlib import Path

import numpy as np
from PIL import Image

from camera import misaligned, noisy, recorded

LENGTH = 640


def boards(data: Path, group: str) -> list[Path]:
    """The pairs of one board, each as its path without an ending. `group` is the number of the board: five digits."""
    return sorted(path.with_suffix("") for path in (data / "boards").glob(f"{group}*.txt"))


def load(pair: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gives both images, grey, and the boxes of the defects: left, top, right, bottom, kind."""
    before, after = (np.array(Image.open(f"{pair}-{name}.jpg").convert("L")) for name in ("before", "after"))
    return before, after, np.loadtxt(f"{pair}.txt", ndmin=2).astype(int)


def masks(before: np.ndarray, after: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives the masks of the changed pixels, which differ and lie in a box, and of the pixels in and around the boxes."""
    differs = 100 < np.abs(before.astype(int) - after)
    inside, near = np.zeros(differs.shape, bool), np.zeros(differs.shape, bool)
    for left, top, right, bottom, _ in boxes:
        inside[top:bottom, left:right] = True
        near[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = True
    return differs & inside, near


def pair(random: np.random.Generator, chosen: list[Path], side: int) -> tuple:
    """Makes two images of a square of one of the pairs, and the truth. The square is turned, and may have other colours."""
    before, after, boxes = load(chosen[random.integers(len(chosen))])
    images = before, after, *masks(before, after, boxes)
    if random.random() < 0.75:
        left, top, right, bottom, _ = boxes[random.integers(len(boxes))]
        row, column = (middle - random.integers(30, side - 30) for middle in ((top + bottom) // 2, (left + right) // 2))
        row, column = (int(np.clip(start, 0, LENGTH - side)) for start in (row, column))
    else:
        row, column = (int(start) for start in random.integers(0, LENGTH - side + 1, 2))
    turns, is_mirrored = int(random.integers(4)), random.random() < 0.5
    images = [np.rot90(image[row : row + side, column : column + side], turns) for image in images]
    before, after, changed, near = (image[:, ::-1] if is_mirrored else image for image in images)
    before, after = (np.repeat(image[..., None], 3, 2).astype(np.float32) for image in (before, after))
    if random.random() < 0.3:
        before, after = after, before
    if 0.5 < random.random():
        low, high = random.uniform(0, 255, 3), random.uniform(0, 255, 3)
        if 60 < np.abs(low - high).max():
            before, after = (low + (high - low) * image / 255 for image in (before, after))
    if random.random() < 0.6:
        # The boards of the data set differ in scale, and an alignment leaves a part of it.
        before = misaligned(random, before, random.uniform(0, 2))
    if random.random() < 0.2:
        before, after = noisy(random, before, 6), noisy(random, after, 6)
    return recorded(random, before, "board"), recorded(random, after, "board"), changed, near & ~changed
