# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "pillow==13.0.0"]
# ///
"""Makes the golden images and their preprocessing results by Pillow.

    python -m venv venv && venv/bin/pip install numpy pillow
    venv/bin/python scripts/golden_images.py [--faces DIR]

The script writes to `tests/fixtures`:

- `images/`: small generated images, of each format and each known special case;
- `samples/`: with `--faces`, two photographs of each of four people of the ORL faces
  (`DIR/sN/M.pgm`), as JPEG and PNG; without it, those already there are used;
- `images/expected.bin` and `images/manifest.json`: Pillow's result of each preprocessing, one
  byte per channel, channels interleaved, and its offset in the file; with a tolerance if the
  JPEG is so large that it is decoded at a fraction of its size.

A result is `exif_transpose`, `convert`, then `resize`, `ImageOps.pad` or `ImageOps.fit` with
`BILINEAR`. Some cases differ from Pillow; the manifest marks all but the last:

- 16-bit grey: Pillow's `convert("L")` clips everything above 255 to white, which makes most such
  images white. The server keeps the upper eight bits, as Pillow does for colour.
- 16-bit LA, for which Pillow's PNG reader has no mode: likewise.
- An orientation stored as a byte, which Pillow ignores, and a big-endian BigTIFF, which it does not
  read.
- A JPEG with all its pixels but no end marker, which Pillow calls truncated.
- An image so thin that `ImageOps.pad` rounds its shorter side to 0 and gives black: the server
  keeps one pixel of it.
"""

import argparse
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps, features

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
SAMPLES = ROOT / "samples"
FACES = [(person, photograph) for person in (1, 5, 9, 13) for photograph in (1, 2)]

# Colour, fit, width, height.
SMALL = [
    ("grey", "stretch", 16, 16),
    ("rgb", "stretch", 12, 14),
    ("grey", "pad", 20, 20),
    ("rgb", "crop", 10, 12),
]
MANY = SMALL + [
    ("grey", "stretch", 64, 48),
    ("rgb", "pad", 33, 27),
    ("grey", "crop", 48, 31),
    ("rgb", "stretch", 3, 50),
]
# For large JPEGs: at a quarter and an eighth of their size, three times, then at all of it.
LARGE = [
    ("grey", "stretch", 13, 12),
    ("grey", "stretch", 6, 5),
    ("grey", "pad", 14, 17),
    ("grey", "pad", 8, 5),
    ("grey", "crop", 12, 9),
    ("grey", "crop", 5, 6),
    ("rgb", "stretch", 10, 10),
    ("grey", "stretch", 20, 18),
]
# Pixels of a JPEG per decoded pixel, along each side, when it is decoded at a quarter.
REDUCED_FROM = 30


def art(width, height, grain=0.06):
    """A scene of smooth light, saturated colours, hard edges and fine grain, as uint8 RGB."""
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = columns / width, rows / height
    scene = np.stack(
        [
            0.5 + 0.45 * np.sin(5 * x + 2 * y),
            0.5 + 0.45 * np.sin(3 * y - 4 * x + 1),
            0.5 + 0.45 * np.cos(6 * x * y + 2),
        ],
        axis=-1,
    )
    for colour, across, down in [
        ((1, 0, 0), 0.25, 0.3),
        ((0, 0, 1), 0.7, 0.25),
        ((0, 1, 0), 0.3, 0.75),
        ((1, 0, 1), 0.75, 0.72),
    ]:
        scene[(x - across) ** 2 + (y - down) ** 2 < 0.02] = colour
    scene[(abs(x - 0.5) < 0.05) & (rows // 2 % 2 == 0)] = (1, 1, 0)
    noise = (columns * 73856093 ^ rows * 19349663) * 2654435761 % 2**32 / 2**32 - 0.5
    scene += grain * noise[..., None]
    return np.clip(np.rint(scene * 255), 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    """Saves an image with Pillow and returns the bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    """EXIF with an orientation."""
    it = Image.Exif()
    it[0x0112] = orientation
    return it


def exif_of(kind, orientation):
    """EXIF with an orientation of a type of numbers: 1 is a byte, 4 a number of four bytes."""
    directory = struct.pack("<HHHII", 1, 0x0112, kind, 1, orientation)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory + b"\0\0\0\0"


def png_chunk(name, body):
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, bits, colour_type, extra=b"", interlaced=False, behind=b""):
    """A PNG of any depth: `samples` is `[height, width, channels]`, with chunks before its pixels or behind."""
    height, width, channels = samples.shape

    def lines(part):
        if part.size == 0:
            return b""
        if bits == 16:
            packed = part.astype(">u2").reshape(part.shape[0], -1).view(np.uint8)
        elif bits == 8:
            packed = part.astype(np.uint8).reshape(part.shape[0], -1)
        else:
            planes = [(part[..., 0] >> bit) & 1 for bit in reversed(range(bits))]
            flat = np.stack(planes, axis=-1).reshape(part.shape[0], -1)
            packed = np.packbits(flat.astype(np.uint8), axis=1)
        return b"".join(b"\0" + row.tobytes() for row in packed)

    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b"".join(lines(samples[top::down, left::across]) for top, left, down, across in passes)
    else:
        data = lines(samples)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(data, 9))
        + behind
        + png_chunk(b"IEND", b"")
    )


def jpeg_of(planes, factors, scans, size, quality=4, before=b""):
    """A baseline JPEG of these channels, each in its own resolution, with their sampling factors, in scans
    of any channels."""
    most = [max(it[axis] for it in factors) for axis in (0, 1)]
    rows = np.arange(8)
    basis = np.cos((2 * rows[None, :] + 1) * rows[:, None] * np.pi / 16) / 2
    basis[0] /= np.sqrt(2)
    zigzag = sorted(np.ndindex(8, 8), key=lambda it: (sum(it), it[0] if sum(it) % 2 else it[1]))
    blocks = []
    for plane, (across, down) in zip(planes, factors):
        # Whole units of all channels.
        height, width = (-(-side // (8 * factor)) * 8 for side, factor in zip(size[::-1], most[::-1]))
        height, width = height * down, width * across
        plane = np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")
        cut = plane.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2) - 128.0
        levels = np.rint(basis @ cut @ basis.T / quality).astype(int)
        blocks.append(np.stack([levels[..., row, column] for row, column in zigzag], axis=-1))

    symbols = [run << 4 | size for run in range(16) for size in range(11)]
    marker = lambda name, body: bytes([0xFF, name]) + struct.pack(">H", len(body) + 2) + body
    out = b"\xff\xd8" + before + marker(0xDB, b"\0" + bytes([quality] * 64))
    out += marker(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
    out += marker(0xC4, b"\x10" + bytes([0] * 7 + [176] + [0] * 8) + bytes(symbols))
    frame = b"".join(bytes([at + 1, across << 4 | down, 0]) for at, (across, down) in enumerate(factors))
    out += marker(0xC0, struct.pack(">BHHB", 8, size[1], size[0], len(planes)) + frame)
    for scan in scans:
        bits, last = [], [0] * len(planes)

        def put(value, count):
            bits.extend(value >> at & 1 for at in reversed(range(count)))

        def put_level(level, size):
            put(level if level > 0 else level + (1 << size) - 1, size)

        def put_block(channel, block):
            difference, last[channel] = int(block[0]) - last[channel], int(block[0])
            size = abs(difference).bit_length()
            put(size, 4)
            put_level(difference, size)
            run = 0
            for level in map(int, block[1:] if block[1:].any() else []):
                if level == 0:
                    run += 1
                    continue
                while run > 15:
                    put(symbols.index(0xF0), 8)
                    run -= 16
                size = abs(level).bit_length()
                put(symbols.index(run << 4 | size), 8)
                put_level(level, size)
                run = 0
            if run or not block[1:].any():
                put(symbols.index(0), 8)

        if len(scan) == 1:
            (channel,) = scan
            sides = [-(-side * factor // (8 * all)) for side, factor, all in zip(size, factors[channel], most)]
            for block in blocks[channel][: sides[1], : sides[0]].reshape(-1, 64):
                put_block(channel, block)
        else:
            units = [-(-side // (8 * all)) for side, all in zip(size, most)]
            for row, column in np.ndindex(units[1], units[0]):
                for channel in scan:
                    across, down = factors[channel]
                    for y, x in np.ndindex(down, across):
                        put_block(channel, blocks[channel][row * down + y, column * across + x])
        bits += [1] * (-len(bits) % 8)
        chosen = b"".join(bytes([channel + 1, 0]) for channel in scan)
        out += marker(0xDA, bytes([len(scan)]) + chosen + b"\0\x3f\0")
        out += np.packbits(bits).tobytes().replace(b"\xff", b"\xff\0")
    return out + b"\xff\xd9"


def shrunk(plane, across, down):
    """A channel with each so many columns and rows made one."""
    height, width = (side // step * step for side, step in zip(plane.shape, (down, across)))
    plane = plane[:height, :width].reshape(height // down, down, width // across, across)
    return plane.mean(axis=(1, 3))


def jpeg_with(image, factors, scans=None, **more):
    """A JPEG of an image, each channel shrunk as its sampling factors say."""
    most = [max(it[axis] for it in factors) for axis in (0, 1)]
    planes = np.split(np.asarray(image).astype(float), len(factors), axis=2)
    steps = [[all // own for all, own in zip(most, factor)] for factor in factors]
    planes = [shrunk(plane[..., 0], *step) for plane, step in zip(planes, steps)]
    return jpeg_of(planes, factors, scans or [range(len(factors))], image.size, **more)


def tiff(entries, parts, order="<", big=False):
    """A TIFF of these tags, each with one number or a list of them, and of these coded parts."""
    word = "Q" if big else "I"
    offsets, lengths = (324, 325) if 322 in entries else (273, 279)
    data, places = (b"II" if order == "<" else b"MM"), []
    data += struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0)))
    for part in parts:
        places.append(len(data))
        data += part
    entries = entries | {offsets: places, lengths: [len(part) for part in parts]}
    directory = b""
    for tag, values in sorted(entries.items()):
        kind, size, letter = (7, 1, "B") if isinstance(values, bytes) else (3, 2, "H")
        values = [values] if isinstance(values, int) else list(values)
        if tag in (offsets, lengths):
            kind, size, letter = (16, 8, "Q") if big else (4, 4, "I")
        content = struct.pack(f"{order}{len(values)}{letter}", *values)
        room = 8 if big else 4
        if len(content) > room:
            data += b"\0" * (len(data) % 2)
            content, data = struct.pack(order + word, len(data)), data + content
        directory += struct.pack(order + "HH" + word, tag, kind, len(values)) + content.ljust(room, b"\0")
    data += b"\0" * (len(data) % 2)
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    at = struct.pack(order + word, len(data))
    data = data[:8] + at + data[16:] if big else data[:4] + at + data[8:]
    return data + count + directory + b"\0" * (8 if big else 4)


def tiff_of(samples, photometric, bits=8, order="<", rows=7, tile=None, planar=False, reverse=False,
            predictor=1, deflate=False, big=False, **more):
    """A TIFF of whole numbers, `samples` is `[height, width, channels]`: in strips or tiles, of channels
    side by side or apart, deflated or not."""
    height, width, channels = samples.shape
    across, down = tile or (width, rows)
    padded = np.pad(samples, ((0, -height % down if tile else 0), (0, -width % across), (0, 0)), mode="edge")

    def coded(part):
        if predictor == 2:
            part = np.concatenate([part[:, :1], np.diff(part, axis=1)], axis=1)
        if bits >= 8:
            data = part.astype(f"{order}u{bits // 8}").tobytes()
        else:
            planes = [(part >> bit) & 1 for bit in reversed(range(bits))]
            flat = np.stack(planes, axis=-1).reshape(part.shape[0], -1)
            data = np.packbits(flat.astype(np.uint8), axis=1).tobytes()
        data = zlib.compress(data) if deflate else data
        return np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)), bitorder="little").tobytes() if reverse else data

    layers = np.split(padded, channels, axis=2) if planar else [padded]
    parts = [
        coded(layer[top : top + down, left : left + across])
        for layer in layers
        for top in range(0, padded.shape[0], down)
        for left in range(0, padded.shape[1], across)
    ]
    entries = {
        256: width, 257: height, 258: [bits] * channels, 259: 8 if deflate else 1, 262: photometric,
        266: 2 if reverse else 1, 277: channels, 284: 2 if planar else 1,
    }
    entries |= {322: across, 323: down} if tile else {278: rows}
    entries |= {317: predictor} if predictor != 1 else {}
    return tiff(entries | {int(tag[1:]): value for tag, value in more.items()}, parts, order, big)


def gif_with_offset(image):
    """A GIF whose frame stands at (5, 3) on a larger screen."""
    data = bytearray(saved(image, "GIF"))
    width, height = struct.unpack_from("<HH", data, 6)
    struct.pack_into("<HH", data, 6, width + 9, height + 8)
    at = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    struct.pack_into("<HH", data, at + 1, 5, 3)
    return bytes(data)


def pixels_at(bmp, place):
    """The same BMP, which says that its pixels begin there."""
    return bmp[:10] + struct.pack("<I", place) + bmp[14:]


def top_down(bmp):
    """The same BMP with its rows from top to bottom, by a negative height."""
    data = bytearray(bmp)
    offset, = struct.unpack_from("<I", data, 10)
    width, height = struct.unpack_from("<ii", data, 18)
    rows = np.frombuffer(bytes(data[offset:]), np.uint8).reshape(height, -1)[::-1]
    struct.pack_into("<i", data, 22, -height)
    return bytes(data[:offset]) + rows.tobytes()


def made_images():
    """Yields name, bytes, and the expected 8-bit image if Pillow does not define it."""
    scene = art(28, 20)
    rgb = Image.fromarray(scene)
    grey = rgb.convert("L")
    odd = Image.fromarray(art(25, 19))
    alpha = Image.fromarray((np.add.outer(np.arange(20) * 5, np.arange(28) * 3) % 256).astype(np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    la = Image.merge("LA", [grey, alpha])
    palette = rgb.quantize(32, dither=Image.Dither.NONE)
    other = Image.fromarray(scene[::-1, ::-1].copy())
    sixteen = scene.astype(np.uint16) * 257 ^ np.arange(28, dtype=np.uint16)[None, :, None] * 5
    grey16 = sixteen[..., :1]
    grey16_in_8 = Image.fromarray((grey16[..., 0] >> 8).astype(np.uint8))

    yield "444.jpg", saved(rgb, "JPEG", quality=90, subsampling="4:4:4"), None
    yield "422.jpg", saved(rgb, "JPEG", quality=90, subsampling="4:2:2"), None
    yield "420.jpg", saved(rgb, "JPEG", quality=90, subsampling="4:2:0"), None
    yield "420-odd.jpg", saved(odd, "JPEG", quality=85, subsampling="4:2:0"), None
    yield "422-odd.jpg", saved(odd, "JPEG", quality=85, subsampling="4:2:2"), None
    yield "420-coarse.jpg", saved(odd, "JPEG", quality=25, subsampling="4:2:0"), None
    yield "grey.jpg", saved(grey, "JPEG", quality=90), None
    yield "grey-odd.jpg", saved(odd.convert("L"), "JPEG", quality=60), None
    yield "progressive.jpg", saved(rgb, "JPEG", quality=90, progressive=True), None
    yield "progressive-444-odd.jpg", saved(odd, "JPEG", quality=80, progressive=True, subsampling="4:4:4"), None
    yield "progressive-grey.jpg", saved(grey, "JPEG", quality=80, progressive=True), None
    yield "restart.jpg", saved(odd, "JPEG", quality=80, restart_marker_blocks=2), None
    yield "rgb.jpg", saved(rgb, "JPEG", quality=90, keep_rgb=True), None
    yield "cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG", quality=90), None
    yield "cmyk-420.jpg", saved(odd.convert("CMYK"), "JPEG", quality=90, subsampling="4:2:0"), None
    luma, adobe = odd.convert("YCbCr"), b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
    ink = odd.convert("CMYK")
    yield "chroma-wider.jpg", jpeg_with(luma, [(1, 1), (2, 1), (2, 1)]), None
    yield "chroma-higher.jpg", jpeg_with(luma, [(1, 1), (1, 2), (1, 2)]), None
    yield "chroma-finer.jpg", jpeg_with(luma, [(1, 1), (2, 2), (1, 1)]), None
    yield "chroma-crossed.jpg", jpeg_with(luma, [(1, 2), (2, 1), (2, 1)]), None
    yield "two-in-a-scan.jpg", jpeg_with(luma, [(2, 2), (1, 1), (1, 1)], [[0], [1, 2]]), None
    yield "two-first.jpg", jpeg_with(luma, [(1, 1), (1, 1), (1, 1)], [[0, 1], [2]]), None
    uneven = [(1, 1), (2, 2), (1, 1), (1, 1)]
    yield "cmyk-uneven.jpg", jpeg_with(ink, uneven, before=adobe + b"\0"), None
    yield "ycck-uneven.jpg", jpeg_with(ink, uneven, before=adobe + b"\2"), None
    pairs = [[0, 1], [2, 3]]
    yield "cmyk-pairs.jpg", jpeg_with(ink, [(2, 2), (1, 1), (1, 1), (2, 2)], pairs, before=adobe + b"\0"), None
    whole = saved(odd, "JPEG", quality=85, progressive=True)
    starts = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    for scans in (1, 4, 7):
        yield f"progressive-{scans}.jpg", whole[: starts[scans]] + b"\xff\xd9", None
    whole = saved(odd, "JPEG", quality=85)
    table, middle = whole.index(b"\xff\xdb"), (whole.index(b"\xff\xda") + len(whole)) // 2
    yield "early-end.jpg", whole[:middle] + b"\xff\xd9", None
    yield "no-end.jpg", whole[:-2], Image.open(io.BytesIO(whole))
    yield "strange-bytes.jpg", whole[:table] + b"\0\1\2" + whole[table:], None
    for orientation in range(1, 9):
        yield f"orientation-{orientation}.jpg", saved(odd, "JPEG", quality=90, subsampling="4:4:4", exif=exif(orientation)), None
    yield "orientation-long.jpg", saved(odd, "JPEG", quality=90, exif=exif_of(4, 6)), None
    xmp = b'<x tiff:Orientation="8"/>'
    yield "orientation-xmp.jpg", saved(odd, "JPEG", quality=90, xmp=xmp), None
    byte = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(odd, "JPEG", quality=90, exif=exif(6)))))
    yield "orientation-byte.jpg", saved(odd, "JPEG", quality=90, exif=exif_of(1, 6)), byte
    yield "column.jpg", saved(Image.fromarray(art(1, 240)), "JPEG", quality=90), None
    yield "row.jpg", saved(Image.fromarray(art(240, 1)), "JPEG", quality=90), None
    yield "pixel.jpg", saved(Image.fromarray(art(1, 1)), "JPEG", quality=90), None
    yield "large.jpg", saved(Image.fromarray(art(1000, 750)), "JPEG", quality=15), None
    # Saturation as low as in a photograph: decoding at a fraction cannot reproduce clipped values.
    wide, high = [Image.fromarray(art(*size, 0) // 2 + 64) for size in ((521, 397), (403, 525))]
    yield "reduced.jpg", saved(wide, "JPEG", quality=60, subsampling="4:2:0"), None
    yield "reduced-444.jpg", saved(wide, "JPEG", quality=40, subsampling="4:4:4"), None
    yield "reduced-progressive.jpg", saved(high, "JPEG", quality=60, subsampling="4:2:0", progressive=True), None
    yield "reduced-grey.jpg", saved(high.convert("L"), "JPEG", quality=60), None
    for orientation in (3, 6):
        yield f"reduced-orientation-{orientation}.jpg", saved(wide, "JPEG", quality=40, exif=exif(orientation)), None
    yield "middling.jpg", saved(Image.fromarray(art(250, 187)), "JPEG", quality=80), None

    yield "rgb.png", saved(rgb, "PNG"), None
    yield "rgba.png", saved(rgba, "PNG"), None
    yield "grey.png", saved(grey, "PNG"), None
    yield "grey-alpha.png", saved(la, "PNG"), None
    yield "palette.png", saved(palette, "PNG"), None
    yield "palette-transparent.png", saved(palette, "PNG", transparency=3), None
    yield "rgb-transparent.png", saved(rgb, "PNG", transparency=(255, 0, 0)), None
    yield "grey-transparent.png", saved(grey, "PNG", transparency=200), None
    yield "grey-1.png", saved(grey.convert("1"), "PNG"), None
    yield "grey-2.png", png(np.asarray(grey)[..., None] >> 6, 2, 0), None
    yield "grey-4.png", png(np.asarray(grey)[..., None] >> 4, 4, 0), None
    yield "grey-16.png", png(grey16, 16, 0), grey16_in_8
    yield "grey-alpha-16.png", png(np.concatenate([grey16, sixteen[..., 1:2]], axis=-1), 16, 4), grey16_in_8
    yield "rgb-16.png", png(sixteen, 16, 2), None
    yield "rgba-16.png", png(np.concatenate([sixteen, grey16], axis=-1), 16, 6), None
    yield "interlaced.png", png(np.asarray(odd), 8, 2, interlaced=True), None
    body = exif(6).tobytes()
    yield "orientation-prefix.png", png(np.asarray(odd), 8, 2, png_chunk(b"eXIf", body)), None
    yield "orientation-behind.png", png(np.asarray(odd), 8, 2, behind=png_chunk(b"eXIf", body[6:])), None
    element = b"<tiff:Orientation>6</tiff:Orientation>"
    text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + element)
    yield "orientation-xmp.png", png(np.asarray(odd), 8, 2, text), None
    profile = f"\nexif\n{len(body):8}\n{body.hex()}\n".encode()
    text = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
    yield "orientation-text.png", png(np.asarray(odd), 8, 2, text), None
    yield "orientation-6.png", saved(odd, "PNG", exif=exif(6)), None
    yield "column.png", saved(Image.fromarray(art(1, 777)), "PNG"), None
    yield "row.png", saved(Image.fromarray(art(777, 1)), "PNG"), None
    yield "pixel.png", saved(Image.fromarray(art(1, 1)), "PNG"), None
    yield "tiny.png", saved(Image.fromarray(art(3, 2)), "PNG"), None
    yield "middling.png", saved(Image.fromarray(art(211, 163)).quantize(64, dither=Image.Dither.NONE), "PNG"), None

    yield "lossy.webp", saved(rgb, "WEBP", quality=80, method=4), None
    yield "lossy-odd.webp", saved(odd, "WEBP", quality=40, method=4), None
    yield "lossy-alpha.webp", saved(rgba, "WEBP", quality=80, method=4), None
    yield "lossless.webp", saved(rgb, "WEBP", lossless=True), None
    yield "lossless-alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True), None
    yield "animated.webp", saved(rgb, "WEBP", lossless=True, save_all=True, append_images=[other], duration=100), None
    yield "orientation-prefix.webp", saved(odd, "WEBP", lossless=True, exif=exif(6).tobytes()), None
    attribute = b'<x tiff:Orientation="6"/>'
    yield "orientation-xmp.webp", saved(odd, "WEBP", lossless=True, xmp=attribute), None
    yield "orientation-8.webp", saved(odd, "WEBP", lossless=True, exif=exif(8)), None

    yield "palette.gif", saved(palette, "GIF"), None
    yield "grey.gif", saved(grey, "GIF"), None
    yield "transparent.gif", saved(palette, "GIF", transparency=3), None
    yield "plain.gif", saved(palette, "GIF", interlace=0), None
    yield "animated.gif", saved(palette, "GIF", save_all=True, append_images=[other.quantize(16)], duration=100), None
    yield "offset.gif", gif_with_offset(palette), None

    yield "rgb.bmp", saved(odd, "BMP"), None
    yield "top-down.bmp", top_down(saved(odd, "BMP")), None
    yield "rgba.bmp", saved(rgba, "BMP"), None
    yield "palette.bmp", saved(palette, "BMP"), None
    yield "grey.bmp", saved(grey, "BMP"), None
    yield "palette-at-0.bmp", pixels_at(saved(palette, "BMP"), 0), None
    yield "palette-at-palette.bmp", pixels_at(saved(palette, "BMP"), 54), None
    yield "grey-1.bmp", saved(grey.convert("1"), "BMP"), None

    yield "rgb.tiff", saved(odd, "TIFF"), None
    yield "rgba.tiff", saved(rgba, "TIFF"), None
    yield "grey.tiff", saved(grey, "TIFF"), None
    yield "grey-1.tiff", saved(grey.convert("1"), "TIFF"), None
    yield "grey-16.tiff", saved(Image.fromarray(grey16[..., 0]), "TIFF"), grey16_in_8
    yield "rgb-16.tiff", tiff_of(sixteen, 2, 16), None
    yield "cmyk.tiff", saved(rgb.convert("CMYK"), "TIFF"), None
    yield "lzw.tiff", saved(rgb, "TIFF", compression="tiff_lzw"), None
    yield "deflate.tiff", saved(rgb, "TIFF", compression="tiff_adobe_deflate"), None
    yield "packbits.tiff", saved(rgb, "TIFF", compression="packbits"), None
    yield "group4.tiff", saved(grey.convert("1"), "TIFF", compression="group4"), None
    yield "orientation-7.tiff", saved(odd, "TIFF", tiffinfo={274: 7}), None

    colour, ink = np.asarray(odd), np.asarray(odd.convert("CMYK"))
    bright = np.asarray(odd.convert("L"))[..., None]
    see_through = np.asarray(Image.fromarray(art(19, 25)).convert("L")).T[..., None]
    see_through = np.where(see_through < 60, 0, see_through)
    with_alpha = np.concatenate([colour, see_through], axis=2)
    wide = with_alpha.astype(np.uint16) * 257 ^ 0x35
    yield "reversed.tiff", tiff_of(bright, 1, reverse=True), None
    yield "reversed-1.tiff", tiff_of(bright >> 7, 0, 1, reverse=True), None
    yield "reversed-4.tiff", tiff_of(bright >> 4, 1, 4, reverse=True), None
    yield "reversed-deflate.tiff", tiff_of(colour, 2, reverse=True, deflate=True), None
    yield "reversed-rgb.tiff", tiff_of(colour, 2, reverse=True), None
    yield "predictor-rgba.tiff", tiff_of(with_alpha, 2, predictor=2, deflate=True, _338=2), None
    yield "predictor-16.tiff", tiff_of(wide[..., :3], 2, 16, ">", predictor=2, deflate=True), None
    yield "predictor-planar.tiff", tiff_of(colour, 2, planar=True, predictor=2, deflate=True), None
    yield "associated.tiff", tiff_of(with_alpha, 2, _338=1), None
    yield "associated-16.tiff", tiff_of(wide, 2, 16, ">", _338=1), None
    yield "unassociated.tiff", tiff_of(with_alpha, 2, _338=2), None
    yield "extra.tiff", tiff_of(np.concatenate([with_alpha, bright], axis=2), 2, _338=[0, 0]), None
    yield "grey-alpha.tiff", tiff_of(with_alpha[..., 2:], 1, _338=2), None
    yield "white-is-zero.tiff", tiff_of(bright, 0), None
    yield "grey-2.tiff", tiff_of(bright >> 6, 1, 2), None
    yield "grey-4.tiff", tiff_of(bright >> 4, 0, 4, ">"), None
    tiled = {"tile": (16, 16)}
    yield "tiled.tiff", tiff_of(colour, 2, **tiled), None
    yield "tiled-4.tiff", tiff_of(bright >> 4, 1, 4, **tiled), None
    yield "tiled-deflate.tiff", tiff_of(with_alpha, 2, **tiled, deflate=True, predictor=2, _338=0), None
    yield "planar.tiff", tiff_of(colour, 2, planar=True), None
    yield "planar-tiled.tiff", tiff_of(colour, 2, planar=True, **tiled, deflate=True), None
    yield "big.tiff", tiff_of(colour, 2, big=True), None
    yield "big-tiled.tiff", tiff_of(colour, 2, big=True, **tiled), None
    yield "big-most-first.tiff", tiff_of(colour, 2, order=">", big=True), odd
    few, many = odd.quantize(16, dither=Image.Dither.NONE), odd.quantize(200, dither=Image.Dither.NONE)
    for depth, image in (4, few), (8, many):
        map = np.resize(np.array(image.getpalette("RGB")), (2**depth, 3)).T.reshape(-1) * 257
        indices = np.asarray(image)[..., None]
        yield f"palette-{depth}.tiff", tiff_of(indices, 3, depth, _320=map.tolist()), None
    yield "palette-deflate.tiff", saved(many, "TIFF", compression="tiff_adobe_deflate"), None
    yield "cmyk-deflate.tiff", tiff_of(ink, 5, deflate=True), None
    yield "cmyk-planar.tiff", tiff_of(ink, 5, planar=True), None
    yield "jpeg.tiff", saved(odd, "TIFF", compression="jpeg", quality=90), None
    yield "jpeg-grey.tiff", saved(odd.convert("L"), "TIFF", compression="jpeg"), None
    yield "jpeg-strips.tiff", saved(Image.fromarray(art(60, 50)), "TIFF", compression="jpeg", strip_size=2000), None
    halved = {256: 25, 257: 19, 258: [8] * 3, 259: 7, 262: 6, 277: 3, 278: 19, 530: [2, 2]}
    yield "jpeg-420.tiff", tiff(halved, [saved(odd, "JPEG", quality=90, subsampling="4:2:0")]), None
    as_rgb = halved | {262: 2, 530: [1, 1]}
    yield "jpeg-rgb.tiff", tiff(as_rgb, [saved(odd, "JPEG", quality=90, keep_rgb=True)]), None
    yield "group3.tiff", saved(grey.convert("1"), "TIFF", compression="group3"), None
    yield "orientation-6-long.tiff", tiff_of(colour, 2, _274=6), None

    yield "raw.ppm", saved(rgb, "PPM"), None
    yield "raw.pgm", saved(grey, "PPM"), None
    yield "raw.pbm", saved(grey.convert("1"), "PPM"), None
    words = " ".join(str(it) for it in scene[:12, :12].reshape(-1))
    yield "plain.ppm", f"P3\n# a comment\n12 12\n255\n{words}\n".encode(), None
    yield "few-steps.pgm", b"P5 28 20 100\n" + (np.asarray(grey) * 100 // 255).astype(np.uint8).tobytes(), None
    yield "rgb-16.ppm", b"P6 28 20 65535\n" + sixteen.astype(">u2").tobytes(), None
    nearest = (grey16[..., 0].astype(np.uint32) * 255 + 32767) // 65535
    yield "grey-16.pgm", b"P5 28 20 65535\n" + grey16.astype(">u2").tobytes(), Image.fromarray(nearest.astype(np.uint8))


def prepared(image, colour, fit, width, height):
    """The input of a model, before its scale."""
    image = image.convert("L" if colour == "grey" else "RGB")
    size, bilinear = (width, height), Image.Resampling.BILINEAR
    if fit == "stretch":
        image = image.resize(size, bilinear)
    elif fit == "pad":
        image = padded(image, size)
    else:
        image = ImageOps.fit(image, size, bilinear)
    return np.asarray(image).tobytes()


def tolerance(name, image, colour, fit, width, height):
    """The allowed error of a byte: 0; 1 if a JPEG is decoded at a fraction of its size; 3 if it is
    also saturated."""
    if not name.endswith(".jpg") or (colour == "rgb" and image.mode != "L"):
        return 0
    along, down = image.width / width, image.height / height
    if (max(along, down) if fit == "pad" else min(along, down)) < REDUCED_FROM:
        return 0
    return 1 if "reduced" in name else 3


def padded(image, size):
    """`ImageOps.pad`, but it keeps one pixel of an image that is too thin."""
    inner = ImageOps.contain(image, size, Image.Resampling.BILINEAR)
    if min(inner.size) > 0:
        return ImageOps.pad(image, size, Image.Resampling.BILINEAR)
    inner = tuple(max(1, it) for it in inner.size)
    canvas = Image.new(image.mode, size)
    corner = tuple(round((whole - part) * 0.5) for whole, part in zip(size, inner))
    canvas.paste(image.resize(inner, Image.Resampling.BILINEAR), corner)
    return canvas


def write_faces(source):
    """Writes the photographs as JPEG and PNG."""
    for person, photograph in FACES:
        image = Image.open(source / f"s{person}" / f"{photograph}.pgm").convert("L")
        stem = SAMPLES / f"s{person}_{photograph}"
        image.save(stem.with_suffix(".jpg"), quality=90)
        if person < 9 and photograph == 1:
            image.save(stem.with_suffix(".png"), optimize=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--faces", type=Path, help="the folder of the ORL faces")
    faces = arguments.parse_args().faces
    for folder in (FIXTURES / "images", SAMPLES):
        folder.mkdir(parents=True, exist_ok=True)
    if faces:
        write_faces(faces)

    expected, images = bytearray(), []

    def add(path, image, preprocessings, note=None):
        results = []
        for colour, fit, width, height in preprocessings:
            result = prepared(image, colour, fit, width, height)
            result_of = {"colour": colour, "fit": fit, "width": width, "height": height, "at": len(expected)}
            off = tolerance(path, image, colour, fit, width, height)
            results.append(result_of | ({"tolerance": off} if off else {}))
            expected.extend(result)
        entry = {"path": path, "width": image.width, "height": image.height, "results": results}
        images.append(entry | ({"note": note} if note else {}))

    for name, upload, instead in made_images():
        (FIXTURES / "images" / name).write_bytes(upload)
        image = instead or ImageOps.exif_transpose(Image.open(io.BytesIO(upload)))
        as_it_is = ("rgb", "stretch", image.width, image.height)
        preprocessings = MANY if max(image.size) > 100 else [as_it_is, *SMALL]
        if name.startswith("reduced"):
            preprocessings = LARGE
        add(f"images/{name}", image, preprocessings, "expected by our rule" if instead else None)
    for person, photograph in FACES:
        path = f"../../samples/s{person}_{photograph}.jpg"
        preprocessings = SMALL + ([("grey", "stretch", 92, 112), ("grey", "stretch", 100, 100)] if person < 9 and photograph == 1 else [])
        add(path, Image.open(FIXTURES / path), preprocessings)

    manifest = {
        "made_by": "scripts/golden_images.py",
        "pillow": PIL.__version__,
        "libjpeg_turbo": features.version_feature("libjpeg_turbo"),
        "webp": features.version_module("webp"),
        "numpy": np.__version__,
        "images": images,
    }
    lines = ",\n".join("    " + json.dumps(it) for it in manifest.pop("images"))
    head = json.dumps(manifest, indent=2).removesuffix("\n}")
    (FIXTURES / "images" / "manifest.json").write_text(f'{head},\n  "images": [\n{lines}\n  ]\n}}\n')
    (FIXTURES / "images" / "expected.bin").write_bytes(expected)


if __name__ == "__main__":
    main()
