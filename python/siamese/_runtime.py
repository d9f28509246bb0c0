"""Where the extension finds ONNX Runtime."""

import importlib.util
import os
import pathlib


def prepare() -> None:
    """Names the library of the package `onnxruntime`, unless `ORT_DYLIB_PATH` names one. Disables its telemetry.

    The extension reads both variables when it loads the library, with the first model.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    package = importlib.util.find_spec("onnxruntime")
    if os.environ.get("ORT_DYLIB_PATH") or package is None or package.origin is None:
        return
    folder = pathlib.Path(package.origin).parent / "capi"
    libraries = [*folder.glob("libonnxruntime.so*"), *folder.glob("libonnxruntime.*dylib")]
    if libraries:
        os.environ["ORT_DYLIB_PATH"] = str(libraries[0])
