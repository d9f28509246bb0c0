#!/usr/bin/env python3
"""Measures the time of a training step in the trainer and in PyTorch: same network, batch and threads, in turns.

    python3 scripts/bench_training.py [--threads 2] [--rounds 5] [--steps 10] [--networks compact,baseline]

Needs PyTorch (the CPU version is enough), and makes a release build. Batches are made in advance on both sides, so a step
is forward, loss, backward and AdamW. The turns are short, so other load on the machine affects both equally. The output is
the median over all steps, and the median of the ratios of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import time

import torch
from torch import nn
from torch.nn import functional


class Unit(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Compact(nn.Module):
    """The trainer's `compact`; see trainer/src/network/compact.rs."""

    def __init__(self, stem: int = 32, blocks: tuple[int, ...] = (32, 64, 128), width: int = 64):
        super().__init__()
        layers, inputs = [Unit(1, stem, 5, 2)], stem
        for outputs in blocks:
            layers += [Unit(inputs, outputs, 3, 1), Unit(outputs, outputs, 3, 1), nn.MaxPool2d(2)]
            inputs = outputs
        side = 32 // 2 ** len(blocks)
        self.maps = nn.Sequential(*layers, nn.Dropout2d(0.1), nn.Flatten())
        self.head = nn.Linear(inputs * side * side, width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        centred = images - images.mean((2, 3), keepdim=True)
        variance = centred.square().mean((2, 3), keepdim=True)
        return functional.normalize(self.head(self.maps(centred / (variance + 1e-4).sqrt())))


class Seed(nn.Module):
    """The trainer's `baseline`, as trainer/src/network/baseline.rs has it."""

    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in [(1, 4), (4, 8), (8, 8)]:
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3), nn.ReLU(inplace=True)]
            layers += [nn.BatchNorm2d(outputs), nn.Dropout2d(0.2)]
        layers += [nn.Flatten(), nn.Linear(80_000, 500), nn.ReLU(inplace=True)]
        layers += [nn.Linear(500, 500), nn.ReLU(inplace=True), nn.Linear(500, 5)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


class PyTorch:
    """PyTorch's side: one network and one batch."""

    def __init__(self, network: str):
        torch.manual_seed(1)
        compact = network == "compact"
        self.network = Compact() if compact else Seed()
        n_images, side = (80, 64) if compact else (128, 100)
        self.images = torch.rand(n_images, 1, side, side)
        self.margin = 1.2 if compact else 2.0
        if compact:
            self.identities = torch.arange(n_images) // 4
            self.left, self.right = torch.triu_indices(n_images, n_images, 1)
            self.rows = nn.Parameter(torch.randn(30, 64) / 8)
        else:
            self.identities = torch.randint(0, 30, (n_images,))
            self.left, self.right = torch.arange(0, n_images, 2), torch.arange(1, n_images, 2)
            self.rows = None
        parameters = list(self.network.parameters()) + ([] if self.rows is None else [self.rows])
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-3)
        different = self.identities[self.left] != self.identities[self.right]
        self.different = different.float()
        self.weights = torch.where(different, 0.5 / different.sum(), 0.5 / (~different).sum())

    def step(self) -> float:
        """Does one step, and gives its loss."""
        embeddings = self.network(self.images)
        distances = (embeddings[self.left] - embeddings[self.right]).square().sum(1).add(1e-12).sqrt()
        pull = (1 - self.different) * distances.square()
        push = self.different * functional.relu(self.margin - distances).square()
        loss = (self.weights * (pull + push)).sum()
        if self.rows is not None:
            cosines = embeddings @ functional.normalize(self.rows).T
            margins = 0.2 * functional.one_hot(self.identities, 30)
            loss = loss + 0.5 * functional.cross_entropy(16 * (cosines - margins), self.identities)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def time(self, steps: int) -> list[float]:
        """Milliseconds of each step."""
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            times.append(1e3 * (time.perf_counter() - start))
        return times


class Trainer:
    """The trainer's side: a process that does so many steps for each line it is sent."""

    def __init__(self, program: str, network: str, threads: int):
        self.process = subprocess.Popen(
            [program, network],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"RAYON_NUM_THREADS": str(threads)},
        )

    def time(self, steps: int) -> list[float]:
        """Milliseconds of each step."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def build() -> str:
    """Builds the trainer's side; gives the program."""
    command = ["cargo", "build", "--release", "--locked", "-p", "siamese-trainer", "--example", "steps"]
    command += ["--message-format", "json"]
    messages = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [json.loads(line) for line in messages.splitlines()]
    [program] = [it["executable"] for it in artifacts if it.get("executable")]
    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="steps a turn; the baseline network does a third of them")
    parser.add_argument("--networks", default="compact,baseline")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    program = build()
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads, {torch.backends.cpu.get_cpu_capability()}")
    for network in arguments.networks.split(","):
        steps = arguments.steps if network == "compact" else max(1, arguments.steps // 3)
        sides = [PyTorch(network), Trainer(program, network, arguments.threads)]
        for side in sides:
            side.time(2)
        rounds = [[side.time(steps) for side in sides] for _ in range(arguments.rounds)]
        pytorch, trainer = [statistics.median(sum(times, [])) for times in zip(*rounds)]
        ratios = [statistics.median(ours) / statistics.median(theirs) for theirs, ours in rounds]
        print(
            f"{network}: PyTorch {pytorch:.0f} ms a step, trainer {trainer:.0f} ms: {statistics.median(ratios):.2f} times"
            f" (rounds {min(ratios):.2f} to {max(ratios):.2f})"
        )
        sides[1].close()


if __name__ == "__main__":
    main()
