"""The truth about a made pair: which pixels are changed."""

import numpy as np
from scipy import ndimage

# The sides of a cell and of a tile, in pixels.
CELL, SIDE = 8, 224


def truth(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives two masks of pixels: those that are changed clearly, and those where it is unclear, as they changed a little.

    The images are those before light, movement and noise.
    """
    difference = np.abs(before.astype(np.float32) - after).max(2)
    difference = ndimage.uniform_filter(difference, 3)
    return 18 < difference, (4 < difference) & (difference <= 18)
