"""Compares the ONNX networks with their original runtimes."""

import dlib
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

# The largest permitted difference of any output.
LARGEST = 1e-4


def check(network, detectors, original, files):
    """Runs all networks on the images in both runtimes."""
    images = [image for image in map(opened, files) if image is not None]
    if len(images) < 10:
        raise SystemExit("the check needs a folder of at least ten images")
    report("recognition", max(recognition(network, original["recognition"], images)), len(images))
    for name, model in detectors.items():
        report(name, max(detection(model, original[name], images)), len(images))


def opened(path):
    try:
        return Image.open(path).convert("RGB")
    except OSError:
        return None


def report(name, largest, count):
    print(f"{name}: largest difference {largest:.1e} on {count} images")
    if LARGEST < largest:
        raise SystemExit(f"{name} differs from its original")


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString())


def recognition(model, file, images):
    original, ours = dlib.face_recognition_model_v1(str(file)), session(model)
    mean = np.array([122.782, 117.001, 104.298], np.float32)
    for image in images:
        pixels = np.asarray(image.resize((150, 150)))
        expected = np.array(original.compute_face_descriptor(pixels))
        values = ((pixels - mean) / 256).transpose(2, 0, 1)[None].astype(np.float32)
        yield np.abs(ours.run(None, {"image": values})[0][0] - expected).max()


def detection(model, file, images):
    original, ours = Interpreter(model_path=str(file)), session(model)
    original.allocate_tensors()
    [source] = original.get_input_details()
    side = int(source["shape"][1])
    anchors = None
    for image in images:
        pixels = np.asarray(image.resize((side, side)), np.float32)[None] / 127.5 - 1
        original.set_tensor(source["index"], pixels)
        original.invoke()
        outputs = [original.get_tensor(output["index"])[0] for output in original.get_output_details()]
        [points] = [output for output in outputs if output.shape[1] == 16]
        [scores] = [output[:, 0] for output in outputs if output.shape[1] == 1]
        found, found_scores = ours.run(["points", "scores"], {"image": pixels.transpose(0, 3, 1, 2)})
        # Ours adds the anchors, which are the same for each image.
        offset = found[0] - points / side
        anchors = offset if anchors is None else anchors
        sigmoid = 1 / (1 + np.exp(-np.clip(scores, -80, 80)))
        yield max(np.abs(offset - anchors).max(), np.abs(found_scores[0] - sigmoid).max())
