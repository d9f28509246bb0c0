#!/usr/bin/env python3
"""Measures how errors depend on the sharpness and the pose that a server states for a face.

    scripts/faces/quality.py DIR [URL]

DIR is a folder DIR/PERSON/IMAGE of frontal portraits, such as the ORL faces; URL is that of a server with the model in
question. Each portrait is changed by a known amount (blurred, reduced, or turned around the vertical axis) and compared
with the unchanged portraits of its person. The result is the FNMR at the model's threshold, by the amount and by what
the server states of the changed face.

No portrait of a known yaw is needed: the portraits are placed on a simple head, an elliptic cylinder with a nose, with
the proportions of MediaPipe's canonical face. What the portrait does not show is missing, so the errors of real heads
are smaller.

It needs numpy, pillow, scipy and requests.
"""

import io
import sys
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from scipy import ndimage

# Lengths of the head, in halves of the distance between the eyes: half the width at the ears, the depth of the front
# before the ears, of the eyes before the ears, of the nose before the front, and the tip of the nose below the eyes.
WIDTH, FRONT, EARS, NOSE, TIP = 2.43, 2.05, -0.77, 1.09, 1.19


class Server:
    """A server, and the threshold of its model."""

    def __init__(self, url):
        self.url = url
        self.threshold = requests.get(f"{url}/model", timeout=60).json()["threshold"]

    def embed(self, images):
        """The embedding and the face of each image; None where no face is found."""
        results = []
        for start in range(0, len(images), 16):
            parts = [("image", png(image)) for image in images[start : start + 16]]
            response = requests.post(f"{self.url}/embed", files=parts, timeout=600).json()
            results += response.get("results", [response])
        return [None if "error" in one else (np.array(one["embedding"]), one["face"]) for one in results]


def png(image):
    file = io.BytesIO()
    Image.fromarray(np.clip(image.round(), 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def blurred(image, sigma):
    """Out of focus: a Gaussian."""
    return ndimage.gaussian_filter(image, sigma)


def moved(image, length, angle):
    """Blurred by a movement along a line, at an angle."""
    steps = np.linspace(-length / 2, length / 2, 8 * length + 1)
    shifts = [(step * np.sin(angle), step * np.cos(angle)) for step in steps]
    return np.mean([ndimage.shift(image, shift, order=1, mode="nearest") for shift in shifts], axis=0)


def reduced(image, scale):
    height, width = image.shape
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(image.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR), float)


def depth(x, y):
    """The depth of the head, in halves of the distance between the eyes, from a point between them."""
    below = y / TIP
    nose = (0.35 + (NOSE - 0.35) * np.clip(below, 0, 1)) * np.clip((y + 0.5) / 0.5, 0, 1) * np.clip((1.55 - y) / 0.36, 0, 1)
    return EARS + FRONT * np.sqrt(np.clip(1 - (x / WIDTH) ** 2, 0, 1)) + nose * np.exp(-((x / 0.33) ** 2) / 2)


def turned(image, points, degrees):
    """A portrait on a head that is turned to the side, seen from far away."""
    fine, side = 3, 140
    left, right = (np.array(points[name]) for name in ("left_eye", "right_eye"))
    middle, across = (left + right) / 2, (right - left) / 2
    unit = np.hypot(*across)
    cosine, sine = across / unit
    columns, rows = np.meshgrid(*(np.arange(length * fine) / fine for length in image.shape[::-1]))
    x = ((columns - middle[0]) * cosine + (rows - middle[1]) * sine) / unit
    y = ((rows - middle[1]) * cosine - (columns - middle[0]) * sine) / unit
    z = depth(x, y)
    values = ndimage.map_coordinates(image, [rows, columns], order=1, mode="nearest")
    turn = np.radians(degrees)
    away = z * np.cos(turn) - x * np.sin(turn)
    column = np.round(side / 2 + (x * np.cos(turn) + (z - z.mean() / 2) * np.sin(turn)) * unit).astype(int)
    row = np.round(side / 2 - 10 + y * unit).astype(int)
    seen = (abs(x) < WIDTH) & (0 <= column) & (column < side) & (0 <= row) & (row < side)
    # Of the points at one place, the last one that is painted is the nearest.
    order = np.argsort(away[seen])
    canvas = np.full((side, side), np.median(image[:8]))
    canvas[row[seen][order], column[seen][order]] = values[seen][order]
    return canvas


class Portraits:
    """Unchanged portraits, their people, embeddings and faces."""

    def __init__(self, server, folder):
        files = sorted(path for path in Path(folder).glob("*/*") if path.is_file())
        self.server = server
        self.images = [np.asarray(Image.open(path).convert("L"), float) for path in files]
        self.people = np.array([path.parent.name for path in files])
        found = server.embed(self.images)
        assert all(found), "a portrait has no face"
        self.embeddings = np.stack([embedding for embedding, _ in found])
        self.faces = [face for _, face in found]

    def errors(self, index, embedding, among):
        """The share of the person's other portraits, of those in a set, that are called different from an embedding."""
        same = among & (self.people == self.people[index])
        same[index] = False
        distances = np.linalg.norm(self.embeddings[same] - embedding, axis=1)
        return np.mean(distances > self.server.threshold) if same.any() else np.nan

    def measure(self, name, indices, images, among, key):
        """Prints the errors of changed portraits. Returns what the server states of each, and its errors."""
        rows = []
        for index, one in zip(indices, self.server.embed(images), strict=True):
            if one is not None:
                embedding, face = one
                rows.append((abs(face[key]), face["box"][2], self.errors(index, embedding, among)))
        values, widths, errors = np.array(rows).T
        low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
        print(
            f"{name:14} found {len(rows):3} of {len(images)}, width {np.median(widths):3.0f}, {key} {median:5.2f} "
            f"({low:5.2f} to {high:5.2f}), FNMR {100 * np.nanmean(errors):5.2f} %",
            flush=True,
        )
        return rows


def by_value(key, rows, edges):
    """Prints the errors by what the server states."""
    values, _, errors = np.array(rows).T
    for low, high in zip(edges, edges[1:], strict=False):
        inside = (low <= values) & (values < high)
        if inside.any():
            print(f"{key} {low:g} to {high:g}: {inside.sum()} images, FNMR {100 * np.nanmean(errors[inside]):.2f} %")


def main():
    portraits = Portraits(Server(sys.argv[2] if len(sys.argv) > 2 else "http://localhost:8080"), sys.argv[1])
    every = np.ones(len(portraits.people), bool)
    indices = range(len(every))
    random = np.random.default_rng(1)

    def changed(name, change):
        images = [change(image) for image in portraits.images]
        return portraits.measure(name, indices, images, every, "sharpness")

    rows = changed("unchanged", lambda image: image)
    for sigma in (0.5, 1, 1.5, 2, 2.5, 3, 4):
        rows += changed(f"sigma {sigma}", lambda image, sigma=sigma: blurred(image, sigma))
    for length in (3, 5, 7, 9, 12):
        rows += changed(f"movement {length}", lambda image, length=length: moved(image, length, random.uniform(0, np.pi)))
    by_value("sharpness", rows, [0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 1])
    for scale in (4, 0.7, 0.6, 0.5, 0.4, 0.33):
        changed(f"scale {scale}", lambda image, scale=scale: reduced(image, scale))

    yaw = np.array([abs(face["yaw"]) for face in portraits.faces])
    people = portraits.people
    distances = np.linalg.norm(portraits.embeddings[:, None] - portraits.embeddings[None], axis=2)
    one, other = np.nonzero(np.triu(people[:, None] == people[None], 1))
    for low, high in ((0, 10), (10, 20), (20, 25), (25, 30), (30, 35), (35, 90)):
        larger = np.maximum(yaw[one], yaw[other])
        of_bin = distances[one, other][(low <= larger) & (larger < high)]
        missed = (of_bin > portraits.server.threshold).sum()
        print(f"real pairs, the larger yaw {low} to {high}: {missed} of {len(of_bin)} missed")

    front = np.flatnonzero(yaw < 13)
    rows = []
    for degrees in (0, 10, 20, 25, 30, 35, 40, 45, 50):
        images = [
            turned(portraits.images[index], portraits.faces[index]["points"], degrees * (-1) ** index) for index in front
        ]
        rows += portraits.measure(f"turned {degrees}", front, images, yaw < 17, "yaw")
    by_value("yaw", rows, [0, 10, 20, 25, 30, 35, 40, 45, 60])


if __name__ == "__main__":
    main()
