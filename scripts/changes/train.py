#!/usr/bin/env python3
"""Trains the head of `changes.onnx`: `train.py WEIGHTS.pth PAIRS HEAD.pt [STEPS]`.

WEIGHTS is the file of EfficientNet-lite0. PAIRS is the folder that `pairs.py` fills. The maps of the frozen backbone are
computed once, and kept in that folder (about 2 GB). Every twelfth pair is not trained on. The head with the lowest loss
on these pairs is written to HEAD. One thread is used unless OMP_NUM_THREADS states more.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from network import Backbone, Head, distances, normalised
from truth import CELL

# How many of a hundred pairs come from each file. The rest is divided among the boards.
SHARES = {"photo": 35, "screen": 20, "texture": 10}
BATCH = 12
LEARNING_RATE = 3e-3
WARM_UP = 50
CHECK_EVERY = 250
# How steeply the loss rises around the distance 1, between an unchanged and a changed cell.
SLOPE = 6.0
CHANGED, UNCHANGED, IGNORED = 1, 0, -1


def labels(changed: np.ndarray, unclear: np.ndarray) -> torch.Tensor:
    """Labels each cell, from masks of pixels of the shape `[n, height, width]`.

    A cell is changed if a tenth of it is. Cells that are changed in part, or where the truth is unclear, are ignored.
    """
    count, height, width = changed.shape
    shape = (count, height // CELL, CELL, width // CELL, CELL)
    changed, unclear = changed.reshape(shape).mean((2, 4)), unclear.reshape(shape).mean((2, 4))
    rest = np.where((0 < changed) | (0.05 < unclear), IGNORED, UNCHANGED)
    return torch.tensor(np.where(0.1 <= changed, CHANGED, rest).astype(np.int8))


@torch.no_grad()
def features(backbone: Backbone, images: np.ndarray) -> list[torch.Tensor]:
    """Computes the two maps of the backbone for `images`, in half precision."""
    # Four images at a time stay in the cache of the processor. More take three times as long.
    starts = range(0, len(images), 4)
    batches = [[maps.half() for maps in backbone(normalised(torch.tensor(images[start : start + 4])))] for start in starts]
    return [torch.cat(maps) for maps in zip(*batches)]


class Pairs:
    """The pairs of one file: the maps of both images, and the label of each cell."""

    def __init__(self, path: Path, backbone: Backbone):
        cached = path.with_suffix(".pt")
        if not cached.exists():
            made = np.load(path)
            parts = {"labels": labels(made["changed"], made["unclear"])}
            parts |= {name: features(backbone, made[name]) for name in ("before", "after")}
            torch.save(parts, cached)
        parts = torch.load(cached, mmap=True)
        self.name, self.labels, self.images = path.stem, parts["labels"], (parts["before"], parts["after"])
        numbers = np.arange(len(self.labels))
        self.checked, self.trained = numbers[::12], np.delete(numbers, numbers[::12])

    def take(self, chosen: np.ndarray) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Gives the maps of the chosen pairs, each with all first images before all second ones, and their labels."""
        fine, coarse = ([image[part][chosen].float() for image in self.images] for part in range(2))
        return [torch.stack(fine), torch.stack(coarse)], self.labels[chosen]


def batch(parts: list[tuple[list[torch.Tensor], torch.Tensor]]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Joins what `Pairs.take` gave for several files."""
    maps = [torch.cat([part[0][number] for part in parts], 1).flatten(0, 1) for number in range(2)]
    return [each.contiguous(memory_format=torch.channels_last) for each in maps], torch.cat([part[1] for part in parts])


def loss(head: Head, maps: list[torch.Tensor], truth: torch.Tensor) -> torch.Tensor:
    """The loss of a batch: changed cells should be farther than 1 from each other, unchanged ones closer.

    There are far more unchanged cells. Most of them are easy, so their losses are summed, and the sum is divided by a number
    that grows with the changed cells.
    """
    # Half the bits take a third of the time. The distances need all of them.
    with torch.autocast("cpu", torch.bfloat16):
        cells = head(*maps).float()
    excess = SLOPE * (distances(*cells.chunk(2)) - 1)
    changed, unchanged = excess[truth == CHANGED], excess[truth == UNCHANGED]
    missed = functional.softplus(-changed).sum() / max(len(changed), 1)
    return 0.5 * missed + functional.softplus(unchanged).sum() / (3 * len(changed) + 200)


@torch.no_grad()
def check(head: Head, files: list[Pairs]) -> float:
    """The mean loss of each file's pairs that are not trained on, weighted by the shares of the files."""
    return float(sum(share * loss(head, *batch([pairs.take(pairs.checked)])) for pairs, share in zip(files, shares(files))))


def shares(files: list[Pairs]) -> np.ndarray:
    """The share of each file in a batch."""
    boards = sum(pairs.name not in SHARES for pairs in files)
    rest = 100 - sum(SHARES.values())
    return np.array([SHARES.get(pairs.name, rest / max(boards, 1)) for pairs in files]) / 100


def rate(step: int, steps: int) -> float:
    """The learning rate: it rises quickly, and falls along a cosine."""
    return LEARNING_RATE * min(1, (step + 1) / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-5


def train(files: list[Pairs], steps: int, path: Path) -> None:
    """Trains a head, and writes the best one to `path`."""
    torch.manual_seed(1)
    random, head, best = np.random.default_rng(1), Head().to(memory_format=torch.channels_last), float("inf")
    for number, standard in enumerate((head.standard_fine, head.standard_coarse)):
        standard.measure(torch.cat([pairs.images[0][number][::20].float() for pairs in files]))
    optimiser, losses = torch.optim.Adam(head.parameters()), []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate(step, steps)
        counts = random.multinomial(BATCH, shares(files))
        chosen = [pairs.take(random.choice(pairs.trained, count, replace=False)) for pairs, count in zip(files, counts) if count]
        value = loss(head, *batch(chosen))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(value.item())
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == steps:
            checked = check(head, files)
            print(f"{step + 1} steps: loss {np.mean(losses[-CHECK_EVERY:]):.4f}, unseen pairs {checked:.4f}", flush=True)
            if checked < best:
                best = checked
                torch.save(head.state_dict(), path)


def main() -> int:
    if len(sys.argv) not in (4, 5):
        print(__doc__, file=sys.stderr)
        return 2
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    backbone = Backbone(Path(sys.argv[1]))
    files = [Pairs(path, backbone) for path in sorted(Path(sys.argv[2]).glob("*.npz"))]
    train(files, int(sys.argv[4]) if len(sys.argv) == 5 else 2000, Path(sys.argv[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
