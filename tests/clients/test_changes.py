"""The view of changes in a real browser."""

import json
import subprocess

import pytest
from playwright.sync_api import Page, expect

from conftest import ONLY_FACES, ROOT, Server, check_accessibility, choose

SAMPLES = ROOT / "samples"
BOARD = [SAMPLES / "board_before.jpg", SAMPLES / "board_after.jpg"]
SHELF = [SAMPLES / "shelf_before.jpg", SAMPLES / "shelf_after.jpg"]
NO_IMAGE = {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear server"}
VERDICT = "#changes-verdict strong"
REGIONS = ".regions button"
# A build without optimisation needs seconds for a pair.
SLOW = 60_000
# The model is not calibrated for changes. At this distance, some cells of the board differ, and most do not.
THRESHOLD = "25"


@pytest.fixture(scope="module")
def things():
    """A server of a model of whole images that is not calibrated for changes."""
    running = Server(SIAMESE_MODEL__FILE=str(ROOT / "models" / "things.onnx"), SIAMESE_SERVER__DEADLINE_MS=str(SLOW))
    yield running
    running.stop()


def open_view(open_page, server: Server, threshold: str = THRESHOLD, **options) -> Page:
    """Opens the view, and names a threshold."""
    page = open_page(f"{server.address}/#changes", **options)
    page.get_by_label("Not calibrated for changes").fill(threshold)
    page.locator("#changes-threshold button").click()
    return page


def wait(page: Page) -> None:
    """Waits for the response to the last request."""
    expect(page.locator("#changes-verdict.waiting")).to_have_count(0, timeout=SLOW)
    expect(page.locator("#changes-verdict :is(strong, span)").first).to_be_visible()


def find_changes(page: Page, files=BOARD) -> None:
    for slot, file in zip(("#slot-before", "#slot-after"), files):
        choose(page, slot, file)
    wait(page)


def run_command(page: Page) -> dict:
    """The response to the command that the page shows."""
    command = page.locator("#changes .command code").inner_text()
    return json.loads(subprocess.run(command, shell=True, cwd=SAMPLES, capture_output=True, check=True).stdout)


def listed(page: Page) -> list[tuple[str, str, str]]:
    """The kind, the place and the distance of each region in the list."""
    texts = page.locator(REGIONS).evaluate_all("all => all.map((one) => ['strong', 'small', '.number'].map((part) => one.querySelector(part).textContent))")
    return [tuple(text) for text in texts]


def expected(response: dict) -> list[tuple[str, str, str]]:
    entries = []
    for region in response["regions"]:
        left, top, width, height = (round(side) for side in region["box"])
        place = f"{width} × {height} px at {left}, {top}, {region['area']:,.0f} px²"
        entries.append((region["kind"], place, f"{region['distance']['greatest']:.2f}"))
    return entries


def test_changed_regions_are_those_of_the_server_at_each_threshold(things, open_page):
    page = open_view(open_page, things)
    find_changes(page)
    expect(page.locator(VERDICT)).to_have_text("Changed")
    count = page.locator(REGIONS).count()
    expect(page.locator("#changes-verdict")).to_contain_text(f"{count} regions differ")
    expect(page.locator(".outlines g")).to_have_count(count)
    assert listed(page) == expected(run_command(page))
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("slider", name="Threshold").fill("22")
    assert page.locator(REGIONS).count() != count
    # The page finds the regions of another threshold itself.
    assert requests == []
    response = run_command(page)
    assert response["threshold"] == 22
    assert listed(page) == expected(response)
    page.get_by_role("slider", name="Threshold").fill("40")
    expect(page.locator(VERDICT)).to_have_text("Unchanged")
    expect(page.locator(REGIONS)).to_have_count(0)


def test_an_image_has_not_changed_from_itself(things, open_page):
    page = open_view(open_page, things)
    find_changes(page, [BOARD[0], BOARD[0]])
    expect(page.locator(VERDICT)).to_have_text("Unchanged")
    expect(page.locator("#changes-regions")).to_contain_text("No region is above the threshold")
    expect(page.locator("#changes-alignment-found")).to_contain_text("compared as they are")


def test_without_a_threshold_the_distances_are_told(things, open_page):
    page = open_page(f"{things.address}/#changes")
    page.get_by_role("button", name="a circuit board").click()
    wait(page)
    expect(page.locator("#changes-verdict")).to_contain_text("Name one above")
    expect(page.locator("#changes-verdict")).to_contain_text("the greatest is 3")
    expect(page.locator(REGIONS)).to_have_count(0)
    page.get_by_label("Not calibrated for changes").fill(THRESHOLD)
    page.keyboard.press("Enter")
    expect(page.locator(VERDICT)).to_have_text("Changed", timeout=SLOW)
    expect(page.locator("#changes .rates")).to_contain_text("error rates are unknown")


def calibrate(page: Page) -> None:
    """Shows the page the card of a model that is calibrated for changes, with a threshold of 25."""

    def card(route):
        described = route.fetch().json()
        measured = {"data": "boards", "split": "boards unseen in training", "identities": 3, "same_pairs": 900, "different_pairs": 90, "eer": 0.05}
        rates = ([0, 0, 1], [10, 0, 0.5], [20, 0.02, 0.25], [25, 0.04, 0.004], [30, 0.2, 0.001], [40, 1, 0])
        points = [{"threshold": threshold, "fmr": fmr, "fnmr": fnmr} for threshold, fmr, fnmr in rates]
        images = [{**point, "fnmr": point["fnmr"] * 5 if point["fnmr"] < 0.1 else 1} for point in points]
        described["changes"] = {
            "threshold": 25, "cells": measured, "images": measured, "operating_points": points, "image_operating_points": images,
        }
        route.fulfill(json=described)

    def changes(route):
        url = route.request.url
        if "threshold" not in url:
            url += ("&" if "?" in url else "?") + "threshold=25"
        route.continue_(url=url)

    page.route("**/model", card)
    page.route("**/changes*", changes)
    page.reload()


def test_error_rates_are_stated_for_cells_and_for_images(things, open_page):
    page = open_page(f"{things.address}/#changes")
    calibrate(page)
    expect(page.locator("#changes-threshold")).to_be_hidden()
    find_changes(page)
    rates = page.locator("#changes .rates")
    expect(rates).to_contain_text("False alarms 0.4 % of unchanged cells, and 2.0 % of unchanged image pairs")
    expect(rates).to_contain_text("Missed changes 4.0 % of changed cells, and 4.0 % of changed image pairs")
    expect(page.locator("#changes .command code")).not_to_contain_text("threshold")
    # Between two operating points, each rate is the worse one.
    page.get_by_role("slider", name="Threshold").fill("22")
    expect(rates).to_contain_text("False alarms 25 % of unchanged cells")
    expect(rates).to_contain_text("Missed changes 4.0 % of changed cells")
    expect(page.locator("#changes .command code")).to_contain_text("threshold=22")
    page.locator("#changes .glossary summary").click()
    for name in ("Cell", "Region", "False alarms", "Missed changes"):
        expect(page.locator("#changes .glossary dt").get_by_text(name, exact=True)).to_be_visible()


def test_a_server_of_faces_alone_names_the_model_to_start(open_page):
    own_server = Server(**ONLY_FACES)
    page = open_page(f"{own_server.address}/#changes")
    expect(page.locator("#changes-refusal")).to_contain_text("aligns faces")
    expect(page.locator("#changes-refusal code")).to_have_text("siamese serve --model models/changes.onnx")
    expect(page.locator("#slot-before")).to_be_hidden()
    check_accessibility(page)
    page.close()
    own_server.stop()


def test_changes_are_found_with_the_default_models(server, open_page):
    page = open_page(f"{server.address}/#changes")
    expect(page.locator("#changes-model")).to_have_text(
        "The model faces is not calibrated for changes. This view uses the model changes.")
    expect(page.locator("#statements")).to_contain_text("places that have changed between two images")
    page.get_by_role("button", name="a circuit board").click()
    wait(page)
    expect(page.locator(VERDICT)).to_have_text("Changed")
    assert page.url.endswith("/?model=faces&sample=board#changes")
    expect(page.locator("#changes .command code")).to_contain_text("/models/changes/changes'")
    # The box has the response to the command, also where the threshold has been moved.
    page.locator("#changes .answer summary").click()
    box = page.locator("#changes .json code")
    assert json.loads(box.inner_text()) == run_command(page)
    page.get_by_role("slider", name="Threshold").fill("2.5")
    expect(box).to_contain_text('"threshold": 2.5', timeout=SLOW)
    page.get_by_label("Model", exact=True).select_option("changes")
    expect(page.locator("#changes-model")).to_be_hidden()
    # The model that finds the changes is the same, so nothing is compared again.
    expect(page.locator(VERDICT)).to_have_text("Changed")


def test_the_handle_swipes_between_before_and_after(things, open_page):
    page = open_view(open_page, things)
    find_changes(page)
    handle = page.get_by_role("slider", name="Before and after")
    shown = page.locator("canvas.before")
    expect(handle).to_have_attribute("aria-valuenow", "50")
    for key, place in (("Home", 0), ("ArrowRight", 2), ("PageUp", 12), ("ArrowLeft", 10), ("End", 100)):
        handle.press(key)
        expect(handle).to_have_attribute("aria-valuenow", str(place))
        assert shown.evaluate("canvas => canvas.style.clipPath") == f"inset(0px {100 - place}% 0px 0px)"
    picture = page.locator(".picture").bounding_box()
    y = picture["y"] + picture["height"] / 2
    page.mouse.move(picture["x"] + picture["width"] - 4, y)
    page.mouse.down()
    page.mouse.move(picture["x"] + picture["width"] / 4, y, steps=5)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuetext", "25 % before, 75 % after")
    # A swipe selects no region.
    expect(page.locator(".regions [aria-pressed=true]")).to_have_count(0)


def test_the_handle_follows_a_finger(things, open_page):
    page = open_view(open_page, things, width=390, has_touch=True, is_mobile=True)
    find_changes(page)
    handle = page.get_by_role("slider", name="Before and after")
    handle.scroll_into_view_if_needed()
    box, picture = handle.bounding_box(), page.locator(".picture").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(10):
        left = x + (picture["x"] - x) * step / 9
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": left, "y": y + 3 * step}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(handle).to_have_attribute("aria-valuenow", "0")


def point(page: Page, x: float, y: float) -> tuple[float, float]:
    """The place on the screen of a pixel of the second image of the board."""
    box = page.locator(".picture").bounding_box()
    return box["x"] + x * box["width"] / 320, box["y"] + y * box["height"] / 320


def test_regions_are_emphasised_in_the_list_and_in_the_picture(things, open_page):
    page = open_view(open_page, things)
    find_changes(page)
    first, outlines = page.locator(REGIONS).first, page.locator(".outlines g")
    first.hover()
    expect(outlines.first).to_have_class("hovered")
    page.locator("#changes-title").hover()
    expect(outlines.first).to_have_class("")
    first.focus()
    expect(outlines.first).to_have_class("hovered")
    first.press("Enter")
    expect(outlines.first).to_have_class("selected")
    expect(page.locator(".selected[role=status]")).to_contain_text("Region 1, altered")
    # The second region from the picture: its first cell.
    response = run_command(page)
    x, y = response["regions"][1]["polygon"][0]
    page.locator(".picture").scroll_into_view_if_needed()
    page.mouse.move(*point(page, x + 3, y + 3))
    expect(page.locator(".regions li").nth(1)).to_have_class("hovered")
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(REGIONS).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(first).to_have_attribute("aria-pressed", "false")


def test_layers_are_switched(things, open_page):
    page = open_view(open_page, things)
    find_changes(page)
    for name, layer in (("Heat map", "canvas.heat"), ("Outlines", ".outlines")):
        expect(page.locator(layer)).to_be_visible()
        page.get_by_label(name, exact=True).uncheck()
        expect(page.locator(layer)).to_be_hidden()


def test_an_area_drawn_with_the_mouse_is_ignored(things, open_page):
    page = open_view(open_page, things)
    find_changes(page)
    count = page.locator(REGIONS).count()
    draw = page.get_by_role("button", name="Draw on the picture")
    draw.click()
    expect(draw).to_have_attribute("aria-pressed", "true")
    page.locator(".picture").scroll_into_view_if_needed()
    page.mouse.move(*point(page, 10, 40))
    page.mouse.down()
    page.mouse.move(*point(page, 170, 310), steps=4)
    page.mouse.up()
    wait(page)
    expect(page.locator(".areas rect")).to_have_count(1)
    expect(page.locator("#changes .command code")).to_contain_text("ignore=10,40,160,270")
    assert page.locator(REGIONS).count() < count
    assert listed(page) == expected(run_command(page))
    draw.press("Escape")
    expect(draw).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Remove area 1").click()
    wait(page)
    expect(page.locator(REGIONS)).to_have_count(count)
    expect(page.locator("#changes .command code")).not_to_contain_text("ignore")


def test_an_area_is_written_with_the_keyboard(things, open_page):
    page = open_view(open_page, things, expect=["422"])
    find_changes(page)
    page.get_by_role("button", name="Add by numbers").press("Enter")
    expect(page.get_by_label("Left of area 1")).to_be_focused()
    wait(page)
    for name, value in (("Left", "0"), ("Top", "0"), ("Width", "320"), ("Height", "320")):
        page.get_by_label(f"{name} of area 1").fill(value)
        page.keyboard.press("Tab")
    expect(page.locator("#changes-verdict .error")).to_contain_text("othing is left to compare", timeout=SLOW)
    page.get_by_role("button", name="Remove area 1").press("Enter")
    expect(page.locator(VERDICT)).to_have_text("Changed", timeout=SLOW)
    # Areas belong to the second image.
    page.get_by_role("button", name="Add by numbers").click()
    choose(page, "#slot-after", SHELF[1])
    expect(page.locator(".areas rect")).to_have_count(0)
    wait(page)


def test_the_alignment_is_chosen_and_told(things, open_page):
    page = open_view(open_page, things, expect=["422"])
    find_changes(page, SHELF)
    told = page.locator("#changes-alignment-found")
    expect(told).to_contain_text("shifted by 6 pixels to the left and 4 pixels up")
    expect(told).to_contain_text("Confidence")
    align = page.get_by_label("Alignment")
    align.select_option("none")
    expect(told).to_contain_text("compared as they are", timeout=SLOW)
    expect(page.locator("#changes .command code")).to_contain_text("align=none")
    align.select_option("auto")
    find_changes(page, [SHELF[0], BOARD[1]])
    expect(page.locator("#changes-alignment-warning")).to_contain_text("agree little")
    align.select_option("shift")
    expect(page.locator("#changes-verdict .error")).to_contain_text("could not be aligned", timeout=SLOW)
    expect(page.locator("#changes-request > div")).to_be_hidden()
    align.select_option("auto")
    find_changes(page, SHELF)
    expect(page.locator("#changes-alignment-warning")).to_be_hidden()


DROP = """async ([selector, names]) => {
    const data = new DataTransfer();
    for (const name of names) {
        const blob = await (await fetch(`/page/samples/${name}.jpg`)).blob();
        data.items.add(new File([blob], `${name}.jpg`, { type: "image/jpeg" }));
    }
    const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
    document.querySelector(selector).dispatchEvent(event);
}"""


@pytest.mark.parametrize("place", ["#slot-before", "#changes-title"])
def test_two_dropped_files_are_before_and_after(things, open_page, place):
    page = open_view(open_page, things)
    page.evaluate(DROP, [place, ["board_before", "board_after"]])
    expect(page.locator("#slot-before .frame > img")).to_have_attribute("alt", "board_before.jpg")
    expect(page.locator("#slot-after .frame > img")).to_have_attribute("alt", "board_after.jpg")
    expect(page.locator(VERDICT)).to_have_text("Changed", timeout=SLOW)


def test_the_regions_of_a_large_map_are_found_while_the_slider_moves(things, open_page):
    page = open_page(f"{things.address}/#changes")
    took = page.evaluate("""async () => {
      const { Distances } = await import("/page/views/changes/distances.js");
      const [rows, columns] = [260, 260];
      // A wave, so that there are many regions with long outlines.
      const value = (_, index) => Math.sin(index % columns) + Math.sin(Math.floor(index / columns));
      const distances = new Distances({ rows, columns, values: Float32Array.from({ length: rows * columns }, value) }, 8, { width: 2080, height: 2080 });
      const start = performance.now();
      const found = distances.regions(0.5).length;
      return [found, performance.now() - start];
    }""")
    assert 100 < took[0] and took[1] < 1000, took


@pytest.mark.parametrize(("button", "file"), [("Heat map as PNG", "board_after-heat.png"), ("Mask as PNG", "board_after-mask.png")])
def test_the_pictures_of_the_server_are_downloaded(things, open_page, button, file):
    page = open_view(open_page, things)
    find_changes(page)
    with page.expect_download(timeout=SLOW) as downloaded:
        page.get_by_role("button", name=button).click()
    assert downloaded.value.suggested_filename == file
    content = downloaded.value.path().read_bytes()
    assert content.startswith(b"\x89PNG") and (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (320, 320)


@pytest.mark.parametrize("slot", ["#slot-before", "#slot-after"])
def test_an_error_is_shown_beside_its_image(things, open_page, slot):
    page = open_view(open_page, things, expect=["415"])
    find_changes(page)
    choose(page, slot, NO_IMAGE)
    expect(page.locator(f"{slot} .error")).to_be_visible(timeout=SLOW)
    expect(page.locator("#changes .error:visible")).to_have_count(1)
    expect(page.locator(VERDICT)).to_have_count(0)
    expect(page.locator("#changes-figure")).to_be_hidden()
    choose(page, slot, BOARD[slot == "#slot-after"])
    expect(page.locator(VERDICT)).to_have_text("Changed", timeout=SLOW)
    expect(page.locator(f"{slot} .error")).to_be_hidden()


def test_an_image_that_the_browser_can_not_decode_is_compared(things, open_page, tmp_path):
    page = open_view(open_page, things, threshold="1")
    image = tmp_path / "before.pgm"
    image.write_bytes(b"P5 320 320 255\n" + bytes(number % 251 for number in range(320 * 320)))
    find_changes(page, [image, BOARD[1]])
    expect(page.locator(VERDICT)).to_have_text("Changed")
    expect(page.locator(".selected[role=status]")).to_contain_text("can’t show both files")


def test_the_api_key_is_sent_with_each_request(open_page, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-0123456789\n")
    own_server = Server(SIAMESE_AUTH__KEYS_FILE=str(keys), SIAMESE_MODEL__FILE=str(ROOT / "models" / "things.onnx"))
    page = open_page(f"{own_server.address}/#changes", expect=["401"])
    page.get_by_label("API key").fill("a-key-0123456789")
    page.get_by_role("button", name="Use key").click()
    page.get_by_label("Not calibrated for changes").fill(THRESHOLD)
    page.locator("#changes-threshold button").click()
    find_changes(page)
    assert run_command(page)["verdict"] == "changed"
    with page.expect_download(timeout=SLOW):
        page.get_by_role("button", name="Mask as PNG").click()
    page.close()
    own_server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_the_view_is_accessible_and_fits_the_screen(things, open_page, width, scheme):
    page = open_page(f"{things.address}/#changes", width=width, scheme=scheme)
    calibrate(page)
    page.get_by_role("button", name="a circuit board").click()
    wait(page)
    page.locator(REGIONS).nth(1).click()
    page.get_by_role("button", name="Add by numbers").click()
    wait(page)
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_a_moved_threshold_moves_nothing_else(things, open_page, width):
    page = open_view(open_page, things, width=width)
    find_changes(page)
    slider = page.get_by_role("slider", name="Threshold")
    places, verdicts = set(), set()
    for threshold in ("1", "20", "25", "31", "39"):
        slider.fill(threshold)
        box = slider.bounding_box()
        places.add(tuple(round(box[side]) for side in ("x", "y", "width", "height")))
        verdicts.add(page.locator(VERDICT).inner_text())
    assert verdicts == {"Changed", "Unchanged"}
    assert len(places) == 1, places
