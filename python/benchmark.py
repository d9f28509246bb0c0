#!/usr/bin/env python3
"""Measures how many images a second `siamese.Model.embed` embeds, beside a loop of Pillow and onnxruntime.

Both run in turn on the same cores, on the same files. The loop decodes, resizes and runs one image at a time on a thread for
each core, with a session of all cores or with one session for each core; the faster of the two counts. Needs the package,
Pillow, and a release build for figures that mean anything: `pip install ./python pillow onnxruntime`, then
`python -P python/benchmark.py`: without `-P`, Python would import the folder beside this file.
"""

import argparse
import os
import pathlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from PIL import Image

import siamese

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "samples").glob("*.jpg"))
CORES = len(os.sched_getaffinity(0))


def prepared(file: pathlib.Path, card: dict) -> np.ndarray:
    """The input of a model, by Pillow: float32 of the shape (1, channels, height, width)."""
    given = card["input"]
    _, height, width = given["shape"]
    image = Image.open(file).convert("L" if given["colour"] == "grey" else "RGB")
    pixels = np.atleast_3d(np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32))
    mean, std = (np.asarray(given[name], np.float32) for name in ("mean", "std"))
    pixels = (pixels * np.float32(given["scale"]) - mean) / std
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


def loop(path: pathlib.Path, card: dict, sessions: int) -> Callable[[list[pathlib.Path]], np.ndarray]:
    """A loop with a number of sessions, which share the cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, CORES // sessions)
    opened = [onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for _ in range(sessions)]
    name = opened[0].get_inputs()[0].name
    output = opened[0].get_outputs()[0].name

    def embed(files: list[pathlib.Path]) -> np.ndarray:
        def one(task: tuple[int, pathlib.Path]) -> np.ndarray:
            index, file = task
            return opened[index % sessions].run([output], {name: prepared(file, card)})[0]

        with ThreadPoolExecutor(CORES) as pool:
            return np.concatenate(list(pool.map(one, enumerate(files))))

    return embed


def rate(embed: Callable[[list[pathlib.Path]], np.ndarray], files: list[pathlib.Path]) -> float:
    begun = time.perf_counter()
    embed(files)
    return len(files) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2_000, help="the images of one run")
    parser.add_argument("--rounds", type=int, default=5, help="the runs of each, of which the median counts")
    arguments = parser.parse_args()
    files = (FILES * -(-arguments.images // len(FILES)))[: arguments.images]
    print(f"{CORES} cores, {len(files)} images, median of {arguments.rounds}: images a second")
    for name in ("things", "orl"):
        path = ROOT / "models" / f"{name}.onnx"
        model = siamese.Model.load(path)
        loops = {sessions: loop(path, model.card, sessions) for sessions in {1, CORES}}
        ways = {"siamese": model.embed, **loops}
        rates: dict[object, list[float]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, embed in ways.items():
                rates[way].append(rate(embed, files))
        ours, *others = (float(np.median(rates[way])) for way in ways)
        print(f"{name:8} siamese {ours:8.0f}   loop {max(others):8.0f}   ratio {ours / max(others):5.2f}")


if __name__ == "__main__":
    main()
