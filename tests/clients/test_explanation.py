"""Why two images are the same or different, in a real browser."""

import json
import subprocess

import pytest
from playwright.sync_api import Page, expect

from conftest import ONLY_FACES, ROOT, Server, check_accessibility, choose

SAMPLES = ROOT / "samples"
FACES = [SAMPLES / "s5_1.jpg", SAMPLES / "s5_2.jpg"]
BOARD = [SAMPLES / "board_before.jpg", SAMPLES / "board_after.jpg"]
WHY = "Why?"
# A build without optimisation needs seconds for 134 runs.
SLOW = 60_000
# The red, green and blue of each cell, row by row.
COLOURS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: data.length / 4 }, (_, cell) => Array.from(data.subarray(4 * cell, 4 * cell + 4)));
}"""


@pytest.fixture(scope="module")
def things():
    """A server of a model with a map."""
    running = Server(SIAMESE_MODEL__FILE=str(ROOT / "models" / "things.onnx"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def faces():
    """A server of a model without a map, with time for its many runs."""
    running = Server(SIAMESE_SERVER__DEADLINE_MS=str(SLOW), **ONLY_FACES)
    yield running
    running.stop()


def compare(page: Page, files) -> None:
    for slot, file in zip(("#slot-a", "#slot-b"), files):
        choose(page, slot, file)
    expect(page.get_by_role("button", name=WHY)).to_be_visible(timeout=SLOW)


def ask(page: Page, files=BOARD) -> None:
    compare(page, files)
    page.get_by_role("button", name=WHY).click()
    expect(page.locator(".overlays canvas")).to_have_count(2, timeout=SLOW)


def run_command(page: Page) -> dict:
    """The response to the command of the explanation."""
    command = page.locator(".why .command code").inner_text()
    return json.loads(subprocess.run(command, shell=True, cwd=SAMPLES, capture_output=True, check=True).stdout)


def check_colours(page: Page, explanation: dict) -> None:
    """Fails unless the strong cells have the colour of what they speak for."""
    is_decomposition = explanation["method"] == "decomposition"
    for canvas, side in zip(page.locator(".overlays canvas").all(), ("a", "b")):
        values, colours = explanation[side]["values"], canvas.evaluate(COLOURS)
        assert len(values) == len(colours) == explanation[side]["rows"] * explanation[side]["columns"]
        neutral = sum(values) / len(values) if is_decomposition else 0
        strong = [(value > neutral, red < blue) for value, (red, _, blue, alpha) in zip(values, colours) if 25 < alpha]
        assert strong
        assert all(speaks_for_same == is_blue for speaks_for_same, is_blue in strong)


@pytest.mark.parametrize(
    ("name", "files", "method", "runs", "meaning"),
    [
        ("faces", FACES, "occlusion", 134, "without the cell, the images are farther apart"),
        ("things", BOARD, "decomposition", 8, "adds more to the similarity of the embeddings than the mean cell"),
    ],
)
def test_the_cells_of_both_images_are_shown_on_request(request, open_page, name, files, method, runs, meaning):
    page = open_page(request.getfixturevalue(name).address)
    asked = []
    page.on("request", lambda sent: asked.append(sent.url) if "explain" in sent.url else None)
    compare(page, files)
    expect(page.locator(".why")).to_contain_text(f"The model runs {runs} times")
    assert asked == []
    page.get_by_role("button", name=WHY).click()
    expect(page.locator(".why")).to_contain_text(meaning, timeout=SLOW)
    expect(page.locator(".why")).to_contain_text(f"{runs} runs of the model")
    assert len(asked) == 1
    explanation = run_command(page)["explanation"]
    assert (explanation["method"], explanation["runs"]) == (method, runs)
    check_colours(page, explanation)
    for image, label in zip(page.locator(".overlaid").all(), ("First image", "Second image")):
        expect(image.locator("img")).to_be_visible()
        assert image.locator("img").evaluate("image => image.naturalWidth") in (150, 224)
        assert image.get_attribute("aria-label").startswith(f"{label}, as the model sees it. It has ")


def test_the_deletion_test_is_told_in_words(things, open_page):
    page = open_page(things.address)
    ask(page)
    deletion = run_command(page)["explanation"]["deletion"]
    distance, highest, lowest = (f"{deletion[name]:.3f}" for name in ("distance", "without_highest", "without_lowest"))
    expect(page.locator(".why")).to_contain_text(f"from {distance} to {highest}; hiding the fifth that speaks least, to {lowest}.")
    expect(page.locator(".why")).not_to_contain_text("says little")


def test_a_map_that_fails_its_test_is_said_to_say_little(things, open_page):
    # An image and itself: hiding the same cells of both leaves the distance at 0, whichever they are.
    page = open_page(things.address)
    ask(page, [BOARD[0], BOARD[0]])
    expect(page.locator(".why")).to_contain_text("The map says little about this pair.")


def test_the_opacity_is_set_by_the_keyboard(things, open_page):
    page = open_page(things.address)
    ask(page)
    slider = page.get_by_role("slider", name="Opacity of the colours")
    for key, opacity in (("Home", 0), ("ArrowRight", 0.05), ("End", 1)):
        slider.press(key)
        shown = page.locator(".overlays canvas").evaluate_all("all => all.map((canvas) => Number(canvas.style.opacity))")
        assert shown == [opacity, opacity]


def test_the_focus_goes_from_the_button_to_the_explanation(things, open_page):
    page = open_page(things.address)
    compare(page, BOARD)
    page.get_by_role("button", name=WHY).press("Enter")
    expect(page.get_by_role("heading", name="Which parts of the images decide")).to_be_focused(timeout=SLOW)


def test_a_moved_threshold_keeps_the_explanation_and_another_pair_does_not(things, open_page):
    page = open_page(things.address)
    ask(page)
    page.get_by_role("slider", name="Threshold").fill("0.1")
    expect(page.locator("#two-verdict strong")).to_have_text("Different")
    expect(page.locator(".overlays")).to_be_visible()
    choose(page, "#slot-b", SAMPLES / "shelf_after.jpg")
    expect(page.get_by_role("button", name=WHY)).to_be_visible()
    expect(page.locator(".overlays")).to_have_count(0)


def test_a_named_threshold_is_sent(described, open_page):
    page = open_page(described().address)
    page.get_by_label("no threshold").fill("0.2")
    page.get_by_role("button", name="Use threshold").click()
    ask(page, FACES)
    expect(page.locator(".why .command code")).to_contain_text("?threshold=0.2&explain=map")
    check_colours(page, run_command(page)["explanation"])


def test_an_error_is_told_and_the_question_asked_again(described, open_page, tmp_path):
    server = described("threshold = 0.2")
    page = open_page(server.address, expect=["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"])
    compare(page, FACES)
    server.stop()
    page.get_by_role("button", name=WHY).click()
    expect(page.locator(".why .error")).to_contain_text("The server does not respond")
    again = Server(server.address, SIAMESE_MODEL__FILE=str(tmp_path / "tiny.onnx"))
    page.get_by_role("button", name=WHY).click()
    expect(page.locator(".overlays")).to_be_visible(timeout=SLOW)
    expect(page.locator(".why .error")).to_have_count(0)
    again.stop()


def test_the_api_key_is_sent(open_page, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-0123456789\n")
    own_server = Server(SIAMESE_AUTH__KEYS_FILE=str(keys), SIAMESE_MODEL__FILE=str(ROOT / "models" / "things.onnx"))
    page = open_page(own_server.address, expect=["401"])
    page.get_by_label("API key").fill("a-key-0123456789")
    page.get_by_role("button", name="Use key").click()
    expect(page.get_by_label("API key")).to_be_hidden()
    ask(page)
    assert run_command(page)["explanation"]["method"] == "decomposition"
    page.close()
    own_server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_explanation_is_accessible_and_fits_the_screen(things, open_page, width, scheme):
    page = open_page(things.address, width=width, scheme=scheme)
    compare(page, BOARD)
    check_accessibility(page)
    page.get_by_role("button", name=WHY).click()
    expect(page.locator(".overlays")).to_be_visible(timeout=SLOW)
    page.locator(".why .glossary summary").click()
    page.wait_for_load_state("networkidle")
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
