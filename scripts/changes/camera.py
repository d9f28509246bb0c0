"""What happens to an image between a scene and a file: light, a moved camera, noise, JPEG.

Images are arrays `[height, width, 3]` of floats from 0 to 255, until `recorded` makes bytes of them. All functions draw from
the generator that they are given, so a seed always gives the same image.
"""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

# What `recorded` may do: the highest deviation of the noise, the share of images with noise, the share that is compressed,
# and the lowest quality of JPEG.
KINDS = {"photo": (6, 0.8, 0.9, 30), "screen": (0, 0.0, 0.35, 50), "board": (0, 0.0, 0.6, 40)}


def lit(random: np.random.Generator, image: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Changes gamma, exposure, white balance and black level."""
    image = np.clip(image / 255, 0, 1)
    image = image ** np.exp(random.uniform(-0.25, 0.25) * strength)
    exposure, balance = np.exp(random.uniform(-0.35, 0.35) * strength), np.exp(random.uniform(-0.12, 0.12, 3) * strength)
    return np.clip(image * exposure * balance + random.uniform(-0.03, 0.03) * strength, 0, 1) * 255


def shaded(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Makes the light fall off from one side to another."""
    height, width = image.shape[:2]
    slope = random.uniform(-0.12, 0.12, 2)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.clip(image * (1 + slope[0] * rows + slope[1] * columns)[..., None], 0, 255)


def misaligned(random: np.random.Generator, image: np.ndarray, most: float) -> np.ndarray:
    """Shifts, turns and scales an image slightly, so that no pixel moves much farther than `most` pixels.

    This is what an imperfect alignment leaves behind.
    """
    height, width = image.shape[:2]
    bend, shift = random.uniform(-0.5, 0.5, 4) * most / max(height, width), random.uniform(-0.7, 0.7, 2) * most
    matrix, centre = np.array([[1 + bend[0], bend[1]], [bend[2], 1 + bend[3]]]), np.array([height / 2, width / 2])
    offset = centre - matrix @ centre + shift
    channels = [ndimage.affine_transform(channel, matrix, offset, order=1, mode="nearest") for channel in np.moveaxis(image, 2, 0)]
    return np.stack(channels, 2)


def noisy(random: np.random.Generator, image: np.ndarray, most: float) -> np.ndarray:
    """Adds noise of a deviation up to `most`."""
    deviation = random.uniform(0, most)
    return image + random.normal(0, deviation, image.shape)


def recorded(random: np.random.Generator, image: np.ndarray, kind: str) -> np.ndarray:
    """Makes bytes of an image as a device does: a `photo` has noise, and each kind of image may be compressed."""
    most_noise, with_noise, compressed, lowest_quality = KINDS[kind]
    if with_noise and random.random() < with_noise:
        image = noisy(random, image, most_noise)
    image = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    if random.random() < compressed:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(random.integers(lowest_quality, 96)), subsampling=-1)
        image = np.array(Image.open(file))
    return image


def evened(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives the first image the light of the second, and clips both to the light that both could record.

    Each channel has a gain and an offset, by trimmed least squares on pixels that neither image clips. The service does the
    same before it compares cells, so the head is trained on what it will see.
    """
    outputs = np.empty_like(before, np.float32), np.empty_like(after, np.float32)
    for channel in range(3):
        first, second = before[..., channel].astype(np.float32), after[..., channel].astype(np.float32)
        gain, offset = tone(first.ravel()[::3], second.ravel()[::3])
        low, high = max(0, offset), min(255, 255 * gain + offset)
        outputs[0][..., channel], outputs[1][..., channel] = np.clip(first * gain + offset, low, high), np.clip(second, low, high)
    return tuple((output + 0.5).astype(np.uint8) for output in outputs)


def tone(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The gain and the offset from the values `first` to `second`. The fifth that fits least is left out in each round."""
    clear = (2 < first) & (first < 253) & (2 < second) & (second < 253)
    if 0.2 <= clear.mean():
        first, second = first[clear], second[clear]
    gain, offset, kept = 1.0, 0.0, np.ones(len(first), bool)
    for _ in range(4):
        x, y = first[kept], second[kept]
        variance = x.var()
        if variance < 4:
            # A plain area says nothing about the gain.
            gain, offset = 1.0, float((y - x).mean())
        else:
            gain = float(np.clip(((x - x.mean()) * (y - y.mean())).mean() / variance, 0.4, 2.5))
            offset = float(y.mean() - gain * x.mean())
        error = np.abs(second - gain * first - offset)
        kept = error <= max(np.quantile(error, 0.8), 2)
    return gain, offset
