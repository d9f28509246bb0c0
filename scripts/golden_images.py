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
`BILINEAR`. Three cases differ from Pillow; the manifest marks the first two:

- 16-bit grey: Pillow's `convert("L")` clips everything above 255 to white, which makes most such
  images white. The server keeps the upper eight bits, as Pillow does for colour.
- 16-bit LA, for which Pillow's PNG reader has no mode: likewise.
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


def png(samples, bits, colour_type, extra=b"", interlaced=False):
    """A PNG of any depth: `samples` is `[height, width, channels]`."""
    height, width, channels = samples.shape

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

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
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(data, 9))
        + chunk(b"IEND", b"")
    )


def tiff16(samples):
    """A little-endian TIFF of 16-bit RGB, which Pillow reads but does not write."""
    height, width, _ = samples.shape
    data = samples.astype("<u2").tobytes()
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 14), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data)),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *it) for it in entries) + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", 14 + len(data)) + struct.pack("<HHH", 16, 16, 16) + data + directory


def gif_with_offset(image):
    """A GIF whose frame stands at (5, 3) on a larger screen."""
    data = bytearray(saved(image, "GIF"))
    width, height = struct.unpack_from("<HH", data, 6)
    struct.pack_into("<HH", data, 6, width + 9, height + 8)
    at = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    struct.pack_into("<HH", data, at + 1, 5, 3)
    return bytes(data)


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
    for orientation in range(1, 9):
        yield f"orientation-{orientation}.jpg", saved(odd, "JPEG", quality=90, subsampling="4:4:4", exif=exif(orientation)), None
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
    yield "grey-1.bmp", saved(grey.convert("1"), "BMP"), None

    yield "rgb.tiff", saved(odd, "TIFF"), None
    yield "rgba.tiff", saved(rgba, "TIFF"), None
    yield "grey.tiff", saved(grey, "TIFF"), None
    yield "grey-1.tiff", saved(grey.convert("1"), "TIFF"), None
    yield "grey-16.tiff", saved(Image.fromarray(grey16[..., 0]), "TIFF"), grey16_in_8
    yield "rgb-16.tiff", tiff16(sixteen), None
    yield "cmyk.tiff", saved(rgb.convert("CMYK"), "TIFF"), None
    yield "lzw.tiff", saved(rgb, "TIFF", compression="tiff_lzw"), None
    yield "deflate.tiff", saved(rgb, "TIFF", compression="tiff_adobe_deflate"), None
    yield "packbits.tiff", saved(rgb, "TIFF", compression="packbits"), None
    yield "group4.tiff", saved(grey.convert("1"), "TIFF", compression="group4"), None
    yield "orientation-7.tiff", saved(odd, "TIFF", tiffinfo={274: 7}), None

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
