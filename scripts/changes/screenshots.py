"""Made pairs of screenshots: windows with text, buttons, tables and charts, of which some parts change."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from camera import lit, misaligned, recorded
from truth import truth
from words import WORDS, font

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Part:
    """A part of a window. `kind` is `area`, `bar`, `text`, `button` or `cell`; the last three have words."""

    kind: str
    box: Box
    colour: Colour
    outline: Colour | None = None
    words: str = ""
    font: Font | None = None

    def draw(self, draw: ImageDraw.ImageDraw) -> None:
        """Draws the part. For a button and a cell, `outline` is the colour of the words."""
        left, top, right, bottom = self.box
        match self.kind:
            case "area":
                draw.rectangle(self.box, fill=self.colour, outline=self.outline)
            case "bar":
                draw.rectangle((left, top, min(left + 12, right), bottom), fill=self.colour)
            case "text":
                draw.text((left, top), self.words, fill=self.colour, font=self.font)
            case "button":
                draw.rounded_rectangle(self.box, 6, fill=self.colour, outline=self.outline)
                draw.text((left + 8, top + 5), self.words, fill=self.outline, font=self.font)
            case "cell":
                draw.rectangle(self.box, outline=self.colour)
                draw.text((left + 5, top + 4), self.words, fill=self.outline, font=self.font)

    def moved(self, right: int) -> "Part":
        """The same part, so many pixels farther right."""
        box = self.box
        return replace(self, box=(box[0] + right, box[1], box[2] + right, box[3]))


def colour(random: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    """A colour with values from `low` to `high`, the latter excluded."""
    return tuple(random.integers(low, high, 3).tolist())


def word(random: np.random.Generator) -> str:
    return str(random.choice(WORDS))


def words(random: np.random.Generator, count: int) -> str:
    return " ".join(random.choice(WORDS, count))


def pair(random: np.random.Generator, width: int, height: int, side: int | None = None, changes: int | None = None) -> tuple:
    """Makes two screenshots of one window, and the truth. With `side`, gives a square of them that shows a change if any."""
    first = window(random, width, height)
    second = list(first)
    if changes is None:
        changes = 0 if random.random() < 0.3 else int(random.integers(1, 4))
    for _ in range(changes):
        change(random, second)
    before, after = (picture(parts, width, height) for parts in (first, second))
    if side:
        place = square(random, truth(before, after)[0], side)
        before, after = before[place], after[place]
    masks = truth(before, after)
    if random.random() < 0.2:
        before = misaligned(random, before, 0.6)
    if random.random() < 0.15:
        before = lit(random, before, 0.4)
    return recorded(random, before, "screen"), recorded(random, after, "screen"), *masks


def picture(parts: list[Part], width: int, height: int) -> np.ndarray:
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for part in parts:
        part.draw(draw)
    return np.array(image).astype(np.float32)


def square(random: np.random.Generator, mask: np.ndarray, side: int) -> tuple[slice, slice]:
    """A square, anywhere if the mask is empty, else around one of its pixels."""
    corner = [int(random.integers(0, length - side + 1)) for length in mask.shape]
    pixels = np.argwhere(mask)
    if len(pixels):
        pixel = pixels[random.integers(len(pixels))]
        corner = [int(np.clip(at - random.integers(20, side - 20), 0, length - side)) for at, length in zip(pixel, mask.shape)]
    return tuple(slice(start, start + side) for start in corner)


def window(random: np.random.Generator, width: int, height: int) -> list[Part]:
    """The parts of a window: a title, perhaps a bar at its side, and rows of contents."""
    is_dark = random.random() < 0.3
    ground = colour(random, *((15, 50) if is_dark else (225, 256)))
    ink = colour(random, *((190, 256) if is_dark else (0, 70)))
    accent, fonts = colour(random, 30, 220), [font(random) for _ in range(3)]
    title = Part("area", (0, 0, width, int(random.integers(20, 44))), accent)
    parts = [Part("area", (0, 0, width, height), ground), title]
    parts.append(Part("text", (8, 6, 8, 6), (255, 255, 255), words=words(random, 3), font=fonts[0]))
    top, left = 50, 10
    if random.random() < 0.5:
        right = int(random.integers(50, 140))
        shade = tuple(int(np.clip(value + random.integers(-25, 26), 0, 255)) for value in ground)
        parts.append(Part("area", (0, 44, right, height), shade))
        for row in range(int(random.integers(2, 9))):
            parts.append(Part("text", (8, 54 + row * 26) * 2, ink, words=word(random), font=fonts[1]))
        left += right
    while top < height - 20:
        kind = random.integers(5)
        if kind <= 1:
            added, top = paragraph(random, left, top, ink, fonts)
        elif kind == 2:
            added, top = buttons(random, left, top, (accent, ground, ink), fonts[1])
        elif kind == 3:
            added, top = table(random, (left, top, width - 10), (ground, ink), fonts[2])
        else:
            added, top = chart(random, left, top, ink)
        parts += added
    return parts


def paragraph(random: np.random.Generator, left: int, top: int, ink: Colour, fonts: list[Font]) -> tuple[list[Part], int]:
    """Lines of text, and where the next part begins."""
    chosen, parts = fonts[random.integers(3)], []
    for _ in range(int(random.integers(1, 5))):
        parts.append(Part("text", (left, top) * 2, ink, words=words(random, random.integers(3, 12)), font=chosen))
        top += int(chosen.size * 1.4)
    return parts, top


def buttons(random: np.random.Generator, left: int, top: int, colours: tuple, chosen: Font) -> tuple[list[Part], int]:
    """A row of buttons, and where the next part begins. `colours` are those of two kinds of buttons, and of the words."""
    parts = []
    for _ in range(int(random.integers(1, 4))):
        right = left + int(random.integers(50, 110))
        fill = colours[0] if random.random() < 0.5 else colours[1]
        parts.append(Part("button", (left, top, right, top + 26), fill, colours[2], word(random), chosen))
        left = right + 12
    return parts, top + 38


def table(random: np.random.Generator, place: tuple, colours: tuple, chosen: Font) -> tuple[list[Part], int]:
    """A table, and where the next part begins. `place` is its left, its top, and its right edge."""
    left, top, right = place
    rows, columns = int(random.integers(2, 6)), int(random.integers(2, 6))
    width, line = (right - left) // columns, tuple((one + other) // 2 for one, other in zip(*colours))
    parts = []
    for _ in range(rows):
        for column in range(columns):
            box = (left + column * width, top, left + (column + 1) * width, top + 24)
            parts.append(Part("cell", box, line, colours[1], word(random), chosen))
        top += 24
    return parts, top + 12


def chart(random: np.random.Generator, left: int, top: int, ink: Colour) -> tuple[list[Part], int]:
    """A coloured area with bars, and where the next part begins."""
    width, height = int(random.integers(40, 200)), int(random.integers(30, 90))
    right, bottom = left + width, top + height
    parts = [Part("area", (left, top, right, bottom), colour(random), ink if random.random() < 0.5 else None)]
    for _ in range(int(random.integers(0, 6))):
        box = (left + int(random.integers(0, width)), top + int(random.integers(0, height // 2)), right, bottom)
        parts.append(Part("bar", box, colour(random)))
    return parts, bottom + 12


def change(random: np.random.Generator, parts: list[Part]) -> None:
    """Changes one part, but not the ground or the title: it disappears, moves, grows, or has another colour or other words."""
    index, kind = int(random.integers(2, len(parts))), random.integers(4)
    part = parts[index]
    if part.kind == "text":
        if kind == 0:
            del parts[index]
        elif kind == 1:
            parts[index] = part.moved(int(random.integers(6, 60)))
        else:
            new, all_words = word(random), part.words.split()
            all_words[int(random.integers(len(all_words)))] = new
            parts[index] = replace(part, words=" ".join(all_words))
    elif part.kind in ("button", "cell"):
        if kind == 0:
            parts[index] = replace(part, words=word(random))
        elif kind == 1:
            del parts[index]
        elif kind == 2:
            parts[index] = replace(part, colour=colour(random))
        else:
            parts[index] = part.moved(int(random.integers(5, 60)))
    elif kind == 0:
        del parts[index]
    elif kind == 1:
        parts[index] = replace(part, colour=colour(random))
    else:
        left, top, right, bottom = part.box
        right += int(random.integers(4, 40))
        parts[index] = replace(part, box=(left, top, right, bottom + int(random.integers(0, 20))))
