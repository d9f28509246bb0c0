"""The words and the fonts of made images."""

from pathlib import Path

import numpy as np
from PIL import ImageFont

# Debian's packages fonts-dejavu-core and fonts-dejavu-extra have these fonts.
FONTS = sorted(Path("/usr/share/fonts/truetype/dejavu").glob("DejaVuSans*.ttf"))
WORDS = (
    "total order invoice settings account user network error date price search profile save cancel apply close open file edit "
    "view help report status active pending 12 48 307 9.99 2024 monday north south river update filter export client item name "
    "address city code value amount"
).split()


def font(random: np.random.Generator, smallest: int = 9, largest: int = 22) -> ImageFont.FreeTypeFont:
    """A font of a size from `smallest` to `largest` pixels, the latter excluded."""
    file = FONTS[random.integers(len(FONTS))]
    return ImageFont.truetype(file, int(random.integers(smallest, largest)))
