"""Made textures: mosaics of noise and stripes, in which nothing tells what a thing is."""

import numpy as np
from scipy import ndimage


def texture(random: np.random.Generator, side: int) -> np.ndarray:
    """A square of one to six areas, each with a colour, a grain and perhaps stripes of its own."""
    image, count = np.zeros((side, side, 3)), int(random.integers(1, 7))
    areas = ndimage.gaussian_filter(random.normal(0, 1, (count, side, side)), (0, 18, 18)).argmax(0)
    rows, columns = np.mgrid[:side, :side]
    for number in range(count):
        size = float(np.exp(random.uniform(np.log(0.6), np.log(9))))
        pattern = ndimage.gaussian_filter(random.normal(0, 1, (side, side)), size)
        pattern = (pattern - pattern.mean()) / pattern.std()
        if random.random() < 0.3:
            angle = random.uniform(0, np.pi)
            across = columns * np.cos(angle) + rows * np.sin(angle)
            pattern = pattern * 0.4 + np.sign(np.sin(across * 2 * np.pi / random.uniform(5, 40)))
        colour = random.uniform(30, 225, 3)
        contrast = random.uniform(3, 35)
        filled = colour + pattern[..., None] * contrast * random.uniform(0.6, 1.2, 3)
        image[areas == number] = filled[areas == number]
    return np.clip(image, 0, 255).astype(np.float32)
