"""The page in a real browser."""

import json
import subprocess

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from conftest import FACES, ROOT, Server

SAME = [FACES / "s5_1.jpg", FACES / "s5_2.jpg"]
OTHER = FACES / "s1_1.jpg"
NO_FACE = ROOT / "tests" / "fixtures" / "images" / "420.jpg"
NO_IMAGE = {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear server"}
VERDICT = "#two-verdict strong"


def choose(page: Page, area: str, *files) -> None:
    page.locator(f"{area} input[type=file]").first.set_input_files(list(files))


def compare(page: Page, a, b) -> None:
    choose(page, "#slot-a", a)
    choose(page, "#slot-b", b)


def check_accessibility(page: Page) -> None:
    """Fails if the page has a serious or critical accessibility problem."""
    violations = Axe().run(page).response["violations"]
    severe = [rule for rule in violations if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in severe] == []


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
    for name in ("decode", "queue", "model", "total", "round trip"):
        expect(page.locator(".timings")).to_contain_text(name)


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
    command = page.locator(".command code")
    expect(command).not_to_contain_text("threshold")
    slider.fill("0.2")
    expect(page.locator(VERDICT)).to_have_text("Different")
    assert page.locator(".rates").inner_text() != before
    expect(command).to_contain_text("?threshold=0.2")
    page.get_by_role("button", name="Reset threshold").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(command).not_to_contain_text("threshold")


def test_the_curl_command_gets_the_same_verdict(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    page.get_by_role("slider", name="Threshold").fill("0.2")
    command = page.locator(".command code").inner_text()
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
    page.evaluate(transfer, ["drop", "#slot-b", "s5_2"])
    expect(page.locator("#slot-b img").first).to_be_visible()
    page.evaluate(transfer, ["paste", "body", "s5_1"])
    expect(page.locator(VERDICT)).to_have_text("Same")


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


def test_the_models_input_replaces_an_image_that_the_browser_can_not_decode(open_page):
    # The image shows no face, so the model is one that embeds whole images.
    own_server = Server(SIAMESE_MODEL__FILE="models/orl.onnx")
    page = open_page(own_server.address)
    tiff = ROOT / "tests" / "fixtures" / "images" / "grey.tiff"
    choose(page, "#slot-a", tiff)
    image = page.locator("#slot-a .frame > img")
    page.wait_for_function("() => document.querySelector('#slot-a .frame > img').naturalWidth === 60")
    expect(image).to_be_visible()
    own_server.stop()


def test_a_stopped_server_is_reported_and_tried_again(open_page):
    own_server = Server()
    page = open_page(
        own_server.address, expect=["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"]
    )
    page.wait_for_selector("body[data-ready]", state="attached")
    own_server.stop()
    compare(page, *SAME)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("does not respond")
    own_server = Server(own_server.address)
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
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".matrix .self")).to_have_count(0)


def test_the_api_key_is_requested_once(open_page, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-0123456789\n")
    own_server = Server(SIAMESE_AUTH__KEYS_FILE=str(keys))
    page = open_page(own_server.address, expect=["401"])
    page.get_by_label("API key").fill("a-key-0123456789")
    page.get_by_role("button", name="Use key").click()
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
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
