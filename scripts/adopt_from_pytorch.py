#!/usr/bin/env python3
"""Runs every step of docs/adopt.md, from a PyTorch network to a calibrated model.

    python3 scripts/adopt_from_pytorch.py [--trainer PROGRAM] [--siamese PROGRAM] [--keep DIR]

Needs torch, onnx, onnxscript, onnxruntime, numpy and Pillow. It makes synthetic images, trains a small network on some of
them for a few seconds, exports it with both of PyTorch's exporters, compares both files with the network, and runs
`siamese-trainer adopt` and `siamese compare` on them. It fails if a step does not do what the page says.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from PIL import Image

SIDE = 48
MEAN, STD = 0.5, 0.25


class Embedder(torch.nn.Module):
    """Three convolutions with batch norm, dropout, and 32 coordinates: small, but with the usual problems of exports."""

    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in (16, 32, 64):
            layers += [
                torch.nn.Conv2d(channels, width, 3, stride=2, padding=1),
                torch.nn.BatchNorm2d(width),
                torch.nn.ReLU(),
            ]
            channels = width
        self.trunk = torch.nn.Sequential(*layers)
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(channels * 36, 32))

    def forward(self, x):
        return self.head(torch.flatten(self.trunk(x), 1))


def made_image(thing: int, number: int) -> Image.Image:
    """A striped disc: the identity defines colours and stripes, the number defines position and brightness."""
    random = numpy.random.default_rng([thing, number])
    kind = numpy.random.default_rng([7, thing])
    low, high = kind.uniform(0, 255, (2, 3))
    turn, stripes = kind.uniform(0, math.pi), kind.uniform(2, 6)
    y, x = numpy.mgrid[0:72, 0:64] / 64.0
    x, y = x - 0.5 + random.uniform(-0.1, 0.1), y - 0.56 + random.uniform(-0.1, 0.1)
    wave = 0.5 + 0.5 * numpy.sin(2 * math.pi * stripes * (x * math.cos(turn) + y * math.sin(turn)))
    disc = (x * x + y * y < 0.4**2)[..., None]
    image = numpy.where(disc, low + (high - low) * wave[..., None], 120.0)
    image = image * random.uniform(0.7, 1.2) + random.normal(0, 12, image.shape)
    return Image.fromarray(image.clip(0, 255).astype("uint8"))


def write_images(folder: Path, things: range) -> None:
    for thing in things:
        (folder / f"thing{thing}").mkdir(parents=True)
        for number in range(6):
            made_image(thing, number).save(folder / f"thing{thing}" / f"{number}.png")


def prepared(image: Image.Image) -> numpy.ndarray:
    """What the training code does: resized as Pillow does, RGB, channels first, 0 to 1, less the mean, over the std."""
    pixels = numpy.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR), numpy.float32)
    return ((pixels / 255.0 - MEAN) / STD).transpose(2, 0, 1)


def train(folder: Path) -> Embedder:
    """A classifier over the things, whose cosines make the embeddings of one thing alike."""
    files = sorted(folder.glob("*/*.png"))
    names = sorted({it.parent.name for it in files})
    images = torch.tensor(numpy.stack([prepared(Image.open(it)) for it in files]))
    labels = torch.tensor([names.index(it.parent.name) for it in files])
    torch.manual_seed(1)
    network, classes = Embedder(), torch.nn.Parameter(torch.randn(len(names), 32))
    optimizer = torch.optim.Adam([*network.parameters(), classes], 2e-3)
    for _ in range(150):
        batch = torch.randint(len(files), (48,))
        unit = torch.nn.functional.normalize
        cosines = unit(network(images[batch])) @ unit(classes).T
        loss = torch.nn.functional.cross_entropy(10 * cosines, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def export(network: torch.nn.Module, file: Path, dynamo: bool) -> None:
    """Both exporters, with an open first axis."""
    example = torch.zeros(2, 3, SIDE, SIDE)
    names = {"input_names": ["images"], "output_names": ["embeddings"]}
    if dynamo:
        batch = torch.export.Dim("n", min=1)
        torch.onnx.export(network, (example,), file, dynamo=True, dynamic_shapes=({0: batch},), **names)
    else:
        axes = {"images": {0: "n"}, "embeddings": {0: "n"}}
        torch.onnx.export(network, (example,), file, dynamo=False, dynamic_axes=axes, opset_version=17, **names)


def check_parity(network: torch.nn.Module, file: Path) -> float:
    """The largest difference between the network and its export, over batches of several sizes."""
    onnx.checker.check_model(file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    largest = 0.0
    for size in (1, 3, 8):
        images = torch.randn(size, 3, SIDE, SIDE)
        with torch.no_grad():
            expected = network(images).numpy()
        (found,) = session.run(None, {"images": images.numpy()})
        assert found.shape == expected.shape, (found.shape, expected.shape)
        largest = max(largest, float(abs(found - expected).max()))
    assert largest < 1e-4, f"{file} differs from the network by {largest}"
    return largest


def run(*command: object, code: int | None = 0) -> str:
    """Runs a program, and holds it to its exit code: `compare` ends with 1 where two are different."""
    words = [str(it) for it in command]
    print("$", " ".join(words), flush=True)
    done = subprocess.run(words, capture_output=True, text=True)
    said = done.stdout + done.stderr
    print(said, flush=True)
    if done.returncode != code and not (code is None and done.returncode < 2):
        sys.exit(f"exit code {done.returncode}, not {code}")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainer", default="target/release/siamese-trainer")
    parser.add_argument("--siamese", default="target/release/siamese")
    parser.add_argument("--keep", type=Path, help="leave all files in this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.keep or Path(temporary)
        write_images(place / "training", range(40))
        write_images(place / "mine", range(40, 60))
        network = train(place / "training")

        adopt = [arguments.trainer, "adopt", "--data", place / "mine"]
        asked = ["--input", f"{SIDE}x{SIDE}", "--colour", "rgb", "--mean", MEAN, "--std", STD, "--embedding", "unit"]

        print("In training, batch norm and dropout make an answer depend on the batch and on chance: refused.")
        network.train()
        with torch.no_grad():
            torch.onnx.export(
                network, (torch.zeros(2, 3, SIDE, SIDE),), place / "training.onnx", dynamo=False,
                training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
                dynamic_axes={"x": {0: "n"}}, input_names=["x"],
            )
        refused = run(*adopt, *asked, "--model", place / "training.onnx", "--out", place / "no.onnx", code=2)
        assert "model.eval()" in refused and not (place / "no.onnx").exists()

        network.eval()
        for kind, dynamo in (("dynamo", True), ("legacy", False)):
            file, model = place / f"{kind}.onnx", place / f"{kind}-model.onnx"
            export(network, file, dynamo)
            print(f"{kind}: within {check_parity(network, file):.1e} of the network, files",
                  sorted(it.name for it in place.glob(f"{kind}.onnx*")))
            run(*adopt, *asked, "--model", file, "--out", model, "--report", place / f"{kind}-report")
            assert (place / f"{kind}-report" / "index.html").exists()
            right = 0
            for number in range(5):
                one, same, other = (place / "mine" / it for it in (f"thing{40 + number}/0.png", f"thing{40 + number}/1.png", f"thing{50 + number}/0.png"))
                right += "same" in run(arguments.siamese, "compare", "--model", model, one, same, code=None)
                right += "different" in run(arguments.siamese, "compare", "--model", model, one, other, code=None)
            assert 8 <= right, f"{right} of 10 verdicts are right"

        print("Wrong guesses are found out, and --best takes what is better.")
        wrong = ["--scale", 1, "--colour", "bgr", "--embedding", "as-is"]
        said = run(*adopt, *wrong, "--model", place / "dynamo.onnx", "--out", place / "best.onnx", "--best")
        assert "more than chance" in said and "--colour rgb" in said, "the wrong guess was not found out"
        inspected = run(arguments.siamese, "inspect", place / "best.onnx")
        assert "rgb" in inspected


if __name__ == "__main__":
    main()
