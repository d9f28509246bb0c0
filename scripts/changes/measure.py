#!/usr/bin/env python3
"""Measures how well a server finds changes on what `changes.onnx` was not trained on: `measure.py DATA URL`.

DATA is the folder that `pairs.py` takes. URL is that of a server with the model in question. The distances of the cells
come from the server, so its alignment and its correction of light are measured too. A change is found if a region touches
its box. A region is false if none of its cells is within 8 pixels of a box.
"""

import io
import sys
from pathlib import Path
from typing import Iterator

import numpy as np
import requests
from PIL import Image
from scipy import ndimage

import boards
import photographs
from truth import CELL

THRESHOLDS = [1.0, 1.1, 1.2, 1.3, 1.4]
# The neighbours of a changed cell belong to its region above this share of the threshold, as in the service.
EXTENT = 0.75
SLACK = 8
HELD_OUT_BOARD = "20085"

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Two images, and the boxes of their changes: left, top, right, bottom."""


def held_out_boards(data: Path, shift: int) -> Iterator[Pair]:
    """The pairs of the board. With a shift: every third one, as parts of the originals that are so far from each other."""
    margin, step = (16, 3) if shift else (0, 1)
    for number, path in enumerate(boards.boards(data, HELD_OUT_BOARD)[::step]):
        before, after, boxes = boards.load(path)
        angle = np.random.default_rng(number).uniform(0, 2 * np.pi)
        direction = np.array([np.sin(angle), np.cos(angle)])
        move = np.round(shift * direction / np.abs(direction).max()).astype(int)
        length = boards.LENGTH - 2 * margin
        boxes = boxes[:, :4] - margin
        inside = (4 < boxes[:, 2:]).all(1) & (boxes[:, :2] < length - 4).all(1)
        yield cut(before, margin + move, (length, length)), cut(after, (margin, margin), (length, length)), boxes[inside]


def held_out_photographs(data: Path, count: int, with_changes: bool) -> Iterator[Pair]:
    """Pairs of whole photographs. In every second one, the camera has moved by up to 8 pixels."""
    files = photographs.files(data, held_out=True)
    for number in range(count):
        random = np.random.default_rng([number, with_changes])
        image = np.array(Image.open(files[random.integers(len(files))]).convert("RGB")).astype(np.float32)
        changes = int(random.integers(1, 4)) if with_changes else 0
        before, after, changed, _ = photographs.pair(random, files, image, changes)
        size = np.array(changed.shape) - 16
        move = random.integers(-8, 9, 2) if number % 2 else np.zeros(2, int)
        yield cut(before, 8 + move, size), cut(after, (8, 8), size), boxes_of(cut(changed, (8, 8), size))


def cut(image: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The part of an image at `corner`: its row and its column."""
    return image[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]


def boxes_of(changed: np.ndarray) -> np.ndarray:
    """The boxes of the changes in a mask. Changes at most 8 pixels from each other are one; those below 40 pixels are none."""
    groups, _ = ndimage.label(ndimage.binary_dilation(changed, iterations=4))
    pixels = [np.argwhere(changed & (groups == number + 1)) for number in range(groups.max())]
    boxes = [[*one.min(0)[::-1], *(one.max(0)[::-1] + 1)] for one in pixels if 40 <= len(one)]
    return np.array(boxes, int).reshape(-1, 4)


def distances(url: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The distance of each cell, as the server computes it. A cell that was not compared has the distance 0."""
    files = {"before": png(before), "after": png(after)}
    headers = {"Accept": "application/x-npy"}
    response = requests.post(f"{url}/changes?threshold={THRESHOLDS[0]}", files=files, headers=headers, timeout=600)
    response.raise_for_status()
    return np.nan_to_num(np.load(io.BytesIO(response.content)))


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def judge(cells: np.ndarray, threshold: float, boxes: np.ndarray) -> np.ndarray:
    """Counts the changes that were found, the regions, and the false regions."""
    groups, count = ndimage.label(EXTENT * threshold < cells, np.ones((3, 3)))
    found, result = np.zeros(len(boxes), bool), np.zeros(3, int)
    for number in range(1, count + 1):
        places = groups == number
        if cells[places].max() <= threshold:
            continue
        found |= touches(places, boxes, 0)
        result += [0, 1, int(not touches(places, boxes, SLACK).any())]
    return result + [found.sum(), 0, 0]


def touches(places: np.ndarray, boxes: np.ndarray, slack: int) -> np.ndarray:
    """Tells for each box whether one of the cells overlaps with it, or is closer than `slack` pixels."""
    top, left = np.argwhere(places).T[:, :, None] * CELL
    across = (left < boxes[:, 2] + slack) & (boxes[:, 0] - slack < left + CELL)
    down = (top < boxes[:, 3] + slack) & (boxes[:, 1] - slack < top + CELL)
    return (across & down).any(0)


def report(name: str, url: str, pairs: Iterator[Pair]) -> None:
    """Prints the results of one set, a line for each threshold."""
    measured = [(distances(url, before, after), boxes) for before, after, boxes in pairs]
    changes = sum(len(boxes) for _, boxes in measured)
    print(f"{name}: {len(measured)} pairs, {changes} changes")
    for threshold in THRESHOLDS:
        found, regions, false = sum(judge(cells, threshold, boxes) for cells, boxes in measured)
        share = f"{found / changes:6.1%} found, " if changes else ""
        print(f"  {threshold}: {share}{false} of {regions} regions are false", flush=True)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    data, url = Path(sys.argv[1]), sys.argv[2]
    for shift in (0, 5):
        report(f"boards, shifted by {shift} pixels", url, held_out_boards(data, shift))
    report("unchanged photographs", url, held_out_photographs(data, 50, with_changes=False))
    report("changed photographs", url, held_out_photographs(data, 50, with_changes=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
