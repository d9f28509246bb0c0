#!/usr/bin/env python3
"""Makes the pairs that the head of `changes.onnx` is trained on: `pairs.py DATA PAIRS [--images [SHARE]]`.

DATA contains the folders `things`, the photographs of the Grocery Store data set, and `boards`, pairs of DeepPCB. PAIRS
is the folder to which the pairs are written: 1.7 GB, one file for each kind. A file contains `before` and `after`, as the
service prepares them for the network, and the masks `changed` and `unclear` of pixels. The script uses two processes.

With `--images`, PAIRS gets a list `pairs.csv` for `siamese-trainer`, which holds every twelfth pair out, and the images
and masks that it names. The service's own code then aligns the images and evens out their light. A cell that the truth is
unclear about has a single pixel of the mask, so the trainer counts it as neither changed nor unchanged.
These pixels count as changes of their own in the recall of `siamese-trainer evaluate`: look at its cells. SHARE is the share
of the pairs that is made, 1 by default.

A tenth of the pairs or more have no change. Each pair has a seed of its own, so the result is always the same. Every fourth
class of photographs and the board 20085 are held out.
"""

import csv
import sys
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image

import boards
import photographs
import screenshots
import textures
from camera import evened
from truth import CELL, SIDE

TRAINED_BOARDS = ["00041", "12100"]
# Every twelfth pair is not trained on.
HELD_OUT = 12
COUNTS = {"photo": 1500, "screen": 800, "texture": 400} | {f"board-{group}": 700 for group in TRAINED_BOARDS}


def pair(data: Path, name: str, number: int) -> tuple:
    """Makes the pair with this number of the file `name`: two images, and the masks `changed` and `unclear`."""
    random = np.random.default_rng(number * 977 + sum(name.encode()))
    files = photographs.files(data, held_out=False)
    match name.split("-"):
        case ["photo"]:
            image = photographs.any_of(random, files, SIDE)
            image = image[:, ::-1].copy() if random.random() < 0.5 else image
            before, after, changed, unclear = photographs.pair(random, files, image)
        case ["texture"]:
            before, after, changed, unclear = photographs.pair(random, files, textures.texture(random, SIDE))
        case ["screen"]:
            width, height = int(random.integers(SIDE, 641)), int(random.integers(SIDE, 481))
            before, after, changed, unclear = screenshots.pair(random, width, height, SIDE)
        case ["board", group]:
            before, after, changed, unclear = boards.pair(random, boards.boards(data, group), SIDE)
    return before, after, changed, unclear


def evened_pair(data: Path, name: str, number: int) -> tuple:
    """Makes a pair as the service prepares it for the network."""
    before, after, changed, unclear = pair(data, name, number)
    return *evened(before, after), changed, unclear


def listed(data: Path, folder: Path, name: str, number: int) -> list[str]:
    """Writes the images of a pair. Gives its line of the list."""
    before, after, changed, unclear = pair(data, name, number)
    mask = marked(changed, unclear)
    parts = {"before": before, "after": after} | ({"mask": mask} if mask.any() else {})
    (folder / name).mkdir(exist_ok=True)
    for part, image in parts.items():
        pixels = image.astype(np.uint8) * 255 if part == "mask" else image
        Image.fromarray(pixels).save(folder / name / f"{number}-{part}.png", compress_level=1)
    files = [f"{name}/{number}-{part}.png" if part in parts else "" for part in ("before", "after", "mask")]
    return [*files, "train" if number % HELD_OUT else "held-out"]


def marked(changed: np.ndarray, unclear: np.ndarray) -> np.ndarray:
    """Adds to the changed pixels one pixel of each unclear cell."""
    mask, shape = changed.copy(), (SIDE // CELL, CELL, SIDE // CELL, CELL)
    is_unclear = (0.05 < unclear.reshape(shape).mean((1, 3))) & ~changed.reshape(shape).any((1, 3))
    mask[CELL // 2 :: CELL, CELL // 2 :: CELL] |= is_unclear
    return mask


def write_list(pool, data: Path, folder: Path, share: float) -> None:
    """Writes the images of all pairs, and the list of them."""
    with (folder / "pairs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["before", "after", "mask", "split"])
        for name, count in COUNTS.items():
            jobs = [(data, folder, name, number) for number in range(round(share * count))]
            writer.writerows(pool.starmap(listed, jobs, chunksize=8))
            print(f"{name}: {len(jobs)} pairs", flush=True)


def main() -> int:
    if len(sys.argv) < 3 or sys.argv[3:4] not in ([], ["--images"]) or 5 < len(sys.argv):
        print(__doc__, file=sys.stderr)
        return 2
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with Pool(2) as pool:
        if 3 < len(sys.argv):
            write_list(pool, data, folder, float(sys.argv[4]) if 4 < len(sys.argv) else 1.0)
            return 0
        for name, count in COUNTS.items():
            made = zip(*pool.starmap(evened_pair, [(data, name, number) for number in range(count)], chunksize=8))
            parts = dict(zip(("before", "after", "changed", "unclear"), map(np.stack, made)))
            np.savez(folder / f"{name}.npz", **parts)
            print(f"{name}: {count} pairs, {parts['changed'].mean():.1%} of the pixels are changed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
