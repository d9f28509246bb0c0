"""The network of `changes.onnx`: the first blocks of EfficientNet-lite0, frozen, and a small head.

The head embeds each cell, a square of 8 pixels. Two cells are changed if their embeddings are far from each other. The
backbone describes edges and small shapes that survive other light and noise. The head learns which of their differences
are changes.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent.parent / "lite0"))
from parity import Lite0  # noqa: E402

WIDTH = 32
# The mean and the deviation of the colours that the backbone was trained with. The card of the model states them.
MEAN, DEVIATION = 127.0, 128.0


class Backbone(nn.Module):
    """EfficientNet-lite0 up to its fifth block."""

    def __init__(self, weights: Path):
        super().__init__()
        lite0 = Lite0(torch.load(weights, map_location="cpu", weights_only=True))
        self.stem, self.blocks = lite0.stem, lite0.blocks[:5]

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gives the fine map, 24 channels for each 4 pixels, and the coarse one, 40 channels for each 8 pixels.

        `pixels` has the shape `[n, 3, height, width]`, normalised.
        """
        maps, outputs = self.stem(pixels), []
        for layers, is_added in self.blocks:
            before = maps
            for layer in layers:
                maps = layer(maps)
            if is_added:
                maps = maps + before
            outputs.append(maps)
        return outputs[2], outputs[4]


class Standardise(nn.Module):
    """Brings each channel to the mean 0 and the deviation 1, as measured once on training images."""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.register_buffer("offset", torch.zeros(channels, 1, 1))

    def measure(self, maps: torch.Tensor) -> None:
        """Takes the mean and the deviation of `maps`, of the shape `[n, channels, rows, columns]`."""
        # The addend keeps a channel that is nearly constant from becoming mere noise.
        self.scale[:, 0, 0] = 1 / (maps.std((0, 2, 3)) + 1e-3)
        self.offset[:, 0, 0] = -maps.mean((0, 2, 3)) * self.scale[:, 0, 0]

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps * self.scale + self.offset


class Head(nn.Module):
    """Embeds each cell, from the two maps of the backbone."""

    def __init__(self):
        super().__init__()
        self.standard_fine, self.standard_coarse = Standardise(24), Standardise(40)
        self.fine = nn.Conv2d(24, 32, 3, padding=1)
        self.down = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.join = nn.Conv2d(64 + 40, 64, 3, padding=1)
        self.output = nn.Conv2d(64, WIDTH, 1)

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """Gives the embeddings of the cells: `[n, WIDTH, rows, columns]`."""
        maps = functional.relu(self.down(functional.relu(self.fine(self.standard_fine(fine)))))
        maps = functional.relu(self.join(torch.cat([maps, self.standard_coarse(coarse)], 1)))
        return self.output(maps)


class Network(nn.Module):
    """The whole network, as the model file contains it."""

    def __init__(self, backbone: Backbone, head: Head):
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gives the embedding of the image, which is the mean of its cells, and the map of its cells."""
        cells = self.head(*self.backbone(pixels))
        return cells.mean((2, 3)), cells


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Makes the network's input of `images`: bytes, of the shape `[n, height, width, 3]`."""
    return (images.permute(0, 3, 1, 2).float() - MEAN) / DEVIATION


def distances(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Gives the distance of each cell: `[n, rows, columns]`."""
    # The addend keeps the gradient of the root finite where two embeddings are equal.
    return ((before - after).square().sum(1) + 1e-6).sqrt()
