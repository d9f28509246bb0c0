"""The page in a real browser."""

import json
import subprocess

import pytest
from playwright.sync_api import Page, expect

from conftest import FACES, ONLY_FACES, REMOTE, ROOT, Server, check_accessibility, choose

SAME = [FACES / "s5_1.jpg", FACES / "s5_2.jpg"]
OTHER = FACES / "s1_1.jpg"
NO_FACE = ROOT / "tests" / "fixtures" / "images" / "420.jpg"
NO_IMAGE = {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear server"}
VERDICT = "#two-verdict strong"


def compare(page: Page, a, b) -> None:
    choose(page, "#slot-a", a)
    choose(page, "#slot-b", b)


# The bytes of a PNG of an image that is out of focus.
BLUR = """async (url) => {
  const image = await createImageBitmap(await (await fetch(url)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.filter = "blur(2px)";
  context.drawImage(image, 0, 0);
  return Array.from(new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer()));
}"""


def test_two_images_get_a_verdict(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
    compare(page, SAME[0], OTHER)
    expect(page.locator(VERDICT)).to_have_text("Different")
    expect(page.locator("#two-figure")).to_contain_text("Of the pairs known to be the same")
    # Both slots show the model's input: the aligned face.
    for slot in ("#slot-a", "#slot-b"):
        model_input = page.locator(f"{slot} .model-input")
        expect(model_input).to_be_visible()
        assert model_input.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [150, 150]


def test_purpose_and_limits_stand_above_the_first_verdict(server, open_page):
    page = open_page(server.address)
    statements = page.locator("#statements")
    expect(statements).to_contain_text("show the face of the same person")
    expect(statements).to_contain_text("Not for decisions about people")
    slot = page.locator("#slot-a").bounding_box()
    box = statements.bounding_box()
    assert box["y"] + box["height"] <= slot["y"]
    page.get_by_role("link", name="Compare many").click()
    expect(statements).to_be_visible()


def test_technical_terms_are_explained(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    for name, meaning in (("FMR", "different pairs that are called same"), ("FNMR", "same pairs that are called different")):
        title = page.locator(".rates abbr", has_text=name).last.get_attribute("title")
        assert meaning in title, title
    page.locator(".glossary summary").first.click()
    for name in ("Same pair", "Different pair", "Distance", "Threshold", "FMR", "FNMR"):
        expect(page.locator("#two .glossary dt").get_by_text(name, exact=True)).to_be_visible()
    # The default model states no margin.
    expect(page.locator("#two .glossary dt").get_by_text("Margin")).to_have_count(0)


def test_examples_are_one_click_away(server, open_page):
    page = open_page(server.address)
    page.get_by_role("button", name="one person twice").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    page.get_by_role("button", name="two people").click()
    expect(page.locator(VERDICT)).to_have_text("Different")


def test_the_threshold_changes_verdict_rates_and_curl(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    slider = page.get_by_role("slider", name="Threshold")
    expect(page.locator(".rates")).to_contain_text("FMR")
    before = page.locator(".rates").inner_text()
    command = page.locator("#two .command code")
    expect(command).not_to_contain_text("threshold")
    slider.fill("0.2")
    expect(page.locator(VERDICT)).to_have_text("Different")
    assert page.locator(".rates").inner_text() != before
    expect(command).to_contain_text("?threshold=0.2")
    page.get_by_role("button", name="Reset threshold").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(command).not_to_contain_text("threshold")


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_a_moved_threshold_moves_nothing_else(server, open_page, width):
    page = open_page(server.address, width=width)
    page.get_by_role("button", name="one person, less alike").click()
    slider = page.get_by_role("slider", name="Threshold")
    expect(slider).to_be_visible()
    page.wait_for_load_state("networkidle")
    distance = float(page.locator("#two-verdict").inner_text().split("distance, ")[1][:5])
    places, verdicts = set(), set()
    for threshold in (0, 0.5, distance - 0.001, distance, distance + 0.001, 0.54, 0.8, 1.1):
        slider.fill(f"{threshold:.3f}")
        box = slider.bounding_box()
        places.add(tuple(round(box[side]) for side in ("x", "y", "width", "height")))
        verdicts.add(page.locator(VERDICT).inner_text())
    assert verdicts == {"Same", "Different"}
    assert len(places) == 1, places


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_new_groups_do_not_move_the_slider(server, open_page, width):
    page = open_page(f"{server.address}/#matrix", width=width)
    page.get_by_role("button", name="eight images").click()
    expect(page.locator(".matrix .self")).to_have_count(8)
    page.wait_for_load_state("networkidle")
    slider = page.get_by_role("slider", name="Threshold")
    places = set()
    for threshold in ("0", "0.3", "0.54", "0.68", "1.1"):
        slider.fill(threshold)
        box = slider.bounding_box()
        places.add(tuple(round(box[side]) for side in ("x", "y", "width", "height")))
    assert len(places) == 1, places


@pytest.mark.parametrize("width", [390, 1440])
def test_the_line_of_the_threshold_can_be_dragged(server, open_page, width):
    page = open_page(server.address, width=width)
    compare(page, *SAME)
    handle = page.locator(".chart .handle")
    handle.scroll_into_view_if_needed()
    chart, line = page.locator(".chart").bounding_box(), handle.bounding_box()
    x, y = line["x"] + line["width"] / 2, line["y"] + line["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(chart["x"] + chart["width"] / 8, y, steps=5)
    expect(page.locator(VERDICT)).to_have_text("Different")
    value = float(page.get_by_role("slider", name="Threshold").input_value())
    assert 0.1 < value < 0.2
    # The axis does not move with the line, and the line ends with the axis.
    page.mouse.move(chart["x"] + chart["width"] + 200, y, steps=5)
    page.mouse.up()
    page.mouse.move(x, y)
    slider = page.get_by_role("slider", name="Threshold")
    assert slider.input_value() == slider.evaluate("slider => String(Math.floor(slider.max * 1000) / 1000)")


def test_the_line_of_the_threshold_can_be_dragged_by_a_finger(server, open_page):
    page = open_page(server.address, width=390, has_touch=True, is_mobile=True)
    compare(page, *SAME)
    page.locator(".chart").scroll_into_view_if_needed()
    line = page.locator(".chart .handle").bounding_box()
    x, y = line["x"] + line["width"] / 2, line["y"] + line["height"] / 2
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(20):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x - 6 * step, "y": y + step}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(VERDICT)).to_have_text("Different")


@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("threshold", [0.01, 0.5, 0.98])
def test_labels_of_the_chart_neither_overlap_nor_end_outside(described, open_page, threshold, scale):
    lines = (f"scale = {scale / 255}", f"threshold = {threshold * scale}", f"margin = {(threshold + 0.01) * scale}")
    page = open_page(described(*lines).address, width=390)
    compare(page, *SAME)
    expect(page.locator(".chart .strong")).to_have_count(3)
    width = page.locator(".chart").evaluate("chart => chart.viewBox.baseVal.width")
    # Without their outlines.
    boxes = page.locator(".chart .strong").evaluate_all("labels => labels.map((label) => label.getBBox())"
        ".map(({ x, y, width, height }) => [x, x + width, y, y + height])")
    assert all(0 <= left and right <= width for left, right, _, _ in boxes)
    rows = sorted(box[2:] for box in boxes)
    assert all(bottom <= top for (_, bottom), (top, _) in zip(rows, rows[1:])), rows


def test_the_models_input_covers_no_image(server, open_page):
    for width in (390, 1440):
        page = open_page(f"{server.address}/#one-to-many", width=width)
        choose(page, "#slot-one", SAME[0])
        expect(page.locator("#slot-one .model-input")).to_be_visible()
        image, inset = (page.locator(f"#slot-one {part}").bounding_box() for part in (".frame > img", "figure"))
        assert image["y"] + image["height"] <= inset["y"]


def test_a_model_without_a_threshold_asks_for_one(described, open_page):
    page = open_page(described().address)
    compare(page, SAME[0], OTHER)
    expect(page.locator("#two-verdict")).to_contain_text("no threshold")
    page.get_by_label("no threshold").fill("0.2")
    page.get_by_role("button", name="Use threshold").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(page.locator("#two .command code")).to_contain_text("?threshold=0.2")
    page.get_by_label("no threshold").fill("0.01")
    page.keyboard.press("Enter")
    expect(page.locator(VERDICT)).to_have_text("Different")
    # The other views use it too.
    page.get_by_role("link", name="One against many").click()
    choose(page, "#slot-one", SAME[0])
    choose(page, "#tray-many", OTHER)
    expect(page.locator("#many-results .different")).to_have_count(1)


def test_a_model_with_a_threshold_does_not_ask_for_one(server, open_page):
    page = open_page(server.address)
    expect(page.locator("#two-samples")).to_be_visible()
    expect(page.get_by_label("no threshold")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 390])
def test_images_unlike_those_of_the_calibration_are_named(server, open_page, width):
    page = open_page(f"{server.address}/?model=orl", width=width)
    unlike = "unlike those this model was calibrated on; the figures below do not apply."
    note = page.locator("#two-verdict .unfamiliar")
    compare(page, SAME[0], NO_FACE)
    expect(note).to_have_text(f"The second image is {unlike}")
    compare(page, NO_FACE, NO_FACE)
    expect(note).to_have_text(f"These images are {unlike}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_accessibility(page)
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(note).to_have_count(0)

    page.get_by_role("link", name="One against many").click()
    choose(page, "#slot-one", SAME[0])
    choose(page, "#tray-many", SAME[1], NO_FACE)
    expect(page.locator("#many-verdict .unfamiliar")).to_contain_text("1 of 2 results have an image unlike")


@pytest.mark.parametrize(("model", "verdict", "truth"), [("faces", "Same", "right"), ("orl", "Different", "wrong")])
def test_a_harder_pair_shows_how_good_the_model_is(server, open_page, model, verdict, truth):
    page = open_page(f"{server.address}/?model={model}")
    page.get_by_role("button", name="one person, less alike").click()
    expect(page.locator(VERDICT)).to_have_text(verdict)
    expect(page.locator("#two-verdict .truth")).to_have_text(f"The model is {truth}: these are two images of one person.")


def test_an_example_says_whether_the_model_is_right(server, open_page):
    page = open_page(server.address)
    page.get_by_role("button", name="two people").click()
    expect(page.locator("#two-verdict .truth")).to_have_text("The model is right: these are two images of two people.")
    # Nobody knows who is in other images.
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(page.locator("#two-verdict .truth")).to_have_count(0)
    page.get_by_role("link", name="Compare many").click()
    page.get_by_role("button", name="eight images").click()
    expect(page.locator("#matrix-verdict .truth")).to_contain_text("4 people")


def test_the_probability_does_not_contradict_the_verdict(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    expect(page.locator(".position")).to_contain_text("if half of all compared pairs are same pairs")
    expect(page.locator("#two-verdict")).not_to_contain_text("Probability")


def test_images_in_the_cache_are_named_in_place_of_times(open_page):
    own_server = Server(**ONLY_FACES)
    page = open_page(own_server.address)
    compare(page, FACES / "s9_1.jpg", FACES / "s9_2.jpg")
    for name in ("decode", "search", "queue", "model", "total", "round trip"):
        expect(page.locator(".timings")).to_contain_text(name)
    expect(page.locator(".timings")).not_to_contain_text("cache")
    compare(page, FACES / "s9_1.jpg", FACES / "s13_1.jpg")
    expect(page.locator(".timings")).to_contain_text("cacheone image")
    choose(page, "#slot-b", FACES / "s9_2.jpg")
    expect(page.locator(".timings")).to_contain_text("cacheboth images")
    expect(page.locator(".timings")).not_to_contain_text("decode")
    page.close()
    own_server.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", REMOTE])
def test_the_command_is_copied_on_plain_http(server, browser, open_page, host):
    page = open_page(server.address.replace("127.0.0.1", host))
    assert page.evaluate("isSecureContext") == (host != REMOTE)
    compare(page, *SAME)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    reader = open_page(server.address)
    reader.context.grant_permissions(["clipboard-read"])
    assert reader.evaluate("navigator.clipboard.readText()") == page.locator("#two .command code").inner_text()


def test_the_curl_command_gets_the_same_verdict(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    page.get_by_role("slider", name="Threshold").fill("0.2")
    command = page.locator("#two .command code").inner_text()
    output = subprocess.run(command, shell=True, cwd=FACES, capture_output=True, check=True).stdout
    assert json.loads(output)["verdict"] == "different"


def test_images_are_dropped_and_pasted(server, open_page):
    page = open_page(server.address)
    transfer = """([kind, selector, name]) => fetch(`/page/samples/${name}.jpg`).then((response) => response.blob()).then((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], `${name}.jpg`, { type: "image/jpeg" }));
        const content = kind === "paste" ? { clipboardData: data } : { dataTransfer: data };
        const Kind = kind === "paste" ? ClipboardEvent : DragEvent;
        document.querySelector(selector).dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, ...content }));
    })"""
    page.wait_for_selector("body[data-ready]", state="attached")
    page.evaluate(transfer, ["drop", "#slot-b", "s5_2"])
    expect(page.locator("#slot-b img").first).to_be_visible()
    page.evaluate(transfer, ["paste", "body", "s5_1"])
    expect(page.locator(VERDICT)).to_have_text("Same")


DROP = """async ([selector, names, link]) => {
    const data = new DataTransfer();
    if (link) data.setData("text/uri-list", link);
    for (const name of names) {
        const blob = await (await fetch(`/page/samples/${name}.jpg`)).blob();
        data.items.add(new File([blob], `${name}.jpg`, { type: "image/jpeg" }));
    }
    const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
    document.querySelector(selector).dispatchEvent(event);
}"""


@pytest.mark.parametrize("place", ["#slot-a", "#slot-b", "h1"])
def test_two_dropped_files_are_compared(server, open_page, place):
    page = open_page(server.address)
    page.wait_for_selector("body[data-ready]", state="attached")
    page.evaluate(DROP, [place, ["s5_1", "s5_2"], None])
    expect(page.locator(VERDICT)).to_have_text("Same")
    page.evaluate(DROP, [place, ["s5_1", "s1_1", "s9_1"], None])
    expect(page.locator(VERDICT)).to_have_text("Different")
    expect(page.locator("#two .note:visible")).to_have_text("The last image was ignored.")


def test_further_files_dropped_on_the_one_image_join_the_many(server, open_page):
    page = open_page(f"{server.address}/#one-to-many")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.evaluate(DROP, ["#slot-one", ["s5_1", "s5_2", "s1_1"], None])
    expect(page.locator("#many-results li")).to_have_count(2)


@pytest.mark.parametrize(("view", "place"), [("two", "#slot-b"), ("one-to-many", "#tray-many"), ("matrix", "#tray-matrix")])
def test_a_link_to_an_image_of_another_site_is_told(server, open_page, view, place):
    page = open_page(f"{server.address}/#{view}")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.evaluate(DROP, [place, [], "https://example.org/face.jpg"])
    expect(page.locator(f"{place} .note")).to_contain_text("not an image file")
    page.evaluate(DROP, [place, ["s5_1"], None])
    expect(page.locator(f"{place} .note")).to_be_hidden()


@pytest.mark.parametrize("slot", ["#slot-a", "#slot-b"])
def test_an_error_is_shown_beside_its_image(server, open_page, slot):
    page = open_page(server.address, expect=["415"])
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
    choose(page, slot, NO_IMAGE)
    expect(page.locator(f"{slot} .error")).to_be_visible()
    other = "#slot-b" if slot == "#slot-a" else "#slot-a"
    expect(page.locator(f"{other} .error")).to_be_hidden()
    expect(page.locator(VERDICT)).to_have_count(0)
    choose(page, slot, SAME[0])
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(page.locator(f"{slot} .error")).to_be_hidden()


def test_an_image_without_a_face_gets_an_error(server, open_page):
    page = open_page(server.address, expect=["422"])
    compare(page, SAME[0], NO_FACE)
    expect(page.locator("#slot-b .error")).to_contain_text("No face was found")
    expect(page.locator(VERDICT)).to_have_count(0)


def test_a_blurred_face_is_warned_of(server, open_page, tmp_path):
    page = open_page(server.address)
    blurred = tmp_path / "blurred.png"
    blurred.write_bytes(bytes(page.evaluate(BLUR, "/page/samples/s5_2.jpg")))
    compare(page, SAME[0], blurred)
    expect(page.locator("#slot-b .warning")).to_contain_text("The face is blurred")
    expect(page.locator("#slot-a .warning")).to_be_hidden()
    choose(page, "#slot-b", SAME[1])
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(page.locator("#slot-b .warning")).to_be_hidden()


def test_the_models_input_replaces_an_image_that_the_browser_can_not_decode(server, open_page):
    # The image shows no face, so the model is one that embeds whole images.
    page = open_page(f"{server.address}/?model=orl")
    tiff = ROOT / "tests" / "fixtures" / "images" / "grey.tiff"
    choose(page, "#slot-a", tiff)
    image = page.locator("#slot-a .frame > img")
    page.wait_for_function("() => document.querySelector('#slot-a .frame > img').naturalWidth === 60")
    expect(image).to_be_visible()


def test_a_stopped_server_is_reported_and_tried_again(open_page):
    own_server = Server(**ONLY_FACES)
    page = open_page(
        own_server.address, expect=["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
    )
    page.wait_for_selector("body[data-ready]", state="attached")
    own_server.stop()
    compare(page, *SAME)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("does not respond")
    own_server = Server(own_server.address, **ONLY_FACES)
    notice.get_by_role("button").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    own_server.stop()


def test_one_image_is_compared_with_many(server, open_page):
    page = open_page(f"{server.address}/#one-to-many", expect=["415", "422"])
    choose(page, "#slot-one", SAME[0])
    truncated = {"name": "truncated.jpg", "mimeType": "image/jpeg", "buffer": SAME[1].read_bytes()[:300]}
    choose(page, "#tray-many", OTHER, SAME[1])
    rows = page.locator("#many-results li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("s5_2.jpg")
    expect(rows.first).to_contain_text("same")
    expect(page.locator("#many-verdict strong")).to_have_text("1 of 2 is the same")
    choose(page, "#tray-many", NO_IMAGE, truncated)
    expect(page.locator("#tray-many .invalid")).to_have_count(2)
    expect(rows).to_have_count(2)


def test_many_images_are_grouped_by_the_threshold(server, open_page):
    page = open_page(f"{server.address}/#matrix")
    page.get_by_role("button", name="eight images").click()
    expect(page.locator(".matrix .self")).to_have_count(8)
    slider = page.get_by_role("slider", name="Threshold")
    slider.fill("0")
    expect(page.locator("#matrix-verdict strong")).to_have_text("8 groups")
    slider.fill("1")
    expect(page.locator("#matrix-verdict strong")).to_have_text("1 group")


def test_images_beyond_the_limit_are_ignored(server, open_page):
    page = open_page(f"{server.address}/#matrix")
    content = OTHER.read_bytes()
    files = [{"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": content} for number in range(32)]
    choose(page, "#tray-matrix", *files)
    expect(page.locator("#tray-matrix .error")).to_contain_text("The last 2 were ignored")
    expect(page.locator(".matrix .self")).to_have_count(30)
    # They fit or scroll, beside the images of their rows.
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator(".matrix").evaluate("matrix => matrix.scrollTo(matrix.scrollWidth, 0)")
        for part in ("tbody tr:last-child th", "tbody tr:last-child td:last-child"):
            box = page.locator(f".matrix {part}").bounding_box()
            assert 0 <= box["x"] and box["x"] + box["width"] <= width
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".matrix .self")).to_have_count(0)


def test_the_api_key_is_requested_once(open_page, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-0123456789\n")
    own_server = Server(SIAMESE_AUTH__KEYS_FILE=str(keys), **ONLY_FACES)
    page = open_page(own_server.address, expect=["401"])
    error = page.get_by_text("does not accept this key")
    field = page.get_by_label("API key")
    expect(field).to_be_visible()
    expect(error).to_be_hidden()
    field.fill("another-key-0123456789")
    page.get_by_role("button", name="Use key").click()
    expect(error).to_be_visible()
    field.fill("a-key-0123456789")
    page.get_by_role("button", name="Use key").click()
    expect(field).to_be_hidden()
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
    command = page.locator("#two .command code").inner_text()
    output = subprocess.run(command, shell=True, cwd=FACES, capture_output=True, check=True).stdout
    assert json.loads(output)["verdict"] == "same"
    own_server.stop()


def test_the_page_works_with_the_keyboard_alone(server, open_page):
    page = open_page(server.address)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "one person twice":
            break
    page.keyboard.press("Enter")
    expect(page.locator(VERDICT)).to_have_text("Same")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
@pytest.mark.parametrize("view", ["two", "one-to-many", "matrix"])
def test_each_view_is_accessible_and_fits_the_screen(server, open_page, view, width, scheme):
    page = open_page(f"{server.address}/#{view}", width=width, scheme=scheme)
    page.locator(f"#{view} .samples button").first.click()
    expect(page.locator(f"#{view} .verdict strong")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_api_documentation_needs_no_other_server(server, open_page):
    page = open_page(f"{server.address}/docs")
    for path in ("/compare", "/compare/batch", "/embed", "/detect", "/pixels", "/model"):
        expect(page.get_by_role("heading", name=path, exact=False).first).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_in_viewport()
    page.locator("summary", has_text="Errors").first.click()
    expect(page.get_by_text("image_corrupt").first).to_be_visible()
    check_accessibility(page)


def test_the_api_documentation_opens_at_its_top_and_shows_headers(server, open_page):
    page = open_page(f"{server.address}/docs")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.mouse.wheel(0, 2000)
    page.wait_for_timeout(200)
    page.reload()
    page.wait_for_selector("body[data-ready]", state="attached")
    assert page.evaluate("scrollY") == 0
    for route, names in {
        "#post-compare": ("X-Request-Timeout-Ms", "X-Request-Id", "Server-Timing", "Retry-After"),
        "#post-embed": ("Siamese-Model-Digest", "Siamese-Shape"),
        "#get-readyz": ("X-Request-Id",),
    }.items():
        for name in names:
            expect(page.locator(f"{route} code").get_by_text(name, exact=True).first).to_be_attached()
    page.goto(f"{server.address}/docs#get-model")
    expect(page.locator("#get-model h2")).to_be_in_viewport()
