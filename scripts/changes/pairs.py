#!/usr/bin/env python3
"""Makes the pairs that the head of `changes.onnx` is trained on: `pairs.py DATA PAIRS`.

DATA contains the folders `things`, the photographs of the Grocery Store data set, and `boards`, pairs of DeepPCB. PAIRS
is the folder to which the pairs are written: 1.7 GB, one file for each kind. A file contains `before` and `after`, as the
service prepares them for the network, and the masks `changed` and `unclear` of pixels. The script uses two processes.

A tenth of the pairs or more have no change. Each pair has a seed of its own, so the result is always the same. Every fourth
class of photographs and the board 20085 are held out.
"""

import sys
from multiprocessing import Pool
from pathlib import Path

import numpy as np

import boards
import photographs
import screenshots
import textures
from camera import evened
from network import SIDE

TRAINED_BOARDS = ["00041", "12100"]
COUNTS = {"photo": 1500, "screen": 800, "texture": 400} | {f"board-{group}": 700 for group in TRAINED_BOARDS}


def pair(data: Path, name: str, number: int) -> tuple:
    """Makes the pair with this number of the file `name`."""
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
    return *evened(before, after), changed, unclear


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with Pool(2) as pool:
        for name, count in COUNTS.items():
            made = zip(*pool.starmap(pair, [(data, name, number) for number in range(count)], chunksize=8))
            parts = dict(zip(("before", "after", "changed", "unclear"), map(np.stack, made)))
            np.savez(folder / f"{name}.npz", **parts)
            print(f"{name}: {count} pairs, {parts['changed'].mean():.1%} of the pixels are changed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
