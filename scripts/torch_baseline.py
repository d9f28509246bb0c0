"""Compares the server with PyTorch: the baseline network with PyTorch's weights, served with a sidecar.

First export the network to FOLDER/baseline.onnx, with FOLDER/baseline.toml beside it. It has random weights from a fixed
seed, and batch-norm statistics from some batches:

    python scripts/torch_baseline.py export FOLDER

Then start `siamese serve --model FOLDER/baseline.onnx`, and embed images with PyTorch and with the server:

    python scripts/torch_baseline.py compare http://127.0.0.1:8080 IMAGE...

Each image is sent twice. Once it is preprocessed by Pillow (100x100, grey), which compares only the network. Once it is
sent unchanged, which also compares the preprocessing. Both must agree to 1e-4 of the largest coordinate. The second
comparison needs Pillow 13; earlier versions resize in another order, which changes the last bit of some pixels.

Needs the Python packages torch, onnx, onnxscript, numpy and pillow. It uses no GPU.
"""

import io
import json
import sys
import urllib.request
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn

SIDE = 100
TOLERANCE = 1e-4

SIDECAR = f"""name = "baseline"
input = "{SIDE}x{SIDE}"
colour = "grey"
fit = "stretch"
margin = 2.0
"""


def block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(1),
        nn.Conv2d(channels_in, channels_out, kernel_size=3),
        nn.ReLU(),
        nn.BatchNorm2d(channels_out),
        nn.Dropout2d(p=0.2),
    ]


def network() -> nn.Module:
    """Input [n, 1, 100, 100] in [0, 1]; output [n, 5]."""
    torch.manual_seed(1)
    made = nn.Sequential(
        *block(1, 4),
        *block(4, 8),
        *block(8, 8),
        nn.Flatten(),
        nn.Linear(8 * SIDE * SIDE, 500),
        nn.ReLU(),
        nn.Linear(500, 500),
        nn.ReLU(),
        nn.Linear(500, 5),
    )
    # As after training, the statistics and scales of batch norm differ from their initial values.
    for layer in made:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    made.train()
    with torch.no_grad():
        for _ in range(10):
            made(torch.rand(4, 1, SIDE, SIDE))
    return made.eval()


def export(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network(),
        (torch.rand(2, 1, SIDE, SIDE),),
        folder / "baseline.onnx",
        input_names=["pixels"],
        output_names=["embedding"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        dynamo=True,
        external_data=False,
    )
    (folder / "baseline.toml").write_text(SIDECAR)
    print(f"{folder / 'baseline.onnx'}: PyTorch {torch.__version__}")


def read(path: Path) -> Image.Image:
    """Preprocesses as training code does: upright, grey, stretched."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("L")
    return image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def by_torch(made: nn.Module, image: Image.Image) -> np.ndarray:
    pixels = torch.from_numpy(np.asarray(image, np.float32) / 255)
    with torch.no_grad():
        return made(pixels[None, None]).numpy()[0]


def by_server(url: str, upload: bytes) -> np.ndarray:
    headers = {"content-type": "application/octet-stream"}
    request = urllib.request.Request(f"{url}/embed", upload, headers)
    with urllib.request.urlopen(request) as answer:
        return np.array(json.load(answer)["embedding"], np.float32)


def compare(url: str, paths: list[Path]) -> None:
    made = network()
    worst = np.zeros(2)
    for path in paths:
        image, png = read(path), io.BytesIO()
        image.save(png, "PNG")
        theirs = by_torch(made, image)
        ours = np.stack([by_server(url, png.getvalue()), by_server(url, path.read_bytes())])
        errors = np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max()
        print(f"{path}: network {errors[0]:.1e}, whole {errors[1]:.1e}")
        worst = np.maximum(worst, errors)
    print(f"worst of {len(paths)} images: network {worst[0]:.1e}, whole {worst[1]:.1e}")
    sys.exit(bool(worst.max() > TOLERANCE))


match sys.argv[1:]:
    case ["export", folder]:
        export(Path(folder))
    case ["compare", url, *paths] if paths:
        compare(url, [Path(path) for path in paths])
    case _:
        sys.exit(__doc__)
