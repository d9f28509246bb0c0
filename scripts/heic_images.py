# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "pillow==13.0.0", "pillow-heif==1.8.1"]
# ///
"""Makes the HEIC test images from samples/shelf_after.jpg, and what libheif decodes them to.

    python -m venv venv && venv/bin/pip install numpy pillow pillow-heif
    venv/bin/python scripts/heic_images.py

The script writes `tests/fixtures/heic/NAME.heic` and `NAME.png`. libheif with x265 codes the pictures. The script itself
writes the container of those whose names begin with `grid`, `mirrored` and `cropped`, as phones write it: tiles of one
size, hidden, in a grid that is turned by `irot`, with an EXIF block that states the same orientation, and a thumbnail.
"""

import io
import struct
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "heic"
TILE = 64


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, version, flags, *parts):
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def boxes(data):
    at = 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + length]
        at += length


def saved(image, **options):
    """The bytes of a HEIC that libheif writes."""
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=60, **options)
    return out.getvalue()


def coded(image):
    """The content of `hvcC`, and the coded picture."""
    parts = dict(boxes(saved(image)))
    meta = dict(boxes(parts[b"meta"][4:]))
    properties = dict(boxes(dict(boxes(meta[b"iprp"]))[b"ipco"]))
    return properties[b"hvcC"], parts[b"mdat"]


def size(width, height):
    return full(b"ispe", 0, 0, struct.pack(">II", width, height))


def container(primary, items, properties, associations, references, grid):
    """`items` are `(id, kind, flags, data)`; the data of a grid is in `idat`."""

    def meta(start):
        places = []
        for number, kind, _, data in items:
            in_idat = kind == b"grid"
            at = 0 if in_idat else start
            places.append(struct.pack(">HHHHII", number, in_idat, 0, 1, at, len(data)))
            start += 0 if in_idat else len(data)
        infos = [full(b"infe", 2, flags, struct.pack(">HH4sx", number, 0, kind)) for number, kind, flags, _ in items]
        refs = [box(kind, struct.pack(f">HH{len(to)}H", start, len(to), *to)) for kind, start, to in references]
        links = [struct.pack(">HB", number, len(which)) + bytes(which) for number, which in associations]
        return full(
            b"meta",
            0,
            0,
            full(b"hdlr", 0, 0, b"\0\0\0\0pict" + b"\0" * 13),
            full(b"pitm", 0, 0, struct.pack(">H", primary)),
            full(b"iinf", 0, 0, struct.pack(">H", len(items)), *infos),
            full(b"iref", 0, 0, *refs),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", 0, 0, struct.pack(">I", len(links)), *links)),
            box(b"idat", grid),
            full(b"iloc", 1, 0, struct.pack(">BBH", 0x44, 0, len(items)), *places),
        )

    brands = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    start = len(brands) + len(meta(0)) + 8
    return brands + meta(start) + box(b"mdat", *[data for _, kind, _, data in items if kind != b"grid"])


def grid(image, transforms=(), colour=None, colour_of_grid=None, exif=None, thumbnail=None):
    """An image in tiles. `colour` belongs to each tile."""
    width, height = image.size
    columns, rows = -(-width // TILE), -(-height // TILE)
    padding = ((0, rows * TILE - height), (0, columns * TILE - width), (0, 0))
    padded = np.pad(np.asarray(image), padding, mode="edge")
    starts = [(row * TILE, column * TILE) for row in range(rows) for column in range(columns)]
    tiles = [coded(Image.fromarray(padded[y : y + TILE, x : x + TILE])) for y, x in starts]
    properties = [box(b"hvcC", tiles[0][0]), size(TILE, TILE), size(width, height)]
    of_tile, of_grid = [0x81, 2], [3]
    for extra in [box(b"colr", colour)] if colour else []:
        properties.append(extra)
        of_tile.append(len(properties))
    for extra in [box(b"colr", colour_of_grid)] if colour_of_grid else []:
        properties.append(extra)
        of_grid.append(len(properties))
    for transform in transforms:
        properties.append(transform)
        of_grid.append(0x80 | len(properties))
    last = len(tiles) + 1
    description = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    items = [(number, b"hvc1", 1, data) for number, (_, data) in enumerate(tiles, 1)]
    items.append((last, b"grid", 0, description))
    associations = [(number, of_tile) for number in range(1, last)] + [(last, of_grid)]
    references = [(b"dimg", last, list(range(1, last)))]
    if exif:
        items.append((last + 1, b"Exif", 1, struct.pack(">I", 6) + b"Exif\0\0" + exif))
        references.append((b"cdsc", last + 1, [last]))
    if thumbnail:
        config, data = coded(image.resize(thumbnail))
        properties += [box(b"hvcC", config), size(*thumbnail)]
        items.append((last + 2, b"hvc1", 0, data))
        associations.append((last + 2, [0x80 | len(properties) - 1, len(properties)]))
        references.append((b"thmb", last + 2, [last]))
    return container(last, items, properties, associations, references, description)


def single(image, *transforms):
    """One picture, with transforms."""
    config, data = coded(image)
    properties = [box(b"hvcC", config), size(*image.size), *transforms]
    which = [0x81, 2] + [0x80 | number for number in range(3, len(properties) + 1)]
    return container(1, [(1, b"hvc1", 0, data)], properties, [(1, which)], [], b"")


def colours(matrix, is_full):
    return b"nclx" + struct.pack(">HHHB", 1, 13, matrix, 0x80 if is_full else 0)


def main():
    FOLDER.mkdir(exist_ok=True)
    sample = Image.open(ROOT / "samples" / "shelf_after.jpg").convert("RGB")
    photograph = sample.resize((160, 120)).crop((20, 16, 140, 104))
    odd, even = photograph.crop((0, 0, 75, 53)), photograph.crop((0, 0, 80, 64))
    translucent = odd.convert("RGBA")
    translucent.putalpha(Image.linear_gradient("L").resize(odd.size))
    exif = Image.Exif()
    exif[274] = 6
    deep = np.asarray(odd).astype(np.uint16) * 257
    deep = pillow_heif.from_bytes(mode="RGB;16", size=odd.size, data=deep.tobytes())
    ten = io.BytesIO()
    pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    deep.save(ten, quality=60)
    crop = struct.pack(">IIIIiIiI", 60, 1, 41, 1, -4, 1, 5, 1)
    irot, imir = (lambda n: box(b"irot", bytes([n]))), (lambda n: box(b"imir", bytes([n])))
    files = {
        "420": saved(photograph),
        "422-odd": saved(odd, chroma="422"),
        "444-odd": saved(odd, chroma="444"),
        "grey": saved(odd.convert("L")),
        "alpha": saved(translucent),
        "10-bit": ten.getvalue(),
        "orientation-6": saved(odd, exif=exif.tobytes()),
        "grid": grid(photograph, [irot(3)], exif=exif.tobytes(), thumbnail=(32, 24)),
        "grid-bt709": grid(photograph, colour=colours(1, False)),
        "grid-limited": grid(photograph, colour=colours(6, True), colour_of_grid=colours(1, False)),
        "grid-turned": grid(photograph, [irot(1), imir(0)]),
        "mirrored": single(even, imir(1)),
        "cropped": single(even, box(b"clap", crop), irot(2)),
    }
    for name, content in files.items():
        (FOLDER / f"{name}.heic").write_bytes(content)
        pillow_heif.register_heif_opener()
        decoded = Image.open(io.BytesIO(content)).convert("RGB")
        decoded.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
