"""The choice of a model on the page, its samples, and links to them."""

import json
import subprocess

import pytest
from playwright.sync_api import Page, expect

from conftest import FACES, ROOT, check_accessibility, choose

SAME = [FACES / "s5_1.jpg", FACES / "s5_2.jpg"]
VERDICT = "#two-verdict strong"
TRUTH = "#two-verdict .truth"
COMMAND = "#two .command code"
ANSWER = "#two .json code"
CHOICE = "#choice-model"


def compare(page: Page, a, b) -> None:
    choose(page, "#slot-a", a)
    choose(page, "#slot-b", b)


def run_command(page: Page) -> dict:
    """The response to the command that the page shows."""
    command = page.locator(COMMAND).inner_text()
    return json.loads(subprocess.run(command, shell=True, cwd=FACES, capture_output=True, check=True).stdout)


def test_the_images_are_compared_again_with_another_model(server, open_page):
    page = open_page(server.address)
    compare(page, *SAME)
    expect(page.locator(COMMAND)).to_contain_text("/models/faces/compare")
    expect(page.locator(CHOICE)).to_have_value("faces")
    page.get_by_label("Model", exact=True).select_option("orl")
    expect(page.locator(COMMAND)).to_contain_text("/models/orl/compare")
    expect(page.locator("#two-verdict")).to_contain_text("threshold, 1.134")
    # The images stay, and the statements, the facts and the links are those of the model.
    expect(page.locator("#slot-a .frame > img")).to_have_attribute("alt", "s5_1.jpg")
    page.wait_for_function("() => document.querySelector('#slot-a .model-input').naturalWidth === 60")
    expect(page.locator("#statements")).to_contain_text("grey portraits")
    expect(page.locator("#model-facts")).to_contain_text("60 pixels, grey")
    expect(page.locator("#model-card")).to_have_attribute("href", "/models/orl")
    assert run_command(page)["model"]["name"] == "orl"
    # A link opens the same, and the back button leads to the former model.
    assert page.url.endswith("/?model=orl")
    expect(open_page(page.url).locator(CHOICE)).to_have_value("orl")
    page.go_back()
    expect(page.locator(CHOICE)).to_have_value("faces")
    expect(page.locator("#two-verdict")).to_contain_text("threshold, 0.538")


def test_the_models_are_listed_with_their_purpose(server, open_page):
    page = open_page(server.address)
    options = page.locator(f"{CHOICE} option")
    expect(options).to_have_count(5)
    names = [text.split(":")[0] for text in options.all_inner_texts()]
    assert names == ["faces", "changes", "characters", "orl", "things"]
    expect(options.last).to_contain_text("two photographs show the same product")


def test_a_link_to_a_missing_model_says_so(server, open_page):
    page = open_page(f"{server.address}/?model=mine")
    expect(page.locator("#notice")).to_have_text("This server has no model “mine”. The page uses “faces”.")
    expect(page.locator(CHOICE)).to_have_value("faces")


@pytest.mark.parametrize(("link", "verdict", "truth"), [
    ("model=faces&sample=two-people", "Different", "right: these are two images of two people."),
    ("model=orl&sample=one-person", "Same", "right: these are two images of one person."),
    ("model=things&sample=one-product", "Same", "right: these are two images of one product."),
    ("model=things&sample=two-products", "Different", "right: these are two images of two products."),
    ("model=things&sample=one-maker", "Same", "wrong: these are two images of two products."),
    ("model=characters&sample=one-character", "Same", "right: these are two images of one character."),
    ("model=characters&sample=alike-characters", "Different", "right: these are two images of two characters."),
])
def test_a_link_to_a_sample_opens_its_verdict(server, open_page, link, verdict, truth):
    page = open_page(f"{server.address}/?{link}#two")
    expect(page.locator(VERDICT)).to_have_text(verdict)
    expect(page.locator(TRUTH)).to_have_text(f"The model is {truth}")
    expect(page.locator("#two-verdict .unfamiliar")).to_have_count(0)


def test_each_model_has_samples_of_its_own(server, open_page):
    page = open_page(server.address)
    for model, labels in {
        "faces": ["one person twice", "two people", "one person, less alike"],
        "orl": ["one person twice", "two people", "one person, less alike"],
        "things": ["one product twice", "two products", "two products of one maker"],
        "characters": ["one character twice", "two characters", "two characters, alike"],
        "changes": [],
    }.items():
        page.locator(CHOICE).select_option(model)
        expect(page.locator("#two-samples button")).to_have_text(labels)
    expect(page.locator("#two-samples")).to_be_hidden()
    # No other field of a card than the data of its calibration tells what a model of whole images is for.
    page.goto(f"{server.address}/?model=things&sample=six-packages#matrix")
    expect(page.locator("#matrix-verdict .truth")).to_contain_text("the images show 3 products, and a group is one product")
    page.goto(f"{server.address}/?model=characters&sample=one-drawing#one-to-many")
    expect(page.locator("#many-results .same")).to_have_count(1)


def test_a_model_of_unknown_data_has_no_samples(described, open_page):
    page = open_page(described("purpose = 'Tells whether two faces are the same.'").address)
    for view in ("two", "one-to-many", "matrix"):
        page.goto(page.url.split("#")[0] + f"#{view}")
        page.wait_for_selector("body[data-ready]", state="attached")
        expect(page.locator(f"#{view} h1")).to_be_visible()
        expect(page.locator(f"#{view} .samples")).to_be_hidden()


def test_the_back_button_leads_through_samples_and_views(server, open_page):
    page = open_page(server.address)
    page.get_by_role("button", name="one person twice").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    page.get_by_role("button", name="two people").click()
    expect(page.locator(VERDICT)).to_have_text("Different")
    page.get_by_role("link", name="Compare many").click()
    page.wait_for_url("**/?model=faces#matrix")
    # The images stay in a view that the user leaves, and the address names them again.
    page.get_by_role("link", name="Two images").click()
    page.wait_for_url("**/?model=faces&sample=two-people#two")
    expect(page.locator(VERDICT)).to_have_text("Different")
    for _ in range(2):
        page.go_back()
    expect(page.locator("#two")).to_be_visible()
    expect(page.locator(VERDICT)).to_have_text("Different")
    page.go_back()
    expect(page.locator(VERDICT)).to_have_text("Same")
    assert "sample=one-person" in page.url
    page.go_back()
    expect(page.locator(VERDICT)).to_have_count(0)
    expect(page.locator("#slot-a.filled")).to_have_count(0)
    page.go_forward()
    expect(page.locator(VERDICT)).to_have_text("Same")


def test_the_address_names_no_sample_whose_images_were_replaced(server, open_page):
    page = open_page(f"{server.address}/?sample=one-person")
    expect(page.locator(VERDICT)).to_have_text("Same")
    choose(page, "#slot-b", FACES / "s1_1.jpg")
    expect(page.locator(VERDICT)).to_have_text("Different")
    assert page.url.endswith("/?model=faces")
    # A sample of another model is not kept, but the images of the user are.
    page.locator(CHOICE).select_option("characters")
    expect(page.locator("#slot-b .frame > img")).to_have_attribute("alt", "s1_1.jpg")
    page.get_by_role("button", name="one character twice").click()
    expect(page.locator(VERDICT)).to_have_text("Same")
    page.locator(CHOICE).select_option("things")
    expect(page.locator("#slot-b .frame > img")).to_be_hidden()
    expect(page.locator(VERDICT)).to_have_count(0)
    assert page.url.endswith("/?model=things")


def test_the_response_is_shown_as_json(server, open_page):
    page = open_page(f"{server.address}/?model=things&sample=one-product")
    expect(page.locator(VERDICT)).to_have_text("Same")
    page.locator("#two .answer summary").click()
    answer = page.locator(ANSWER)
    assert json.loads(answer.inner_text()) == run_command(page)
    # It is always the response to the command.
    page.get_by_role("slider", name="Threshold").fill("0.2")
    expect(answer).to_contain_text('"threshold": 0.2')
    assert json.loads(answer.inner_text()) == run_command(page)
    page.context.grant_permissions(["clipboard-read"])
    page.locator("#two .json").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["verdict"] == "different"
    check_accessibility(page)


def test_long_lists_in_json_fill_lines(server, open_page):
    page = open_page(server.address)
    value = {"values": [number / 7 for number in range(784)], "polygon": [[x, x + 0.5] for x in range(200)], "none": [], "text": "a" * 200}
    text = page.evaluate("async (value) => (await import('/page/views/answer.js')).format(value)", value)
    assert json.loads(text) == value
    lines = text.splitlines()
    assert all(len(line) <= 90 for line in lines if "text" not in line)
    assert len(lines) < 260


def test_each_model_has_a_threshold_of_its_own(described, open_page):
    name = "a-model.with_a_name_of_64_characters." + "x" * 27
    own_server = described(after={"orl": ROOT / "models" / "orl.onnx"}, name=name)
    page = open_page(own_server.address, width=390)
    box = page.get_by_label("no threshold")
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(box).to_be_hidden()
    page.locator(CHOICE).select_option(name)
    expect(page.locator("#two-verdict")).to_contain_text("no threshold")
    expect(page.locator("#two-figure > *")).to_have_count(0)
    box.fill("0.001")
    page.get_by_role("button", name="Use threshold").click()
    expect(page.locator(VERDICT)).to_have_text("Different")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # The other model keeps the threshold of its card, and this one the named threshold, also in a page that is loaded anew.
    page.locator(CHOICE).select_option("orl")
    expect(page.locator(VERDICT)).to_have_text("Same")
    expect(page.locator(COMMAND)).not_to_contain_text("threshold")
    expect(box).to_be_hidden()
    page.locator(CHOICE).select_option(name)
    expect(page.locator(VERDICT)).to_have_text("Different")
    expect(box).to_have_value("0.001")
    page.reload()
    expect(box).to_have_value("0.001")
    compare(page, *SAME)
    expect(page.locator(VERDICT)).to_have_text("Different")


def test_a_server_of_one_model_offers_no_choice(described, open_page):
    page = open_page(described("threshold = 0.5").address)
    compare(page, *SAME)
    expect(page.locator(COMMAND)).to_contain_text("/compare'")
    expect(page.locator(COMMAND)).not_to_contain_text("/models/")
    expect(page.locator("#choice")).to_be_hidden()
