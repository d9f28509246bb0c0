"""A model in this process, and its agreement with the server."""

import io
import pickle
import threading

import httpx
import numpy as np
import pytest
from conftest import MODELS, SAMPLES, loaded, path
from PIL import Image

import siamese

IMAGES = [SAMPLES / name for name in ("s1_1.jpg", "s5_1.png", "s5_2.jpg", "s9_1.jpg", "s13_2.jpg", "s5_1.jpg")]


@pytest.mark.parametrize("name", MODELS)
def test_embeddings_are_those_of_the_server_to_the_bit(name, servers):
    with siamese.Client(servers(name), timeout=60) as client:
        from_server = client.embed_many(IMAGES)
    model = loaded(name)
    embeddings = model.embed(IMAGES)
    assert embeddings.dtype == np.float32 and embeddings.shape == (len(IMAGES), model.width)
    assert np.array_equal(embeddings, from_server)


@pytest.mark.parametrize("name", MODELS)
def test_an_embedding_does_not_depend_on_other_images_or_on_threads(name):
    embeddings = loaded(name).embed(IMAGES)
    alone = [loaded(name).embed(image) for image in IMAGES]
    assert np.array_equal(embeddings, alone) and alone[0].shape == (loaded(name).width,)
    assert np.array_equal(embeddings, siamese.Model.load(path(name), threads=1).embed(IMAGES))
    many = loaded(name).embed(image for image in IMAGES * 15)
    assert np.array_equal(many, np.tile(embeddings, (15, 1)))


def test_a_large_model_runs_on_all_threads_with_the_same_result(tmp_path):
    # A comment of 33 MiB: field 6 of an ONNX file, `doc_string`.
    large, length = tmp_path / "large.onnx", b"\x80\x80\xc0\x10"
    large.write_bytes(path("orl").read_bytes() + b"\x32" + length + b" " * (33 << 20))
    embeddings = siamese.Model.load(large).embed(IMAGES * 15)
    assert np.array_equal(embeddings, np.tile(loaded("orl").embed(IMAGES), (15, 1)))


@pytest.mark.parametrize("name", ["faces", "things"])
@pytest.mark.parametrize("how", [{}, {"threshold": 0.3}, {"fmr": 0.01}])
def test_a_comparison_is_that_of_the_server(name, how, servers):
    with siamese.Client(servers(name), timeout=60) as client:
        for other in (IMAGES[2], IMAGES[0]):
            assert loaded(name).compare(IMAGES[1], other, **how) == client.compare(IMAGES[1], other, **how)


def test_a_comparison_states_what_a_caller_needs():
    same, different = (loaded("faces").compare(IMAGES[1], IMAGES[index]) for index in (2, 0))
    assert same.is_same and same.verdict == "same" and same.distance <= same.threshold
    assert different.verdict == "different" and different.probability < 0.5 < same.probability
    assert same.operating_point.source == "calibration" and 0 < same.operating_point.fmr < 0.1
    assert len(same.a.face.box) == 4 and 0 < same.b.familiarity <= 1
    with pytest.raises(AttributeError):
        same.distance = 0.0


def test_changes_are_those_of_the_server(servers):
    scene = {name: SAMPLES / f"board_{name}.jpg" for name in ("before", "after")}
    changes = loaded("changes").changes(**scene, cell=10, ignore=[(0, 0, 40, 40.5)])
    assert changes.is_changed and changes.regions[0].kind in ("added", "removed", "altered")
    assert changes.distances.shape == (changes.map["rows"], changes.map["columns"])
    assert float(changes.distances.max()) == changes.map["greatest"]

    with siamese.Client(servers("changes"), timeout=60) as client:
        from_server = client.changes(**scene, cell=10, ignore=[(0, 0, 40, 40.5)])
    for field in ("verdict", "threshold", "regions", "operating_point", "alignment", "light", "map", "image", "warnings"):
        assert getattr(changes, field) == getattr(from_server, field), field
    query, headers = {"cell": "10", "ignore": "0,0,40,40.5"}, {"Accept": "application/x-npy"}
    files = {name: file.read_bytes() for name, file in scene.items()}
    response = httpx.post(f"{servers('changes')}/changes", params=query, headers=headers, files=files, timeout=60)
    assert np.array_equal(changes.distances, np.load(io.BytesIO(response.content)))


def test_the_card_is_that_of_the_server(servers):
    with siamese.Client(servers("faces")) as client:
        served = client.model()
    del served["in_force"]
    model = loaded("faces")
    assert model.card == served
    assert (model.name, model.digest, model.width) == (served["name"], served["digest"], served["embedding"]["width"])


def pictures(mode: str) -> Image.Image:
    random = np.random.default_rng(7)
    image = Image.fromarray(random.integers(0, 256, (37, 53, 4), np.uint8), "RGBA")
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 1 << 16, (37, 53), np.uint16))
    return image.convert("RGB").convert("P") if mode == "P" else image.convert(mode)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("name", ["orl", "things"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_an_image_of_pillow_is_read_as_a_lossless_file_of_it(name, mode):
    image, file = pictures(mode), io.BytesIO()
    image.save(file, "PNG")
    pixels = loaded(name).preprocess(image)
    assert pixels.shape == tuple(loaded(name).card["input"]["shape"]) and pixels.dtype == np.float32
    assert np.array_equal(pixels, loaded(name).preprocess(file.getvalue()))
    if mode in ("L", "RGB"):
        array = np.asarray(image)
        assert np.array_equal(pixels, loaded(name).preprocess(array))
        assert np.array_equal(pixels, loaded(name).preprocess(np.asfortranarray(array)))


def test_all_forms_of_a_file_are_the_same_image():
    file = IMAGES[0].read_bytes()
    forms = [str(IMAGES[0]), file, bytearray(file), memoryview(file)]
    embeddings = loaded("orl").embed(forms)
    assert np.array_equal(embeddings, np.tile(loaded("orl").embed(IMAGES[0]), (4, 1)))


def test_an_image_of_pillow_is_turned_upright():
    image, file = pictures("RGB"), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(file, "TIFF", exif=exif)
    turned = loaded("things").preprocess(Image.open(file))
    assert np.array_equal(turned, loaded("things").preprocess(file.getvalue()))
    assert np.array_equal(turned, loaded("things").preprocess(image.transpose(Image.Transpose.ROTATE_270)))


def test_several_arrays_in_one_are_several_images():
    batch = np.stack([np.asarray(pictures("RGB"))] * 2)
    assert loaded("things").embed(batch).shape == (2, loaded("things").width)
    assert loaded("things").embed([]).shape == (0, loaded("things").width)


def test_an_error_names_the_image_and_the_reason(tmp_path):
    model = loaded("orl")
    with pytest.raises(siamese.ImageError, match="image 2: the image is not a JPEG") as caught:
        model.embed([IMAGES[0], IMAGES[1], b"not an image"])
    assert caught.value.index == 2
    with pytest.raises(siamese.ImageError, match="image 1: .*gone.jpg: No such file"):
        model.compare(IMAGES[0], tmp_path / "gone.jpg")
    with pytest.raises(siamese.ImageError, match="image 0: no face"):
        loaded("faces").embed(np.zeros((64, 64), np.uint8))
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason


def test_bad_images_can_be_left_out():
    bad = {index: b"" for index in (0, 70, 99)}
    images = [bad.get(index, IMAGES[0]) for index in range(100)]
    embeddings, errors = loaded("orl").try_embed(images)
    assert [error.index for error in errors] == list(bad)
    assert np.flatnonzero(np.isnan(embeddings).all(axis=1)).tolist() == list(bad)
    assert np.array_equal(embeddings[98], loaded("orl").embed(IMAGES[0]))


def test_what_pillow_cannot_read_fails_alone():
    broken = Image.open(io.BytesIO(IMAGES[0].read_bytes()[:900]))
    images = [IMAGES[0], broken, np.zeros((4, 4, 2), np.uint8), IMAGES[0]]
    embeddings, errors = loaded("orl").try_embed(images)
    assert [error.index for error in errors] == [1, 2]
    assert "truncated" in errors[0].reason and "(4, 4, 2)" in errors[1].reason
    assert np.array_equal(embeddings[0], embeddings[3])
    with pytest.raises(siamese.ImageError, match="image 1: .*truncated"):
        loaded("orl").compare(IMAGES[0], broken)


@pytest.mark.parametrize(
    "image", [None, 3, np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8), Image.new("F", (4, 4))]
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises((TypeError, siamese.ImageError)):
        loaded("orl").preprocess(image)


def test_invalid_arguments_are_refused(tmp_path):
    a, b = IMAGES[:2]
    for how in ({"threshold": -1}, {"fmr": 2}, {"threshold": 1, "fmr": 0.1}, {"fmr": 1e-9}, {"faces": "first"}):
        with pytest.raises(ValueError):
            loaded("orl").compare(a, b, **how)
    for how in ({"align": "turn"}, {"cell": 0}, {"ignore": [(1, 2, 3)]}, {"ignore": [(1, 2, -3, 4)]}):
        with pytest.raises(ValueError):
            loaded("changes").changes(a, b, **how)
    with pytest.raises(siamese.ChangesError, match="aligns faces"):
        loaded("faces").changes(a, b)
    with pytest.raises(siamese.ChangesError, match="pixels"):
        loaded("changes").changes(a, SAMPLES / "board_after.jpg", align="none")
    with pytest.raises(ValueError):
        siamese.Model.load(path("orl"), threads=0)
    with pytest.raises(siamese.LoadError, match="none.onnx can't be read: No such file"):
        siamese.Model.load(tmp_path / "none.onnx")


def test_other_threads_run_while_images_are_embedded():
    images, ticks = [IMAGES[0]] * 60, 0
    thread = threading.Thread(target=loaded("things").embed, args=(images,))
    thread.start()
    while thread.is_alive():
        ticks += 1
    thread.join()
    assert 1000 < ticks


def test_a_model_can_be_used_by_many_threads_at_once():
    expected, wrong = loaded("orl").embed(IMAGES), []

    def embed():
        if not np.array_equal(loaded("orl").embed(IMAGES), expected):
            wrong.append(1)

    threads = [threading.Thread(target=embed) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_pickled_model_is_loaded_again():
    copy = pickle.loads(pickle.dumps(loaded("orl")))
    assert np.array_equal(copy.embed(IMAGES), loaded("orl").embed(IMAGES))
    assert copy.digest in repr(copy)
