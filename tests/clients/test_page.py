"""The page, as a user works with it."""

import json
import subprocess

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from conftest import FACES, Server

SAME = [FACES / "s5_1.jpg", FACES / "s5_2.jpg"]
OTHER = FACES / "s1_1.jpg"
VERDICT = "#two-verdict strong"


def choose(page: Page, slot: str, *files) -> None:
    page.locator(f"{slot} input[type=file]").first.set_input_files(list(files))


def compare(page: Page, a, b) -> None:
    choose(page, "#slot-a", a)
    choose(page, "#slot-b", b)


def accessible(page: Page) -> None:
    """Checks that an accessibility checker finds no serious problem."""
    found = Axe().run(page).response["violations"]
    serious = [(item["id"], item["nodes"][0]["html"]) for item in found if item["impact"] in ("serious", "critical")]
    assert serious == []


def test_two_images_are_compared(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("The same")
    compare(page, SAME[0], OTHER)
    expect(page.locator(VERDICT)).to_have_text("Different")
    expect(page.locator("#two-figure")).to_contain_text("of the same pairs")
    # Both slots show the input of the model.
    for slot in ("#slot-a", "#slot-b"):
        seen = page.locator(f"{slot} .seen")
        expect(seen).to_be_visible()
        assert seen.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [60, 72]
    for name in ("decode", "queue", "model", "total", "round trip"):
        expect(page.locator(".timings")).to_contain_text(name)


def test_samples_can_be_chosen(server, open_page):
    page = open_page(server.address)
    page.get_by_role("button", name="one person twice").click()
    expect(page.locator(VERDICT)).to_have_text("The same")
    page.get_by_role("button", name="two people").click()
    expect(page.locator(VERDICT)).to_have_text("Different")


def test_the_threshold_moves_verdict_rates_and_curl(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    slider = page.get_by_role("slider", name="Threshold")
    expect(page.locator(".rates")).to_contain_text("FMR")
    before = page.locator(".rates").inner_text()
    line = page.locator(".curl code")
    expect(line).not_to_contain_text("threshold")
    slider.fill("0.3")
    expect(page.locator(VERDICT)).to_have_text("Different")
    assert page.locator(".rates").inner_text() != before
    expect(line).to_contain_text("?threshold=0.3")
    page.get_by_role("button", name="Back to").click()
    expect(page.locator(VERDICT)).to_have_text("The same")
    expect(line).not_to_contain_text("threshold")


def test_the_curl_line_does_the_same(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    page.get_by_role("slider", name="Threshold").fill("0.3")
    line = page.locator(".curl code").inner_text()
    response = subprocess.run(line, shell=True, cwd=FACES, capture_output=True, check=True).stdout
    assert json.loads(response)["verdict"] == "different"


def test_images_can_be_dropped_and_pasted(server, open_page):
    page = open_page(server.address)
    give = """([kind, selector, name]) => fetch(`/page/samples/${name}.jpg`).then((response) => response.blob()).then((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], `${name}.jpg`, { type: "image/jpeg" }));
        const named = kind === "paste" ? { clipboardData: data } : { dataTransfer: data };
        const event = kind === "paste" ? ClipboardEvent : DragEvent;
        document.querySelector(selector).dispatchEvent(new event(kind, { bubbles: true, cancelable: true, ...named }));
    })"""
    page.evaluate(give, ["drop", "#slot-b", "s5_2"])
    expect(page.locator("#slot-b img").first).to_be_visible()
    page.evaluate(give, ["paste", "body", "s5_1"])
    expect(page.locator(VERDICT)).to_have_text("The same")


@pytest.mark.parametrize("slot", ["#slot-a", "#slot-b"])
def test_a_file_that_is_not_an_image_is_reported_in_its_slot(server, open_page, slot):
    page = open_page(server.address, expect=["415"])
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("The same")
    choose(page, slot, {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear server"})
    expect(page.locator(f"{slot} .error")).to_be_visible()
    other = "#slot-b" if slot == "#slot-a" else "#slot-a"
    expect(page.locator(f"{other} .error")).to_be_hidden()
    expect(page.locator(VERDICT)).to_have_count(0)
    choose(page, slot, SAME[0])
    expect(page.locator(VERDICT)).to_have_text("The same")
    expect(page.locator(f"{slot} .error")).to_be_hidden()


def test_an_image_that_the_browser_cannot_show_is_replaced_by_the_model_input(server, open_page):
    page = open_page(server.address)
    tiff = FACES.parent / "images" / "grey.tiff"
    choose(page, "#slot-a", tiff)
    shown = page.locator("#slot-a .frame > img")
    page.wait_for_function("() => document.querySelector('#slot-a .frame > img').naturalWidth === 60")
    expect(shown).to_be_visible()


def test_an_unreachable_server_is_reported_and_tried_again(open_page):
    own = Server()
    page = open_page(own.address, expect=["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"])
    page.wait_for_selector("body[data-ready]", state="attached")
    own.stop()
    compare(page, *SAME)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("does not response")
    own = Server(own.address)
    notice.get_by_role("button").click()
    expect(page.locator(VERDICT)).to_have_text("The same")
    own.stop()


def test_one_image_is_compared_with_many(server, open_page):
    page = open_page(f"{server.address}/#one-to-many", expect=["415", "422"])
    choose(page, "#slot-one", SAME[0])
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": SAME[1].read_bytes()[:300]}
    letter = {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear server"}
    choose(page, "#tray-many", OTHER, SAME[1])
    rows = page.locator("#many-results li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("s5_2.jpg")
    expect(rows.first).to_contain_text("same")
    expect(page.locator("#many-verdict strong")).to_have_text("1 of 2 the same")
    page.locator("#tray-many input[type=file]").first.set_input_files([letter, broken])
    expect(page.locator("#tray-many .bad")).to_have_count(2)
    expect(rows).to_have_count(2)


def test_all_pairs_are_grouped(server, open_page):
    page = open_page(f"{server.address}/#matrix")
    page.get_by_role("button", name="eight images").click()
    expect(page.locator(".matrix td.self")).to_have_count(8)
    slider = page.get_by_role("slider", name="Threshold")
    slider.fill("0")
    expect(page.locator("#matrix-verdict strong")).to_have_text("8 groups")
    slider.fill("1.9")
    expect(page.locator("#matrix-verdict strong")).to_have_text("One group")


def test_at_most_thirty_images_are_accepted(server, open_page):
    page = open_page(f"{server.address}/#matrix")
    files = [{"name": f"{at}.jpg", "mimeType": "image/jpeg", "buffer": OTHER.read_bytes()} for at in range(32)]
    page.locator("#tray-matrix input[type=file]").first.set_input_files(files)
    expect(page.locator("#tray-matrix .error")).to_contain_text("2 more were left out")
    expect(page.locator(".matrix td.self")).to_have_count(30)


def test_the_key_is_requested_once(open_page, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("a-key-0123456789\n")
    own = Server(SIAMESE_AUTH__KEYS_FILE=str(keys))
    page = open_page(own.address, expect=["401"])
    page.get_by_label("API key").fill("a-key-0123456789")
    page.get_by_role("button", name="Use it").click()
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("The same")
    own.stop()


def test_the_page_works_with_the_keyboard_alone(server, open_page):
    page = open_page(server.address)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "one person twice":
            break
    page.keyboard.press("Enter")
    expect(page.locator(VERDICT)).to_have_text("The same")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
@pytest.mark.parametrize("view", ["two", "one-to-many", "matrix"])
def test_each_view_is_accessible_and_fits(server, open_page, view, width, scheme):
    page = open_page(f"{server.address}/#{view}", width=width, scheme=scheme)
    page.locator(f"#{view} .samples button").first.click()
    expect(page.locator(f"#{view} .verdict strong")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_api_documentation_needs_no_other_site(server, open_page):
    page = open_page(f"{server.address}/docs")
    for path in ("/compare", "/compare/batch", "/embed", "/pixels", "/model"):
        expect(page.get_by_role("heading", name=path, exact=False).first).to_be_visible()
    page.locator("summary", has_text="Refusals").first.click()
    expect(page.get_by_text("image_corrupt").first).to_be_visible()
    accessible(page)
